// Latent classes of queries: within a class, the models are right independently of each other.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "matrix.hpp"
#include "saved_state.hpp"

namespace headrace {

class LatentClasses {
public:
    // Takes what is saved below a name.
    LatentClasses(SavedState& saved, const std::string& name, std::size_t n_models);

    std::size_t size() const { return weights_.size(); }
    double weight(std::size_t which) const { return weights_[which]; }

    // Writes the chance (classes, k) that each model is right in each class, with `expected` as its
    // mean over the classes.
    void chances(const double* expected, double* chances) const;

private:
    std::vector<double> weights_;
    Matrix steps_;  // (classes, k) what a class adds to the log-odds
};

}  // namespace headrace
