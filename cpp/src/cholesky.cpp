// What remains of a semi-definite matrix after each step is semi-definite, so that
// a_ij^2 <= a_ii a_jj. Entries that break this within a tolerance are cut to the bound, which keeps
// the rounding errors of singular matrices from growing; beyond it is a fault. A column is
// negligible if its pivot is at its rounding level, or if the variance itself is noise: at the
// rounding level of the largest one, with covariances that do not fit it.
#include "cholesky.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "control.hpp"
#include "headrace/covariance.hpp"
#include "headrace/problem.hpp"
#include "kernels.hpp"
#include "parallel.hpp"
#include "require.hpp"

namespace headrace {

namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// What rounding can do to a covariance of n models whose entries have a relative precision.
struct Tolerances {
    Tolerances(std::size_t n, double precision)
        : symmetry(std::max(1e-10, 16.0 * precision)),
          rounding(2.0 * static_cast<double>(n) * precision),
          residual(std::max(1e-8, 4.0 * rounding)),
          nudge(std::max(1e-10, rounding)) {}

    double symmetry;  // largest difference across the diagonal, relative to the largest entry
    double rounding;  // a variance within this of zero, relative to its own, may be zero
    double residual;  // largest |C - L L^T| at (i, j), relative to sqrt(C_ii C_jj)
    double nudge;     // relative increase of the variances of a matrix that is tried again
};

// Of one matrix after the other, all of one size.
class Factorisation {
public:
    Factorisation(std::size_t n, double precision, Control& control)
        : n_(n),
          tolerances_(n, precision),
          control_(control),
          by_model_(kRows, n),
          columns_(n, n) {}

    // Writes the factor of a matrix of which the lower triangle is read; returns whether there is
    // one.
    bool run(const double* covariance, double* factor) {
        if (run(covariance, factor, 1.0)) return true;
        // Rounding errors grow with the condition of a leading block; rarely, a singular matrix
        // fails.
        return run(covariance, factor, 1.0 + tolerances_.nudge);
    }

    bool is_symmetric(const double* matrix) const {
        double largest = 0.0;
        double difference = 0.0;
        for (std::size_t i = 0; i < n_; ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                const double below = matrix[i * n_ + j];
                const double above = matrix[j * n_ + i];
                largest = std::max({largest, std::abs(below), std::abs(above)});
                difference = std::max(difference, std::abs(below - above));
            }
        }
        return difference <= tolerances_.symmetry * largest;
    }

private:
    // By model: the variance; its root; that of the variance or of the noise in it; what is left
    // of the variance after the columns so far; weights of the columns.
    enum Row : std::size_t { kDiagonal, kDeviation, kScale, kLeft, kWeights, kRows };

    bool run(const double* covariance, double* factor, double growth) {
        std::copy(covariance, covariance + n_ * n_, factor);
        matrix_ = factor;
        faulty_ = false;
        double largest = 0.0;
        for (std::size_t i = 0; i < n_; ++i) {
            const double variance = row(i)[i] * growth;
            by_model_[kDiagonal][i] = by_model_[kLeft][i] = variance;
            largest = std::max(largest, variance);
        }
        const double noise = tolerances_.rounding * largest;
        for (std::size_t i = 0; i < n_; ++i) {
            const double variance = by_model_[kDiagonal][i];
            faulty_ = faulty_ || variance < -noise;
            by_model_[kDeviation][i] = std::sqrt(std::max(variance, 0.0));
            by_model_[kScale][i] = std::sqrt(std::max(variance, noise));
        }
        for (std::size_t j = 0; j < n_; ++j) {
            control_.check();
            eliminate(j);
            std::fill(row(j) + j + 1, row(j) + n_, 0.0);
        }
        return !faulty_;
    }

    double* row(std::size_t i) { return matrix_ + i * n_; }
    const double* row(std::size_t i) const { return matrix_ + i * n_; }

    // Column j with what the columns before it take away, in their order.
    double* reduced(std::size_t j) {
        double* column = columns_[j];
        double* weights = by_model_[kWeights];
        for (std::size_t i = j + 1; i < n_; ++i) column[i] = row(i)[j];
        for (std::size_t m = 0; m < j; ++m) weights[m] = -row(j)[m];
        kernels::add_rows(column + j + 1, weights, columns_[0] + j + 1, j, n_, n_ - j - 1);
        return column;
    }

    void eliminate(std::size_t j) {
        const auto& [symmetry, rounding, residual, nudge] = tolerances_;
        const double* diagonal = by_model_[kDiagonal];
        const double* deviation = by_model_[kDeviation];
        const double* scale = by_model_[kScale];
        double* left = by_model_[kLeft];
        double* column = reduced(j);
        const double variance = left[j];
        double pivot = std::sqrt(std::max(variance, 0.0));
        bool noise = false;
        bool small = true;
        for (std::size_t i = j + 1; i < n_; ++i) {
            const double size = std::abs(column[i]);
            const double excess = size - pivot * std::sqrt(std::max(left[i], 0.0));
            const double tolerance = residual * scale[j] * scale[i];
            faulty_ = faulty_ || excess > tolerance;
            noise = noise || excess > residual * deviation[j] * deviation[i];
            small = small && size <= tolerance;
        }
        double limit = rounding * diagonal[j];
        const double most = residual * diagonal[j];
        if (limit < variance && variance <= most) {
            const double growth = growth_of(j);
            limit = std::min(rounding * (growth * growth), most);
        }
        if (noise) limit = residual * (scale[j] * scale[j]);
        if (variance <= limit && small) pivot = 0.0;
        row(j)[j] = pivot;
        for (std::size_t i = j + 1; i < n_; ++i) {
            const double entry = pivot > 0.0 ? column[i] / pivot : 0.0;
            // Within the rounding level, an entry is more accurate than its bound.
            const double bound = std::sqrt(std::max(left[i] + rounding * diagonal[i], 0.0));
            const double kept = std::clamp(entry, -bound, bound) + 0.0;  // no negative zero
            row(i)[j] = column[i] = kept;
            left[i] -= kept * kept;
        }
    }

    // How far rounding errors have grown in the pivot of row j: the root of what changes of the
    // entries within e sqrt(c_ii c_jj) change it by, without e.
    double growth_of(std::size_t j) const {
        const double* deviation = by_model_[kDeviation];
        std::vector<double> solution(row(j), row(j) + j);
        double growth = deviation[j];
        for (std::size_t i = j; i-- > 0;) {
            const double pivot = row(i)[i];
            const double x = pivot > 0.0 ? solution[i] / pivot : 0.0;
            growth += std::abs(x) * deviation[i];
            for (std::size_t l = 0; l < i; ++l) solution[l] -= row(i)[l] * x;
        }
        return growth;
    }

    const std::size_t n_;
    const Tolerances tolerances_;
    Control& control_;
    Matrix by_model_;
    Matrix columns_;  // of the factor, side by side in rows
    double* matrix_ = nullptr;
    bool faulty_ = false;
};

bool is_finite(const double* values, std::size_t count) {
    return kernels::within(values, count, -kLargestMagnitude, kLargestMagnitude);
}

// Of one matrix after the other: writes the factor, or says what the matrix should have been.
const char* factorise(Factorisation& factorisation, const double* covariance, std::size_t k,
                      double* factor) {
    if (!is_finite(covariance, k * k)) return "finite";
    if (!factorisation.is_symmetric(covariance)) return "symmetric";
    return factorisation.run(covariance, factor) ? nullptr : "positive semi-definite";
}

[[noreturn]] void refuse(const std::string& name, const char* rule) {
    throw std::invalid_argument(name + " must be " + rule);
}

}  // namespace

Matrix lower_cholesky(const Matrix& covariance) {
    const std::size_t n = covariance.n_rows;
    if (!is_finite(covariance[0], n * n)) refuse("covariance", "finite");
    const std::function<bool()> never;
    Control control(never);
    Matrix factor(n, n);
    if (!Factorisation(n, kEpsilon, control).run(covariance[0], factor[0])) {
        refuse("covariance", "positive semi-definite");
    }
    return factor;
}

std::vector<double> lower_cholesky(const double* covariances, std::size_t n, std::size_t k,
                                   const Execution& execution, double precision) {
    require(k >= 1 && k <= kMaxModels, "covariances must be of 1 to 4096 models");
    require(n == 0 || covariances != nullptr, "covariances are required");
    require(precision > 0.0 && precision <= 1.0, "precision must be above 0 and at most 1");
    const std::size_t entries = k * k;
    std::vector<double> factors(product(n, entries));
    std::atomic<std::size_t> faulty{n};  // the first
    Control control(execution.poll);
    const auto make_worker = [&]() -> Worker {
        const auto factorisation = std::make_shared<Factorisation>(k, precision, control);
        return [&, factorisation](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end && i < faulty; ++i) {
                const double* covariance = covariances + i * entries;
                if (factorise(*factorisation, covariance, k, factors.data() + i * entries) ==
                    nullptr) {
                    continue;
                }
                std::size_t first = faulty;
                while (i < first && !faulty.compare_exchange_weak(first, i)) {
                }
            }
        };
    };
    parallel_for(n, std::min(execution.n_threads, useful_threads(n, k * entries, kDrawsPerThread)),
                 control, make_worker);
    if (faulty < n) {
        Factorisation again(k, precision, control);
        const std::size_t i = faulty;
        refuse("covariance " + std::to_string(i),
               factorise(again, covariances + i * entries, k, factors.data()));
    }
    return factors;
}

}  // namespace headrace
