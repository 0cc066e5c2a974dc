#include "samples.hpp"

#include <algorithm>

#include "kernels.hpp"

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

Samples::Samples(const Problem& problem, Control& control) : problem_(problem) {
    const std::size_t k = problem.n_models;
    const std::size_t n_samples = problem.n_samples;
    if (problem.samples == nullptr) {  // nothing is uncertain
        shared_.assign(1, 0.0);
        rows_ = {shared_.data(), 0, 0.0};
    } else if (problem.factor && (problem.factor.stride == 0 || problem.n_queries == 1)) {
        rows_ = correlated(problem.factor[0], shared_, control);
    } else if (!problem.factor) {
        rows_ = {problem.samples, n_samples, kernels::largest(problem.samples, k * n_samples)};
    }
}

SampleRows Samples::rows(std::size_t row, std::vector<double>& own, Control& control) const {
    if (rows_.data != nullptr) return rows_;
    return correlated(problem_.factor[row], own, control);
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
