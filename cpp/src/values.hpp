// Whether the numbers of a problem are what its contract says. Everything is read once, a row at a
// time, so that a strategy that streams can check a row just before it decides it.
#pragma once

#include <cstddef>

#include "control.hpp"
#include "headrace/problem.hpp"

namespace headrace {

// Each throws std::invalid_argument, which names the array, the row and the model.

// How many models and samples there may be: the sizes of arrays do not overflow.
void check_sizes(std::size_t n_models, std::size_t n_samples);

// Samples of shape (n_models, n_samples).
void check_samples(const double* samples, std::size_t n_models, std::size_t n_samples);

// What serves all queries: the arrays with one row, and the samples, unless they are of a
// sample matrix.
void check_shared_values(const Problem& problem);

// Sizes of the reveals, and their values: numbers in 0 to 1, but for the group of each row.
void check_reveals(const Problem& problem);

// The rest of a row: what is its own.
void check_row_values(const Problem& problem, std::size_t row);

// All of it, as is due before a search that takes long.
void check_all_values(const Problem& problem, Control& control);

}  // namespace headrace
