// What remains of a semi-definite matrix after each step is semi-definite, so that
// a_ij^2 <= a_ii a_jj. Entries that break this within a tolerance are cut to the bound, which keeps
// the rounding errors of singular matrices from growing; beyond it is a fault. A column is
// negligible if its pivot is at its rounding level, or if the variance itself is noise: at the
// rounding level of the largest one, with covariances that do not fit it.
#include "cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "headrace/problem.hpp"
#include "kernels.hpp"

namespace headrace {

namespace {

class Factorisation {
public:
    explicit Factorisation(Matrix& matrix)
        : matrix_(matrix), n_(matrix.n_rows), columns_(n_, n_), weights_(n_) {
        constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
        rounding_ = 2.0 * static_cast<double>(n_) * kEpsilon;
        residual_ = std::max(1e-8, 4.0 * rounding_);
        double largest = 0.0;
        for (std::size_t i = 0; i < n_; ++i) {
            diagonal_.push_back(matrix[i][i]);
            largest = std::max(largest, matrix[i][i]);
        }
        for (const double variance : diagonal_) {
            faulty_ = faulty_ || variance < -rounding_ * largest;
            deviation_.push_back(std::sqrt(std::max(variance, 0.0)));
            scale_.push_back(std::sqrt(std::max(variance, rounding_ * largest)));
        }
        left_ = diagonal_;
    }

    // Replaces the lower triangle by the factor; returns whether the matrix is semi-definite.
    bool run() {
        for (std::size_t j = 0; j < n_; ++j) {
            eliminate(j);
            std::fill(matrix_[j] + j + 1, matrix_[j] + n_, 0.0);
        }
        return !faulty_;
    }

private:
    // Column j with what the columns before it take away, in their order.
    double* reduced(std::size_t j) {
        double* column = columns_[j];
        for (std::size_t i = j + 1; i < n_; ++i) column[i] = matrix_[i][j];
        for (std::size_t m = 0; m < j; ++m) weights_[m] = -matrix_[j][m];
        kernels::add_rows(column + j + 1, weights_.data(), columns_[0] + j + 1, j, n_, n_ - j - 1);
        return column;
    }

    void eliminate(std::size_t j) {
        double* column = reduced(j);
        const double variance = left_[j];
        double pivot = std::sqrt(std::max(variance, 0.0));
        bool noise = false;
        bool small = true;
        for (std::size_t i = j + 1; i < n_; ++i) {
            const double size = std::abs(column[i]);
            const double excess = size - pivot * std::sqrt(std::max(left_[i], 0.0));
            const double tolerance = residual_ * scale_[j] * scale_[i];
            faulty_ = faulty_ || excess > tolerance;
            noise = noise || excess > residual_ * deviation_[j] * deviation_[i];
            small = small && size <= tolerance;
        }
        double limit = rounding_ * diagonal_[j];
        const double most = residual_ * diagonal_[j];
        if (limit < variance && variance <= most) {
            const double growth = growth_of(j);
            limit = std::min(rounding_ * growth * growth, most);
        }
        if (noise) limit = residual_ * scale_[j] * scale_[j];
        if (variance <= limit && small) pivot = 0.0;
        matrix_[j][j] = pivot;
        for (std::size_t i = j + 1; i < n_; ++i) {
            double entry = pivot > 0.0 ? column[i] / pivot : 0.0;
            // Within the rounding level, an entry is more accurate than its bound.
            const double bound = std::sqrt(std::max(left_[i] + rounding_ * diagonal_[i], 0.0));
            entry = std::max(-bound, std::min(entry, bound));
            matrix_[i][j] = column[i] = entry;
            left_[i] -= entry * entry;
        }
    }

    // How far rounding errors have grown in the pivot of row j: the root of what changes of the
    // entries within e sqrt(a_ii a_jj) change it by, without e.
    double growth_of(std::size_t j) const {
        std::vector<double> solution(matrix_[j], matrix_[j] + j);
        double growth = deviation_[j];
        for (std::size_t i = j; i-- > 0;) {
            const double pivot = matrix_[i][i];
            const double x = pivot > 0.0 ? solution[i] / pivot : 0.0;
            growth += std::abs(x) * deviation_[i];
            for (std::size_t l = 0; l < i; ++l) solution[l] -= matrix_[i][l] * x;
        }
        return growth;
    }

    Matrix& matrix_;
    const std::size_t n_;
    double rounding_ = 0.0;  // a variance within this of zero, relative to its own, may be zero
    double residual_ = 0.0;
    std::vector<double> diagonal_, deviation_, scale_;
    std::vector<double> left_;  // of the diagonal, after the columns so far
    Matrix columns_;            // of the factor, side by side in rows
    std::vector<double> weights_;
    bool faulty_ = false;
};

bool all_good(const Matrix& matrix) {
    return std::all_of(matrix.values.begin(), matrix.values.end(),
                       [](double x) { return std::abs(x) <= kLargestMagnitude; });
}

}  // namespace

Matrix lower_cholesky(const Matrix& covariance) {
    if (!all_good(covariance)) throw std::invalid_argument("covariance must be finite");
    Matrix factor = covariance;
    if (Factorisation(factor).run()) return factor;
    // Rounding errors grow with the condition of a leading block; rarely, a singular matrix fails.
    factor = covariance;
    const double epsilon = std::numeric_limits<double>::epsilon();
    const double nudge = std::max(1e-10, 2.0 * static_cast<double>(factor.n_rows) * epsilon);
    for (std::size_t i = 0; i < factor.n_rows; ++i) factor[i][i] *= 1.0 + nudge;
    if (Factorisation(factor).run()) return factor;
    throw std::invalid_argument("covariance must be positive semi-definite");
}

}  // namespace headrace
