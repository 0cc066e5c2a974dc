#include "matrix.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels.hpp"

namespace headrace {

// Gauss and Jordan's elimination in place, with the largest pivot of each column.
void invert(Matrix& matrix) {
    const std::size_t n = matrix.n_rows;
    std::vector<std::size_t> pivots(n);
    for (std::size_t column = 0; column < n; ++column) {
        std::size_t pivot = column;
        for (std::size_t row = column + 1; row < n; ++row) {
            if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) pivot = row;
        }
        pivots[column] = pivot;
        double* own = matrix[column];
        if (pivot != column) std::swap_ranges(own, own + n, matrix[pivot]);
        const double divisor = own[column];
        if (divisor == 0.0) throw std::invalid_argument("a matrix to be inverted is singular");
        own[column] = 1.0;
        for (std::size_t j = 0; j < n; ++j) own[j] /= divisor;
        for (std::size_t row = 0; row < n; ++row) {
            if (row == column) continue;
            const double factor = matrix[row][column];
            matrix[row][column] = 0.0;
            if (factor != 0.0) kernels::add_scaled(matrix[row], -factor, own, n);
        }
    }
    for (std::size_t column = n; column-- > 0;) {
        if (pivots[column] == column) continue;
        for (std::size_t row = 0; row < n; ++row) {
            std::swap(matrix[row][column], matrix[row][pivots[column]]);
        }
    }
}

Matrix product(const Matrix& left, const Matrix& right) {
    Matrix result(left.n_rows, right.n_columns);
    for (std::size_t i = 0; i < left.n_rows; ++i) {
        kernels::add_rows(result[i], left[i], right[0], right.n_rows, right.n_columns,
                          right.n_columns);
    }
    return result;
}

}  // namespace headrace
