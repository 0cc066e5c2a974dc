#include "headrace/sample_matrix.hpp"

#include <utility>

#include "require.hpp"
#include "samples.hpp"
#include "values.hpp"

namespace headrace {

struct SampleMatrix::Content {
    std::size_t n_models = 0;
    std::size_t n_samples = 0;
    OwnRows rows;
};

SampleMatrix::SampleMatrix(const double* samples, std::size_t n_models, std::size_t n_samples) {
    require(samples != nullptr, "samples are required");
    check_sizes(n_models, n_samples);
    check_samples(samples, n_models, n_samples);
    auto content = std::make_unique<Content>();
    content->n_models = n_models;
    content->n_samples = n_samples;
    content->rows.data.assign(samples, samples + n_models * n_samples);
    content->rows.learn(n_samples);
    content_ = std::move(content);
}

SampleMatrix::~SampleMatrix() = default;

std::size_t SampleMatrix::n_models() const {
    return content_->n_models;
}

std::size_t SampleMatrix::n_samples() const {
    return content_->n_samples;
}

const double* SampleMatrix::data() const {
    return content_->rows.data.data();
}

const RowFacts& SampleMatrix::facts() const {
    return content_->rows.facts;
}

}  // namespace headrace
