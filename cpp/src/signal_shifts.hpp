// What a class of queries does to a model's signal, whatever its answer is worth.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "matrix.hpp"
#include "saved_state.hpp"

namespace headrace {

class SignalShifts {
public:
    // Takes what is saved below a name.
    SignalShifts(SavedState& saved, const std::string& name, std::size_t n_classes,
                 std::size_t n_models);

    // The log-ratio of all classes, scaled to those within each.
    double scaled(std::size_t model, double ratio) const { return scale_[model] * ratio; }

    // What a class multiplies the odds by that its own model is right.
    double odds(std::size_t which, std::size_t model) const { return odds_[which][model]; }

    // What a class makes of the density of a wrong answer's ratio: its logarithm.
    double log_density(std::size_t which, std::size_t model, double ratio) const {
        return slope_[which][model] * ratio + level_[which][model];
    }

private:
    std::vector<double> scale_;
    Matrix odds_, slope_, level_;  // (classes, k)
};

}  // namespace headrace
