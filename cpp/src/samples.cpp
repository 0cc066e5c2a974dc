#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.hpp"
#include "reveal_draws.hpp"

namespace headrace {

namespace {

// Mean squares between these were not touched by overflow, nor by underflow that matters.
constexpr double kLeastSquare = 1e-280;
constexpr double kMostSquare = 1e280;

// The deviation is rounded up by more than the sums may be off, and is the largest magnitude, which
// is no less, where squares are out of range.
kernels::Moments moments_of(const kernels::Summary& found, std::size_t count) {
    const auto n = static_cast<double>(count);
    const double mean = found.sum / n;
    const double square = found.squares / n;
    if (!(square >= kLeastSquare && square <= kMostSquare)) return {mean, found.largest};
    const double rounding = std::numeric_limits<double>::epsilon() * (n + 16.0) * square;
    return {mean, std::sqrt(std::max(square - mean * mean, 0.0) + 2.0 * rounding)};
}

}  // namespace

kernels::Moments moments_of(const double* values, std::size_t count) {
    return moments_of(kernels::summarise(values, count), count);
}

void RowFacts::make(const double* rows, std::size_t stride, std::size_t n_rows,
                    std::size_t n_samples) {
    means_.clear();
    deviations_.clear();
    largest_ = 0.0;
    for (std::size_t i = 0; i < n_rows; ++i) {
        const kernels::Summary found = kernels::summarise(rows + i * stride, n_samples);
        const kernels::Moments moments = moments_of(found, n_samples);
        means_.push_back(moments.mean);
        deviations_.push_back(moments.deviation);
        largest_ = std::max(largest_, found.largest);
    }
}

SampleRows certain_rows() {
    static constexpr double kNoDraw = 0.0;
    static const RowFacts facts = [] {
        RowFacts made;
        made.make(&kNoDraw, 0, kMaxModels, 1);
        return made;
    }();
    return {&kNoDraw, 0, &facts};
}

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
        rows_ = certain_rows();
    } else if (problem_.reveals) {
        falling_ = falling_order(problem_.samples, problem_.n_models, n_samples);
        rows_ = {};  // each query has its own
    } else if (!problem_.factor && problem_.sample_matrix != nullptr) {
        rows_ = {problem_.samples, n_samples, &problem_.sample_matrix->facts()};
    } else if (!problem_.factor) {
        shared_.facts.make(problem_.samples, n_samples, problem_.n_models, n_samples);
        rows_ = {problem_.samples, n_samples, &shared_.facts};
    } else if (problem_.factor.stride == 0 || problem_.n_queries == 1) {
        rows_ = correlated(problem_.factor[0], shared_, control);
    } else {
        rows_ = {};  // each query has its own
    }
}

SampleRows Samples::rows(std::size_t row, OwnRows& own, Control& control) const {
    if (rows_.data != nullptr) return rows_;
    if (!problem_.reveals) return correlated(problem_.factor[row], own, control);
    own.data.resize(problem_.n_models * problem_.n_samples);
    draw_changes(problem_, row, falling_.data(), own.data.data());
    own.learn(problem_.n_samples);
    return own.view(problem_.n_samples);
}

SampleRows Samples::correlated(const double* factor, OwnRows& own, Control& control) const {
    const std::size_t k = problem_.n_models;
    const std::size_t n_samples = problem_.n_samples;
    own.data.resize(k * n_samples);
    correlate(factor, problem_.samples, k, n_samples, own.data.data(), control);
    own.learn(n_samples);
    return own.view(n_samples);
}

}  // namespace headrace
