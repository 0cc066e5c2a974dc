// One row of the problem, with the draws of every model's quality.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "headrace/problem.hpp"

namespace headrace {

class Query {
public:
    explicit Query(const Problem& problem);

    // Takes a row; with_draws also makes the draws that E[max] needs.
    void load(std::size_t row, bool with_draws);

    const Problem& problem;
    std::size_t length = 0;  // padded number of samples

    const double* qualities = nullptr;
    const double* costs = nullptr;
    const double* sigmas = nullptr;  // null: nothing is uncertain
    double lambda = 0.0;
    std::vector<std::size_t> ran;         // ascending
    std::vector<std::size_t> candidates;  // ascending: may run next
    std::size_t max_new = 0;              // most models that may be added

    // Draws of one model, padded with zeros.
    const double* draws(std::size_t model) const { return draws_.data() + model * length; }

    // Best draws of what has run; zeros where nothing has.
    void best_of_ran(double* best) const;

    // Expected quality whose best draws are given.
    double mean(const double* best) const;

    // Cost of models that are yet to run. Added from the cheapest up, which makes the sum
    // independent of the order of the models; reorders the list.
    double cost(std::vector<std::size_t>& models) const;

    // Bounds the rounding error of a tradeoff, whatever the order of its additions.
    double rounding_allowance() const;

private:
    void make_draws(std::size_t row);

    std::vector<double> draws_;  // (k, length)
    bool with_draws_ = false;
};

}  // namespace headrace
