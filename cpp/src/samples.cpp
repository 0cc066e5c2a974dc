#include "samples.hpp"

#include <algorithm>

#include "kernels.hpp"
#include "reveal_draws.hpp"

namespace headrace {

void correlate(const double* factor, const double* samples, std::size_t k, std::size_t n_samples,
               double* draws, Control& control) {
    std::fill_n(draws, k * n_samples, 0.0);
    for (std::size_t i = 0; i < k; ++i) {
        kernels::add_rows(draws + i * n_samples, factor + i * k, samples, i + 1, n_samples,
                          n_samples);
        control.check();
    }
}

void Samples::make(Control& control) {
    const std::size_t n_samples = problem_.n_samples;
    if (problem_.samples == nullptr) {  // nothing is uncertain
        shared_.assign(1, 0.0);
        rows_ = {shared_.data(), 0, 0.0};
    } else if (problem_.reveals) {
        falling_ = falling_order(problem_.samples, problem_.n_models, n_samples);
        rows_ = {};  // each query has its own
    } else if (!problem_.factor) {
        const std::size_t size = problem_.n_models * n_samples;
        rows_ = {problem_.samples, n_samples, kernels::largest(problem_.samples, size)};
    } else if (problem_.factor.stride == 0 || problem_.n_queries == 1) {
        rows_ = correlated(problem_.factor[0], shared_, control);
    } else {
        rows_ = {};  // each query has its own
    }
}

SampleRows Samples::rows(std::size_t row, std::vector<double>& own, Control& control) const {
    if (rows_.data != nullptr) return rows_;
    if (!problem_.reveals) return correlated(problem_.factor[row], own, control);
    const std::size_t size = problem_.n_models * problem_.n_samples;
    own.resize(size);
    draw_changes(problem_, row, falling_.data(), own.data());
    return {own.data(), problem_.n_samples, kernels::largest(own.data(), size)};
}

SampleRows Samples::correlated(const double* factor, std::vector<double>& rows,
                               Control& control) const {
    const std::size_t k = problem_.n_models;
    const std::size_t n_samples = problem_.n_samples;
    rows.resize(k * n_samples);
    correlate(factor, problem_.samples, k, n_samples, rows.data(), control);
    return {rows.data(), n_samples, kernels::largest(rows.data(), k * n_samples)};
}

}  // namespace headrace
