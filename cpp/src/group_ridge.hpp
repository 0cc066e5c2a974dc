// Regression on features after group means: what a fit has learned, to be evaluated.
#pragma once

#include <cstddef>
#include <string>

#include "matrix.hpp"
#include "saved_state.hpp"

namespace headrace {

class GroupRidge {
public:
    // Takes what is saved below a name: of so many groups (with the unseen one), features, targets.
    GroupRidge(SavedState& saved, const std::string& name, Size& n_groups, Size& n_features,
               Size& n_targets);

    std::size_t n_targets() const { return means_.n_columns; }

    // The mean of a target in a group.
    double mean(std::size_t group, std::size_t target) const { return means_[group][target]; }

    // Writes the expected targets of a query of this group. `feature(j)` is the j-th of the
    // regression's features.
    template <class Feature>
    void predict(std::size_t group, const Feature& feature, double* targets) const {
        begin(group, targets);
        for (std::size_t j = 0; j < scale_.size(); ++j) add(group, j, feature(j), targets);
    }

private:
    void begin(std::size_t group, double* targets) const;
    void add(std::size_t group, std::size_t feature, double value, double* targets) const;

    Matrix centres_;  // (groups, features)
    std::vector<double> scale_;
    Matrix means_;         // (groups, targets)
    Matrix coefficients_;  // (features, targets)
};

}  // namespace headrace
