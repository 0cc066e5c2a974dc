// Estimates that the user brought along, a row for each row of a log.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "estimator.hpp"
#include "headrace/problem.hpp"

namespace headrace {

namespace {

enum class Sign : bool { kAny, kNotNegative };

// What the user gave as numbers, in rows; none where it was not given.
std::optional<Matrix> take_numbers(SavedState& saved, const std::string& name) {
    std::optional<Tensor> given = saved.parameter_array(name);
    if (!given) return std::nullopt;
    const std::size_t n_dimensions = given->shape.size();
    if (n_dimensions != 1 && n_dimensions != 2) {
        throw StateError("array '" + name + "' must have 1 or 2 dimensions");
    }
    const std::size_t n_rows = n_dimensions == 2 ? given->shape[0] : 1;
    const std::size_t n_columns = given->shape[n_dimensions - 1];
    if (auto* reals = std::get_if<Tensor::Doubles>(&given->values)) {
        return Matrix(n_rows, n_columns, std::move(*reals));
    }
    const auto* integers = std::get_if<Tensor::Integers>(&given->values);
    if (integers == nullptr) throw StateError("array '" + name + "' must hold numbers");
    return Matrix(n_rows, n_columns, std::vector<double>(integers->begin(), integers->end()));
}

void check(const Matrix& matrix, const std::string& name, Sign sign, bool may_lack = false) {
    for (const double value : matrix.values) {
        const bool absent = may_lack && std::isnan(value);
        const bool good =
            std::abs(value) <= kLargestMagnitude && (sign == Sign::kAny || value >= 0.0);
        if (!absent && !good) {
            throw StateError("array '" + name + "' must hold finite numbers" +
                             (sign == Sign::kAny ? "" : ", not negative"));
        }
    }
}

class Precomputed final : public Estimator {
public:
    explicit Precomputed(SavedState& saved, const std::string& name) {
        std::optional<Matrix> qualities = take_numbers(saved, name + ".qualities");
        std::optional<Matrix> costs = take_numbers(saved, name + ".costs");
        if (!qualities || !costs) throw StateError("qualities and costs are required");
        qualities_ = std::move(*qualities);
        costs_ = std::move(*costs);
        sigmas_ = take_numbers(saved, name + ".sigmas");
        covariance_ = take_numbers(saved, name + ".covariance");
        post_ = take_numbers(saved, name + ".post");
        const std::size_t n = qualities_.n_rows;
        const std::size_t k = qualities_.n_columns;
        if (n < 1 || k < 1 || k > kMaxModels) throw StateError("there must be 1 to 4096 models");
        check(qualities_, name + ".qualities", Sign::kAny);
        check(costs_, name + ".costs", Sign::kNotNegative);
        if (sigmas_) check(*sigmas_, name + ".sigmas", Sign::kNotNegative);
        if (covariance_) check(*covariance_, name + ".covariance", Sign::kAny);
        if (post_) check(*post_, name + ".post", Sign::kAny, true);
        const auto shaped = [k](const Matrix& matrix, std::size_t n_rows) {
            return matrix.n_columns == k && matrix.n_rows == n_rows;
        };
        const bool fits = (shaped(costs_, n) || shaped(costs_, 1)) &&
                          (!sigmas_ || shaped(*sigmas_, n) || shaped(*sigmas_, 1)) &&
                          (!covariance_ || shaped(*covariance_, k)) &&
                          (!post_ || shaped(*post_, n));
        if (!fits)
            throw StateError(
                "estimates must have a row for each query and a column for each model");
        if (sigmas_ && covariance_) throw StateError("sigmas and covariance exclude each other");
    }

    std::size_t n_models() const override { return qualities_.n_columns; }
    std::optional<Inputs> inputs() const override { return std::nullopt; }
    std::size_t n_rows() const override { return qualities_.n_rows; }
    std::size_t n_kept() const override { return 0; }
    void start(std::span<const double>, const Known&) const override {}
    void observe(const Known&, std::size_t, std::span<const double>) const override {}

    Uncertainty uncertainty() const override {
        if (covariance_) return Uncertainty::kCovariance;
        return sigmas_ ? Uncertainty::kDeviations : Uncertainty::kNone;
    }

    Conditioned condition(const Models& ran) const override {
        Conditioned found;
        found.covariance = *covariance_;
        const std::size_t k = n_models();
        for (const std::size_t i : ran) {
            for (std::size_t j = 0; j < k; ++j) {
                found.covariance[i][j] = found.covariance[j][i] = 0.0;
            }
        }
        for (std::size_t i = 0; i < k; ++i) {
            found.deviations.push_back(std::sqrt(found.covariance[i][i]));
        }
        return found;
    }

    void estimate(const Known& known, const Models& ran, const Conditioned* conditioned,
                  double* qualities, double* costs, double* deviations) const override {
        const std::size_t k = n_models();
        const auto row = static_cast<std::size_t>(known.row);
        const auto row_of = [row](const Matrix& matrix) {
            return matrix[matrix.n_rows == 1 ? 0 : row];
        };
        std::copy_n(qualities_[row], k, qualities);
        std::copy_n(row_of(costs_), k, costs);
        std::fill_n(deviations, k, 0.0);
        if (sigmas_) std::copy_n(row_of(*sigmas_), k, deviations);
        if (conditioned != nullptr) std::copy_n(conditioned->deviations.data(), k, deviations);
        for (const std::size_t i : ran) {
            deviations[i] = 0.0;
            if (!post_) continue;
            qualities[i] = (*post_)[row][i];
            if (std::isnan(qualities[i])) {
                throw std::invalid_argument("post is NaN at index (" + std::to_string(row) + ", " +
                                            std::to_string(i) + "), where it is needed");
            }
        }
    }

private:
    Matrix qualities_;                         // (n, k)
    Matrix costs_;                             // (n, k) or (1, k)
    std::optional<Matrix> sigmas_;             // (n, k) or (1, k)
    std::optional<Matrix> covariance_, post_;  // (k, k), (n, k)
};

}  // namespace

std::unique_ptr<const Estimator> take_precomputed_estimator(SavedState& saved) {
    return std::make_unique<Precomputed>(saved, "estimator");
}

}  // namespace headrace
