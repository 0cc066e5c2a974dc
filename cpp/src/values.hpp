// Whether the numbers of a problem are what its contract says. Everything is read once, a row at a
// time, so that a strategy that streams can check a row just before it decides it.
#pragma once

#include <cstddef>

#include "control.hpp"
#include "headrace/problem.hpp"

namespace headrace {

// Each throws std::invalid_argument, which names the array, the row and the model.

// What serves all queries: the arrays with one row, and the samples.
void check_shared_values(const Problem& problem);

// Sizes of the reveals, and their values: numbers in 0 to 1, but for the group of each row.
void check_reveals(const Problem& problem);

// The rest of a row: what is its own.
void check_row_values(const Problem& problem, std::size_t row);

// All of it, as is due before a search that takes long.
void check_all_values(const Problem& problem, Control& control);

}  // namespace headrace
