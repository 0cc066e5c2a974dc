// What the estimators that learn from features and groups share: the columns of features, the
// groups, and the costs.
#pragma once

#include <string>
#include <vector>

#include "estimator.hpp"
#include "group_ridge.hpp"
#include "groups.hpp"

namespace headrace {

class EstimatorBase : public Estimator {
public:
    std::size_t n_models() const override { return n_models_; }
    std::optional<Inputs> inputs() const override { return Inputs{n_features_, n_signals_}; }
    std::size_t n_groups() const override { return groups_.size() + 1; }
    std::size_t number_of(const Label& label) const override { return groups_.number_of(label); }

protected:
    // Takes what is saved below a name; "own_features" and "cost_features" are not looked at.
    EstimatorBase(SavedState& saved, const std::string& name);

    using Columns = std::vector<std::size_t>;  // of features

    // Expected targets of a regression on these columns of the features.
    static void predict(const GroupRidge& ridge, std::size_t group,
                        std::span<const double> features, const Columns& columns, double* targets) {
        ridge.predict(group, [&](std::size_t j) { return features[columns[j]]; }, targets);
    }

    // Writes the expected cost of each model.
    void predict_costs(std::span<const double> features, std::size_t group, double* costs) const;

    // The features that tell of one model alone: n_own_ for each.
    double own_feature(std::span<const double> features, std::size_t model,
                       std::size_t which) const {
        return features[own_[model * n_own_ + which]];
    }

    // Takes a regression of quality, or of something like it, on the general features.
    GroupRidge take_general_ridge(SavedState& saved, const std::string& name) const;

    // The same, of a part that says what it is.
    GroupRidge take_ridge(SavedState& saved, const std::string& name) const;

    std::size_t n_models_;
    std::size_t n_features_;
    std::size_t n_signals_;
    std::size_t n_own_ = 0;
    Columns own_;      // (k, n_own)
    Columns general_;  // ascending: of no model in particular
    Groups groups_;

private:
    void take_columns(SavedState& saved, const std::string& name);
    void take_costs(SavedState& saved, const std::string& name, std::size_t n_priced);

    Columns priced_;  // (k, n_priced)
    std::vector<GroupRidge> cost_models_;
    std::vector<Columns> cost_columns_;  // of each
};

}  // namespace headrace
