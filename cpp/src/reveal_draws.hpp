// Draws of the change that a run brings, where beliefs change by reveals: its distribution is cut
// into parts of equal chance, the most telling first, and each draw is the mean of one. A model's
// largest standardised draw takes the first part, so that models keep their draws whatever is
// believed of them, and the mean of the changes is zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "headrace/problem.hpp"

namespace headrace {

// The first node of a model for a query, in the arrays of the reveals. Throws std::invalid_argument
// if the group of the query is not one of theirs.
std::size_t first_node(const Problem& problem, std::size_t row, std::size_t model);

// For each of k models, its draws from the largest to the smallest; equal ones as they come.
std::vector<std::uint32_t> falling_order(const double* samples, std::size_t k,
                                         std::size_t n_samples);

// Writes (k, n_samples) changes of a query, in that order of the draws; zeros for what has run.
void draw_changes(const Problem& problem, std::size_t row, const std::uint32_t* falling,
                  double* changes);

}  // namespace headrace
