// The standardised draws of a problem: standard normal, from a scrambled Sobol sequence.
#pragma once

#include <cstddef>
#include <cstdint>

#include "headrace/export.hpp"

namespace headrace {

inline constexpr std::size_t kMaxDrawnSamples = std::size_t{1} << 16;

// Writes samples of shape (n_models, n_samples). They depend on the arguments alone; more models
// append rows. Each row has one draw in each of n_samples intervals of equal probability, and rows
// are spread evenly together. n_models is 1 to kMaxModels, n_samples a power of two up to
// kMaxDrawnSamples. Throws std::invalid_argument for other sizes and null, and std::bad_alloc;
// nothing is written then.
HEADRACE_API void standard_normal_samples(std::uint64_t seed, std::size_t n_models,
                                          std::size_t n_samples, double* samples);

}  // namespace headrace
