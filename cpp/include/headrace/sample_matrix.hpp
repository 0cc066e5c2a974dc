// A sample matrix that many problems share: checked and summarised once, so that a service that
// decides query by query does not look at all of its draws for each.
#pragma once

#include <cstddef>
#include <memory>

#include "headrace/export.hpp"

namespace headrace {

class RowFacts;

class HEADRACE_API SampleMatrix {
public:
    // Copies standardised draws of shape (n_models, n_samples), one row per model. Throws
    // std::invalid_argument for sizes, null, and numbers that are not finite or larger than
    // kLargestMagnitude, with their place; and std::bad_alloc.
    SampleMatrix(const double* samples, std::size_t n_models, std::size_t n_samples);
    SampleMatrix(const SampleMatrix&) = delete;
    SampleMatrix& operator=(const SampleMatrix&) = delete;
    ~SampleMatrix();

    std::size_t n_models() const;
    std::size_t n_samples() const;
    const double* data() const;
    const RowFacts& facts() const;

private:
    struct Content;
    std::unique_ptr<const Content> content_;
};

}  // namespace headrace
