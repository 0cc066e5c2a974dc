#include "latent_classes.hpp"

#include <algorithm>
#include <cmath>

#include "calibration.hpp"

namespace headrace {

namespace {

constexpr double kSmallestExpected = 0.005;  // expected qualities stay so far from 0 and 1
constexpr double kSmallestChance = 1e-4;
constexpr double kSmallestSlope = 1e-3;
constexpr double kLargestStep = 2.0;
constexpr int kNewtonSteps = 4;

}  // namespace

LatentClasses::LatentClasses(SavedState& saved, const std::string& name, std::size_t n_models) {
    Size classes("c");
    Size models("k", n_models);
    weights_ = saved.doubles(name + ".weights_", {&classes});
    std::vector<double> steps = saved.doubles(name + ".steps_", {&classes, &models});
    if (weights_.empty()) throw StateError("there must be classes");
    steps_ = {weights_.size(), n_models, std::move(steps)};
}

void LatentClasses::chances(const double* expected, double* chances) const {
    const std::size_t n_classes = size();
    const std::size_t k = steps_.n_columns;
    for (std::size_t i = 0; i < k; ++i) {
        const double mean = std::clamp(expected[i], kSmallestExpected, 1.0 - kSmallestExpected);
        double odds = std::log(mean) - std::log1p(-mean);
        for (int step = 0; n_classes > 1 && step < kNewtonSteps; ++step) {
            double slope = 0.0;
            double met = 0.0;
            for (std::size_t c = 0; c < n_classes; ++c) {
                const double p = sigmoid(odds + steps_[c][i]);
                slope += weights_[c] * (p * (1.0 - p));
                met += weights_[c] * p;
            }
            const double move = (mean - met) / std::max(slope, kSmallestSlope);
            odds += std::clamp(move, -kLargestStep, kLargestStep);
        }
        for (std::size_t c = 0; c < n_classes; ++c) {
            chances[c * k + i] =
                std::clamp(sigmoid(odds + steps_[c][i]), kSmallestChance, 1.0 - kSmallestChance);
        }
    }
}

}  // namespace headrace
