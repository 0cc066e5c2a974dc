// As many doubles as a register of the instruction set holds, for loops that the compiler does not
// vectorise by itself: a largest number, or the bits of one. A single double where the compiler has
// no such types. Lane by lane the operations are those of doubles, so the width changes no result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace headrace::kernels::HEADRACE_ISA {

namespace {

#ifdef __GNUC__

#if defined(__AVX512F__)
#define HEADRACE_WIDE __attribute__((vector_size(64)))
#elif defined(__AVX__)
#define HEADRACE_WIDE __attribute__((vector_size(32)))
#else
#define HEADRACE_WIDE __attribute__((vector_size(16)))
#endif

typedef double Wide HEADRACE_WIDE;
typedef std::uint64_t WideBits HEADRACE_WIDE;
typedef decltype(Wide{} < Wide{}) Mask;
constexpr std::size_t kWidth = sizeof(Wide) / sizeof(double);

inline WideBits bits_of(Wide x) {
    return reinterpret_cast<WideBits>(x);
}

inline Wide from_bits(WideBits x) {
    return reinterpret_cast<Wide>(x);
}

inline double lane(Wide x, std::size_t l) {
    return x[l];
}

inline bool any(Mask mask) {
    bool found = false;
    for (std::size_t l = 0; l < kWidth; ++l) found |= mask[l] != 0;
    return found;
}

inline Wide square_root(Wide x) {
    for (std::size_t l = 0; l < kWidth; ++l) x[l] = __builtin_sqrt(x[l]);
    return x;
}

#else

using Wide = double;
using WideBits = std::uint64_t;
using Mask = bool;
constexpr std::size_t kWidth = 1;

inline WideBits bits_of(Wide x) {
    WideBits bits;
    std::memcpy(&bits, &x, sizeof x);
    return bits;
}

inline Wide from_bits(WideBits bits) {
    Wide x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

inline double lane(Wide x, std::size_t) {
    return x;
}

inline bool any(Mask mask) {
    return mask;
}

inline Wide square_root(Wide x) {
    return std::sqrt(x);
}

#endif

inline Wide every(double x) {
    return Wide{} + x;
}

inline Wide load(const double* from) {
    Wide x;
    std::memcpy(&x, from, sizeof x);
    return x;
}

inline void store(double* to, Wide x) {
    std::memcpy(to, &x, sizeof x);
}

inline Wide smaller(Wide a, Wide b) {
    return a < b ? a : b;
}

inline Wide larger(Wide a, Wide b) {
    return a < b ? b : a;
}

inline Wide magnitude(Wide x) {
    return from_bits(bits_of(x) & ~(WideBits{} + (std::uint64_t{1} << 63)));
}

}  // namespace

}  // namespace headrace::kernels::HEADRACE_ISA
