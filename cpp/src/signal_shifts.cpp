#include "signal_shifts.hpp"

#include <cmath>

namespace headrace {

SignalShifts::SignalShifts(SavedState& saved, const std::string& name, std::size_t n_classes,
                           std::size_t n_models) {
    Size classes("c", n_classes);
    Size models("k", n_models);
    scale_ = saved.doubles(name + ".scale_", {&models});
    const auto take = [&](const char* part) {
        return Matrix(n_classes, n_models, saved.doubles(name + part, {&classes, &models}));
    };
    odds_ = take(".odds_");
    slope_ = take(".slope_");
    level_ = take(".level_");
    for (double& odds : odds_.values) odds = std::exp(odds);
}

}  // namespace headrace
