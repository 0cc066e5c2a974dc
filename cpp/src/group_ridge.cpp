#include "group_ridge.hpp"

#include <algorithm>

#include "kernels.hpp"

namespace headrace {

GroupRidge::GroupRidge(SavedState& saved, const std::string& name, Size& n_groups, Size& n_features,
                       Size& n_targets) {
    std::vector<double> centres = saved.doubles(name + ".centres_", {&n_groups, &n_features});
    scale_ = saved.doubles(name + ".scale_", {&n_features});
    std::vector<double> means = saved.doubles(name + ".means_", {&n_groups, &n_targets});
    std::vector<double> weights = saved.doubles(name + ".coefficients_", {&n_features, &n_targets});
    centres_ = {n_groups.value(), n_features.value(), std::move(centres)};
    means_ = {n_groups.value(), n_targets.value(), std::move(means)};
    coefficients_ = {n_features.value(), n_targets.value(), std::move(weights)};
}

void GroupRidge::begin(std::size_t group, double* targets) const {
    std::copy_n(means_[group], means_.n_columns, targets);
}

void GroupRidge::add(std::size_t group, std::size_t feature, double value, double* targets) const {
    const double centred = (value - centres_[group][feature]) / scale_[feature];
    kernels::add_scaled(targets, centred, coefficients_[feature], coefficients_.n_columns);
}

}  // namespace headrace
