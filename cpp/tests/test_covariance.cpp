// Factors of covariances: what they multiply to, whatever the threads; and every refusal.
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "headrace/covariance.hpp"

namespace {

// Covariances of so many loadings each: singular where these are fewer than the models.
std::vector<double> random_covariances(std::uint64_t seed, std::size_t n, std::size_t k,
                                       std::size_t n_loadings) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> found(n * k * k);
    for (std::size_t m = 0; m < n; ++m) {
        std::vector<double> loadings(k * n_loadings);
        for (double& loading : loadings) loading = normal(random);
        for (std::size_t i = 0; i < k; ++i) {
            for (std::size_t j = 0; j < k; ++j) {
                for (std::size_t l = 0; l < n_loadings; ++l) {
                    found[(m * k + i) * k + j] +=
                        loadings[i * n_loadings + l] * loadings[j * n_loadings + l];
                }
            }
        }
    }
    return found;
}

void check_multiplies(std::size_t n, std::size_t k, std::size_t n_loadings) {
    const std::vector<double> covariances = random_covariances(k, n, k, n_loadings);
    const std::vector<double> factors = headrace::lower_cholesky(covariances.data(), n, k);
    CHECK_EQUAL(factors.size(), covariances.size());
    double worst = 0.0;
    for (std::size_t m = 0; m < n; ++m) {
        const double* c = covariances.data() + m * k * k;
        const double* factor = factors.data() + m * k * k;
        for (std::size_t i = 0; i < k; ++i) {
            for (std::size_t j = 0; j < k; ++j) {
                if (j > i) CHECK_EQUAL(factor[i * k + j], 0.0);
                double product = 0.0;
                for (std::size_t l = 0; l < k; ++l)
                    product += factor[i * k + l] * factor[j * k + l];
                const double scale = std::sqrt(c[i * k + i] * c[j * k + j]);
                worst = std::max(worst, std::abs(c[i * k + j] - product) / scale);
            }
        }
    }
    CHECK(worst <= 1e-8);
}

}  // namespace

int main() {
    for (const std::size_t k : {1U, 2U, 5U, 8U, 9U, 33U}) {
        check_multiplies(3, k, 2 * k);
        check_multiplies(3, k, (k + 1) / 2);
    }

    const std::size_t n = 200;
    const std::size_t k = 12;
    std::vector<double> many = random_covariances(1, n, k, 7);
    const std::vector<double> alone = headrace::lower_cholesky(many.data(), n, k);
    CHECK(headrace::lower_cholesky(many.data(), n, k, {4, {}}) == alone);
    std::size_t n_polls = 0;
    const auto look = [&n_polls] { return ++n_polls > 1'000'000; };
    CHECK(headrace::lower_cholesky(many.data(), n, k, {2, look}) == alone);

    // The first fault, whichever thread comes upon one first.
    many[150 * k * k] = -1.0;
    many[160 * k * k + 1] += 1.0;
    many[170 * k * k] = std::numeric_limits<double>::quiet_NaN();
    for (const std::size_t n_threads : {1U, 4U}) {
        const headrace::Execution execution = {n_threads, {}};
        CHECK_THROWS(headrace::lower_cholesky(many.data(), n, k, execution), std::invalid_argument,
                     "covariance 150 must be positive semi-definite");
        CHECK_THROWS(headrace::lower_cholesky(many.data() + 151 * k * k, n - 151, k, execution),
                     std::invalid_argument, "covariance 9 must be symmetric");
        CHECK_THROWS(headrace::lower_cholesky(many.data() + 161 * k * k, n - 161, k, execution),
                     std::invalid_argument, "covariance 9 must be finite");
    }

    // Entries that were computed with less precision.
    const std::vector<double> rough = {1.0, 1.0 + 1e-7, 1.0 + 1e-7, 1.0};
    CHECK_THROWS(headrace::lower_cholesky(rough.data(), 1, 2), std::invalid_argument,
                 "semi-definite");
    CHECK_EQUAL(headrace::lower_cholesky(rough.data(), 1, 2, {}, 1.2e-7).size(), 4U);

    CHECK(headrace::lower_cholesky(nullptr, 0, 3).empty());
    const double one = 1.0;
    CHECK_THROWS(headrace::lower_cholesky(nullptr, 1, 3), std::invalid_argument, "required");
    CHECK_THROWS(headrace::lower_cholesky(&one, 1, 0), std::invalid_argument, "1 to 4096");
    CHECK_THROWS(headrace::lower_cholesky(&one, 1, 4097), std::invalid_argument, "1 to 4096");
    const std::size_t beyond = std::numeric_limits<std::size_t>::max() / 8;
    CHECK_THROWS(headrace::lower_cholesky(&one, beyond, 4), std::invalid_argument, "overflows");
    for (const double precision : {0.0, -1.0, 1.5, std::nan("")}) {
        CHECK_THROWS(headrace::lower_cholesky(&one, 1, 1, {}, precision), std::invalid_argument,
                     "precision");
    }

    // It can be stopped within a matrix.
    const std::size_t large = 1500;
    std::vector<double> diagonal(large * large);
    for (std::size_t i = 0; i < large; ++i) diagonal[i * large + i] = 1.0;
    const headrace::Execution stopped = {1, [] { return true; }};
    CHECK_THROWS(headrace::lower_cholesky(diagonal.data(), 1, large, stopped),
                 headrace::Interrupted, "interrupted");
    return check::report();
}
