// The standardised draws of a batch. Model i's quality in sample s is quality_i + sigma_i z_is;
// with a covariance, quality_i + w_is with w = L z, which is the same with w for z and one for
// sigma; with reveals, w_is is a change that they may bring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control.hpp"
#include "headrace/problem.hpp"
#include "kernels.hpp"

namespace headrace {

// The standard deviation may be too large, but not too small.
kernels::Moments moments_of(const double* values, std::size_t count);

// What is known of rows of draws.
class RowFacts {
public:
    // A stride of zero: one row for all.
    void make(const double* rows, std::size_t stride, std::size_t n_rows, std::size_t n_samples);

    const double* means() const { return means_.data(); }
    const double* deviations() const { return deviations_.data(); }  // none is too small
    double largest() const { return largest_; }                      // magnitude of a draw
    std::size_t n_bytes() const { return 2 * means_.size() * sizeof(double); }

private:
    std::vector<double> means_, deviations_;
    double largest_ = 0.0;
};

// Draws of all models, one row of n_samples each; a stride of zero is one row for all. There are
// facts of each model.
struct SampleRows {
    const double* data = nullptr;
    std::size_t stride = 0;
    const RowFacts* facts = nullptr;

    const double* operator[](std::size_t model) const { return data + model * stride; }
};

// Rows of models of which nothing is uncertain: as many facts as there may be models.
SampleRows certain_rows();

// Rows and what is known of them.
struct OwnRows {
    std::vector<double> data;
    RowFacts facts;

    // To be called once the rows are written.
    void learn(std::size_t n_samples) {
        facts.make(data.data(), n_samples, data.size() / n_samples, n_samples);
    }
    SampleRows view(std::size_t n_samples) const { return {data.data(), n_samples, &facts}; }
};

// Writes the correlated draws w = L z of k models, with a lower factor L and draws z of shape
// (k, n_samples).
void correlate(const double* factor, const double* samples, std::size_t k, std::size_t n_samples,
               double* draws, Control& control);

class Samples {
public:
    explicit Samples(const Problem& problem) : problem_(problem) {}
    Samples(const Problem& problem, Control& control) : Samples(problem) { make(control); }

    // Makes the rows that serve all queries: with a covariance that does so, it is folded in.
    void make(Control& control);

    // Lays rows here that were made before, for all queries.
    void lay(const SampleRows& rows) { rows_ = rows; }

    // The rows for a query; those of a covariance of its own, or of reveals, are made in `own`.
    SampleRows rows(std::size_t row, OwnRows& own, Control& control) const;

private:
    SampleRows correlated(const double* factor, OwnRows& own, Control& control) const;

    const Problem& problem_;
    OwnRows shared_;
    std::vector<std::uint32_t> falling_;  // the order of the draws, for reveals
    SampleRows rows_;
};

}  // namespace headrace
