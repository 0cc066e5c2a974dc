#include "estimator_base.hpp"

#include <algorithm>

#include "headrace/problem.hpp"

namespace headrace {

namespace {

std::size_t n_models_of(SavedState& saved, const std::string& name) {
    const std::size_t k = saved.count(name + ".n_models_");
    if (k < 1 || k > kMaxModels) throw StateError("there must be 1 to 4096 models");
    return k;
}

std::vector<std::size_t> columns_of(const std::vector<std::int64_t>& given, std::size_t n_features,
                                    const std::string& name) {
    std::vector<std::size_t> columns;
    for (const std::int64_t column : given) {
        if (column < 0 || static_cast<std::size_t>(column) >= n_features) {
            throw StateError("'" + name + "' must be columns of the features");
        }
        columns.push_back(static_cast<std::size_t>(column));
    }
    return columns;
}

}  // namespace

EstimatorBase::EstimatorBase(SavedState& saved, const std::string& name)
    : n_models_(n_models_of(saved, name)),
      n_features_(saved.count(name + ".n_features_")),
      n_signals_(saved.count(name + ".n_signals_")) {
    saved.drop_parameter(name + ".own_features");
    saved.drop_parameter(name + ".cost_features");
    if (saved.text(name + ".groups_") != "Groups") throw StateError("there must be groups");
    groups_ = Groups(saved, name + ".groups_.labels");
    take_columns(saved, name);
}

void EstimatorBase::take_columns(SavedState& saved, const std::string& name) {
    Size k("k", n_models_);
    Size own("own");
    Size priced("priced");
    Size d("d");
    const std::string places[] = {name + ".own_", name + ".priced_", name + ".general_"};
    own_ = columns_of(saved.integers(places[0], {&k, &own}), n_features_, places[0]);
    priced_ = columns_of(saved.integers(places[1], {&k, &priced}), n_features_, places[1]);
    general_ = columns_of(saved.integers(places[2], {&d}), n_features_, places[2]);
    n_own_ = own.value();

    // Every feature is of some use, so that their number is no larger than what is there.
    Columns every = general_;
    every.insert(every.end(), own_.begin(), own_.end());
    every.insert(every.end(), priced_.begin(), priced_.end());
    std::sort(every.begin(), every.end());
    every.erase(std::unique(every.begin(), every.end()), every.end());
    if (every.size() != n_features_) throw StateError("every feature must be of some use");
    take_costs(saved, name, priced.value());
}

void EstimatorBase::take_costs(SavedState& saved, const std::string& name, std::size_t n_priced) {
    const std::string place = name + ".cost_models_";
    const std::vector<std::string> kinds = saved.texts(place);
    const bool by_model = n_own_ + n_priced > 0;
    if (kinds.size() != (by_model ? n_models_ : 1)) {
        throw StateError("'" + place + "' must have a regression for each part");
    }
    for (std::size_t part = 0; part < kinds.size(); ++part) {
        if (kinds[part] != "GroupRidge") throw StateError("'" + place + "' must be of GroupRidge");
        Columns columns = general_;
        if (by_model) {
            columns.insert(columns.end(), own_.begin() + static_cast<std::ptrdiff_t>(part * n_own_),
                           own_.begin() + static_cast<std::ptrdiff_t>((part + 1) * n_own_));
            columns.insert(columns.end(),
                           priced_.begin() + static_cast<std::ptrdiff_t>(part * n_priced),
                           priced_.begin() + static_cast<std::ptrdiff_t>((part + 1) * n_priced));
            std::sort(columns.begin(), columns.end());
            columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
        }
        Size groups("g + 1", n_groups());
        Size features("d", columns.size());
        Size targets("k", by_model ? 1 : n_models_);
        cost_models_.emplace_back(saved, place + "." + std::to_string(part), groups, features,
                                  targets);
        cost_columns_.push_back(std::move(columns));
    }
}

GroupRidge EstimatorBase::take_general_ridge(SavedState& saved, const std::string& name) const {
    Size groups("g + 1", n_groups());
    Size features("d", general_.size());
    Size targets("k", n_models_);
    return {saved, name, groups, features, targets};
}

GroupRidge EstimatorBase::take_ridge(SavedState& saved, const std::string& name) const {
    if (saved.text(name) != "GroupRidge") throw StateError("'" + name + "' must be GroupRidge");
    return take_general_ridge(saved, name);
}

void EstimatorBase::predict_costs(std::span<const double> features, std::size_t group,
                                  double* costs) const {
    double* cost = costs;
    for (std::size_t part = 0; part < cost_models_.size(); ++part) {
        predict(cost_models_[part], group, features, cost_columns_[part], cost);
        cost += cost_models_[part].n_targets();
    }
    for (std::size_t i = 0; i < n_models_; ++i) costs[i] = std::max(costs[i], 0.0);
}

}  // namespace headrace
