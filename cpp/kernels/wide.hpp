// As many doubles as a register of the instruction set holds, for loops that the compiler does not
// vectorise by itself: several results at once, a largest number, or the bits of one. A single
// double where the compiler has no such types. Lane by lane the operations are those of doubles, so
// the width changes no result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifndef __GNUC__
#include <math.h>
#endif

namespace headrace::kernels::HEADRACE_ISA {

namespace {

#ifdef __GNUC__

#if defined(__AVX512F__)
#define HEADRACE_WIDE 64
#elif defined(__AVX__)
#define HEADRACE_WIDE 32
#else
#define HEADRACE_WIDE 16
#endif

typedef double Wide __attribute__((vector_size(HEADRACE_WIDE)));
typedef std::uint64_t WideBits __attribute__((vector_size(HEADRACE_WIDE)));
typedef decltype(Wide{} < Wide{}) Mask;
typedef float Floats __attribute__((vector_size(HEADRACE_WIDE)));
typedef float HalfFloats __attribute__((vector_size(HEADRACE_WIDE / 2)));
typedef std::int32_t FloatBits __attribute__((vector_size(HEADRACE_WIDE)));

inline WideBits bits_of(Wide x) {
    return reinterpret_cast<WideBits>(x);
}

inline Wide from_bits(WideBits bits) {
    return reinterpret_cast<Wide>(bits);
}

inline FloatBits bits_of(Floats x) {
    return reinterpret_cast<FloatBits>(x);
}

inline Floats from_bits(FloatBits bits) {
    return reinterpret_cast<Floats>(bits);
}

inline Floats to_floats(FloatBits x) {
    return __builtin_convertvector(x, Floats);
}

inline HalfFloats narrow(Wide x) {
    return __builtin_convertvector(x, HalfFloats);
}

inline Wide widen(HalfFloats x) {
    return __builtin_convertvector(x, Wide);
}

inline Floats square_root(Floats x) {
    for (std::size_t l = 0; l < sizeof x / sizeof(float); ++l) x[l] = __builtin_sqrtf(x[l]);
    return x;
}

inline double lane(Wide x, std::size_t l) {
    return x[l];
}

inline bool any(Mask mask) {
    bool found = false;
    for (std::size_t l = 0; l < sizeof(Wide) / sizeof(double); ++l) found |= mask[l] != 0;
    return found;
}

#else

using Wide = double;
using WideBits = std::uint64_t;
using Mask = bool;
using Floats = float;
using HalfFloats = float;
using FloatBits = std::int32_t;

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

inline FloatBits bits_of(Floats x) {
    FloatBits bits;
    std::memcpy(&bits, &x, sizeof x);
    return bits;
}

inline Floats from_bits(FloatBits bits) {
    Floats x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

inline Floats to_floats(FloatBits x) {
    return static_cast<float>(x);
}

inline HalfFloats narrow(Wide x) {
    return static_cast<float>(x);
}

inline Wide widen(HalfFloats x) {
    return x;
}

inline Floats square_root(Floats x) {
    return sqrtf(x);
}

inline double lane(Wide x, std::size_t) {
    return x;
}

inline bool any(Mask mask) {
    return mask;
}

#endif

constexpr std::size_t kWidth = sizeof(Wide) / sizeof(double);

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
