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

inline constexpr double kChanceRounding = 1e-9;  // of chances, which are sums, around 0 to 1

// The first node of a model for a query, in the arrays of the reveals.
inline std::size_t first_node(const Problem& problem, std::size_t row, std::size_t model) {
    const auto group = static_cast<std::size_t>(*problem.reveals.group[row]);
    return (group * problem.n_models + model) * problem.reveals.n_nodes;
}

// Whether so many rows of chances are in 0 to 1 and rise from node to node, up to 1.
bool are_chances(const double* chances, std::size_t n_rows, std::size_t n_nodes);

// For each of k models, its draws from the largest to the smallest; equal ones as they come.
std::vector<std::uint32_t> falling_order(const double* samples, std::size_t k,
                                         std::size_t n_samples);

// Writes (k, n_samples) changes of a query, in that order of the draws; zeros for what has run.
void draw_changes(const Problem& problem, std::size_t row, const std::uint32_t* falling,
                  double* changes);

}  // namespace headrace
