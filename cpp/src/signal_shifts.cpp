#include "signal_shifts.hpp"

#include <cmath>

#include "number_text.hpp"

namespace headrace {

namespace {

constexpr double kLargestScale = 2.0;
constexpr double kLargestOdds = 50.0;
constexpr double kLargestLine = 1e9;

void bound(const std::vector<double>& values, double largest, const std::string& name) {
    for (const double value : values) {
        if (std::abs(value) <= largest) continue;
        throw StateError("'" + name + "' must not exceed " + number_text(largest) +
                         " in magnitude");
    }
}

}  // namespace

SignalShifts::SignalShifts(SavedState& saved, const std::string& name, std::size_t n_classes,
                           std::size_t n_models) {
    Size classes("c", n_classes);
    Size models("k", n_models);
    scale_ = saved.doubles(name + ".scale_", {&models});
    bound(scale_, kLargestScale, name + ".scale_");
    const auto take = [&](const std::string& part, double largest) {
        std::vector<double> values = saved.doubles(name + part, {&classes, &models});
        bound(values, largest, name + part);
        return Matrix(n_classes, n_models, std::move(values));
    };
    odds_ = take(".odds_", kLargestOdds);
    slope_ = take(".slope_", kLargestLine);
    level_ = take(".level_", kLargestLine);
    for (double& odds : odds_.values) odds = std::exp(odds);
}

}  // namespace headrace
