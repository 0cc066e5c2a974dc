// The paper's estimator for RouterBench: a linear map of each noisy number to the truth.
#include <algorithm>

#include "estimator.hpp"
#include "headrace/problem.hpp"

namespace headrace {

namespace {

class Noisy final : public Estimator {
public:
    explicit Noisy(SavedState& saved, const std::string& name)
        : fuse_(saved.truth(name + ".fuse")), n_models_(saved.count(name + ".n_models_")) {
        const bool as_deviation = saved.truth(name + ".variance_as_deviation");
        if (saved.parameter(name + ".calibrate_on").get_if<std::nullptr_t>() == nullptr) {
            throw StateError("calibrate_on must be none");
        }
        if (n_models_ < 1 || n_models_ > kMaxModels)
            throw StateError("there must be 1 to 4096 models");
        Size k("k", n_models_);
        Size line("2", 2);
        Size inputs("inputs + 1", fuse_ ? 3 : 2);
        before_ = saved.doubles(name + ".before_", {&line, &k});
        after_ = saved.doubles(name + ".after_", {&inputs, &k});
        price_ = saved.doubles(name + ".price_", {&line, &k});
        deviations_ = saved.doubles(name + ".deviations_", {&k});
        if (as_deviation) {
            for (double& deviation : deviations_) deviation *= deviation;
        }
    }

    std::size_t n_models() const override { return n_models_; }
    std::optional<Inputs> inputs() const override { return Inputs{2 * n_models_, 1}; }
    Uncertainty uncertainty() const override { return Uncertainty::kDeviations; }

    // Qualities and costs; then the noisy qualities before a run.
    std::size_t n_kept() const override { return 3 * n_models_; }

    void start(std::span<const double> features, const Known& known) const override {
        const std::size_t k = n_models_;
        for (std::size_t i = 0; i < k; ++i) {
            known.kept[i] = before_[k + i] + features[i] * before_[i];
            known.kept[k + i] = std::max(price_[k + i] + features[k + i] * price_[i], 0.0);
            known.kept[2 * k + i] = features[i];
        }
    }

    void observe(const Known& known, std::size_t model,
                 std::span<const double> signals) const override {
        const std::size_t k = n_models_;
        double quality = after_[(fuse_ ? 2 : 1) * k + model] + signals.front() * after_[model];
        if (fuse_) quality += known.kept[2 * k + model] * after_[k + model];
        known.kept[model] = quality;
    }

    void estimate(const Known& known, const Models& ran, const Conditioned*, double* qualities,
                  double* costs, double* deviations) const override {
        std::copy_n(known.kept, n_models_, qualities);
        std::copy_n(known.kept + n_models_, n_models_, costs);
        std::copy_n(deviations_.data(), n_models_, deviations);
        for (const std::size_t i : ran) deviations[i] = 0.0;
    }

private:
    bool fuse_;
    std::size_t n_models_;
    std::vector<double> before_, after_, price_;  // slopes, then the intercept: (d + 1, k)
    std::vector<double> deviations_;
};

}  // namespace

std::unique_ptr<const Estimator> take_noisy_estimator(SavedState& saved) {
    return std::make_unique<Noisy>(saved, "estimator");
}

}  // namespace headrace
