// Sets of models as bits, 64 to a word.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace headrace::bits {

inline std::size_t words(std::size_t n_models) {
    return (n_models + 63) / 64;
}

inline bool holds(const std::uint64_t* set, std::size_t model) {
    return (set[model / 64] >> model % 64 & 1U) != 0;
}

inline void add(std::uint64_t* set, std::size_t model) {
    set[model / 64] |= std::uint64_t{1} << model % 64;
}

// Visits the models of a set, ascending.
template <class Visit>
void for_each(const std::uint64_t* set, std::size_t n_models, const Visit& visit) {
    for (std::size_t word = 0; word < words(n_models); ++word) {
        for (std::uint64_t left = set[word]; left != 0; left &= left - 1) {
            visit(64 * word + static_cast<std::size_t>(std::countr_zero(left)));
        }
    }
}

}  // namespace headrace::bits
