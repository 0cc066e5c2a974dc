// Small dense matrices of doubles, row-major.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace headrace {

struct Matrix {
    std::size_t n_rows = 0;
    std::size_t n_columns = 0;
    std::vector<double> values;

    Matrix() = default;
    Matrix(std::size_t rows, std::size_t columns)
        : n_rows(rows), n_columns(columns), values(rows * columns) {}
    Matrix(std::size_t rows, std::size_t columns, std::vector<double> given)
        : n_rows(rows), n_columns(columns), values(std::move(given)) {}

    double* operator[](std::size_t row) { return values.data() + row * n_columns; }
    const double* operator[](std::size_t row) const { return values.data() + row * n_columns; }
};

// Replaces a square matrix by its inverse. Throws std::invalid_argument if there is none.
void invert(Matrix& matrix);

// left times right.
Matrix product(const Matrix& left, const Matrix& right);

}  // namespace headrace
