// Lower Cholesky factors of covariances: what a problem takes for estimates that move together.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "headrace/export.hpp"
#include "headrace/headrace.hpp"

namespace headrace {

// The factors (n, k * k) of n covariances (n, k * k), row by row, with zeros above the diagonal.
// Singular matrices have one as well: a pivot at rounding level gives a zero column. `precision` is
// the relative precision of the entries, the epsilon of the type that they were computed in.
// |C - L L^T| at (i, j) is within max(1e-8, 8 k precision) sqrt(C_ii C_jj), where a variance counts
// as at least 2 k precision of the largest one. The bits of a factor depend on its matrix alone.
// Throws std::invalid_argument if a matrix is not finite (up to kLargestMagnitude), not symmetric
// by more than max(1e-10, 16 precision) of its largest entry, or not positive semi-definite, and
// names the first such; for null, a precision that is not above 0 and at most 1, and sizes;
// Interrupted; std::bad_alloc.
HEADRACE_API std::vector<double> lower_cholesky(
    const double* covariances, std::size_t n, std::size_t k, const Execution& execution = {},
    double precision = std::numeric_limits<double>::epsilon());

}  // namespace headrace
