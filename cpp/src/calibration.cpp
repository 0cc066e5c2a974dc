#include "calibration.hpp"

#include <utility>

namespace headrace {

Calibration::Calibration(SavedState& saved, const std::string& name, Size& n_groups, Size& n_models,
                         Size& n_signals)
    : logistic_(saved.truth(name + ".logistic")) {
    std::vector<double> centre = saved.doubles(name + ".centre_", {&n_models, &n_signals});
    std::vector<double> scale = saved.doubles(name + ".scale_", {&n_models, &n_signals});
    std::vector<double> intercepts = saved.doubles(name + ".intercepts_", {&n_groups, &n_models});
    std::vector<double> slopes =
        saved.doubles(name + ".slopes_", {&n_groups, &n_models, &n_signals});
    const std::size_t g = n_groups.value();
    const std::size_t k = n_models.value();
    const std::size_t m = n_signals.value();
    centre_ = {k, m, std::move(centre)};
    scale_ = {k, m, std::move(scale)};
    intercepts_ = {g, k, std::move(intercepts)};
    slopes_ = {g * k, m, std::move(slopes)};
}

double Calibration::score(std::size_t group, std::size_t model,
                          std::span<const double> signals) const {
    const double* slopes = slopes_[group * intercepts_.n_columns + model];
    double sum = 0.0;
    for (std::size_t j = 0; j < signals.size(); ++j) {
        sum += slopes[j] * ((signals[j] - centre_[model][j]) / scale_[model][j]);
    }
    return intercepts_[group][model] + sum;
}

}  // namespace headrace
