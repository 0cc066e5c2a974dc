// Loops over the models of a row.
#pragma once

#include "inverse_excess.hpp"
#include "kernels.hpp"
#include "wide.hpp"

namespace headrace::kernels::HEADRACE_ISA {

namespace {

constexpr std::size_t kUnrolled = 2;  // chains of a running maximum, or its latency would count

bool within(const double* values, std::size_t count, double low, double high) noexcept {
    const Wide lowest = every(low);
    const Wide highest = every(high);
    Mask outside = Wide{} < Wide{};
    std::size_t i = 0;
    for (; i + kWidth <= count; i += kWidth) {
        const Wide x = load(values + i);
        outside |= ~((x >= lowest) & (x <= highest));  // so is what is not a number
    }
    bool good = !any(outside);
    for (; i < count; ++i) good &= values[i] >= low && values[i] <= high;
    return good;
}

RoutedRow route(const double* __restrict quality, const double* __restrict cost, double lambda,
                std::size_t count, double* __restrict value) noexcept {
    constexpr double kInfinity = __builtin_inf();
    Wide best[kUnrolled], size[kUnrolled], low[kUnrolled], high[kUnrolled], poison[kUnrolled];
    for (std::size_t u = 0; u < kUnrolled; ++u) {
        best[u] = every(-kInfinity);
        size[u] = high[u] = poison[u] = Wide{};
        low[u] = every(kInfinity);
    }
    std::size_t i = 0;
    for (; i + kUnrolled * kWidth <= count; i += kUnrolled * kWidth) {
        for (std::size_t u = 0; u < kUnrolled; ++u) {
            const Wide q = load(quality + i + u * kWidth);
            const Wide c = load(cost + i + u * kWidth);
            const Wide v = q - lambda * c;
            store(value + i + u * kWidth, v);
            best[u] = larger(best[u], v);
            size[u] = larger(size[u], magnitude(q));
            low[u] = smaller(c, low[u]);
            high[u] = larger(high[u], c);
            poison[u] += v;
        }
    }
    RoutedRow row = {-kInfinity, 0.0, kInfinity, 0.0, 0.0};
    for (; i < count; ++i) {
        const double q = quality[i];
        const double c = cost[i];
        const double v = q - lambda * c;
        const double magnitude = q < 0.0 ? -q : q;
        value[i] = v;
        row.best = row.best < v ? v : row.best;
        row.largest_quality = row.largest_quality < magnitude ? magnitude : row.largest_quality;
        row.lowest_cost = c < row.lowest_cost ? c : row.lowest_cost;
        row.highest_cost = row.highest_cost < c ? c : row.highest_cost;
        row.poison += v;
    }
    for (; i % kModelBlock != 0; ++i) value[i] = -kInfinity;
    for (std::size_t u = 1; u < kUnrolled; ++u) {
        best[0] = larger(best[0], best[u]);
        size[0] = larger(size[0], size[u]);
        low[0] = smaller(low[u], low[0]);
        high[0] = larger(high[0], high[u]);
        poison[0] += poison[u];
    }
    for (std::size_t l = 0; l < kWidth; ++l) {
        row.best = row.best < lane(best[0], l) ? lane(best[0], l) : row.best;
        row.largest_quality =
            row.largest_quality < lane(size[0], l) ? lane(size[0], l) : row.largest_quality;
        row.lowest_cost = lane(low[0], l) < row.lowest_cost ? lane(low[0], l) : row.lowest_cost;
        row.highest_cost =
            row.highest_cost < lane(high[0], l) ? lane(high[0], l) : row.highest_cost;
        row.poison += lane(poison[0], l);
    }
    return row;
}

// Between what bounds reservation values are: q - p + sigma r, with r as in inverse_excess.hpp at
// u = p / sigma, give or take a margin. No branches: without uncertainty sigma is a factor of both.
struct Screened {
    Wide lowest, highest;
};

inline Screened screen_models(Wide q, Wide c, Wide sigma, double lambda) {
    constexpr std::uint64_t kMantissa = (std::uint64_t{1} << 52) - 1;
    constexpr std::uint64_t kOne = std::uint64_t{1023} << 52;
    constexpr double kTwo52 = 4503599627370496.0;  // the bits of 2^52 + n end in those of n
    constexpr std::uint64_t kTwo52Bits = std::uint64_t{1023 + 52} << 52;
    constexpr double kTwiceLog2 = 1.3862943611198906;
    constexpr double kRounding = 1e-15;
    const double* a = kStartAbove;
    const double* b = kStartBelow;
    const double* l = kStartLog;

    const Wide p = lambda * c;
    // 1 / u; neither infinite nor, where both are zero, not a number.
    const Wide ratio =
        larger(smaller(sigma / p, every(1.0 / kSmallestRatio)), every(1.0 / kStartLargest));
    const WideBits bits = bits_of(ratio);
    const Wide exponent = from_bits((bits >> 52) | kTwo52Bits) - (kTwo52 + 1023.0);
    const Wide y = from_bits((bits & kMantissa) | kOne) - 1.0;
    const Wide log = y * (l[0] + y * (l[1] + y * (l[2] + y * l[3])));
    const Wide w = square_root(kTwiceLog2 * exponent + (2.0 * kStartShift + 2.0 * log));
    const Wide above = a[0] + w * (a[1] + w * (a[2] + w * (a[3] + w * (a[4] + w * a[5]))));
    const Wide below = b[0] + w * (b[1] + w * (b[2] + w * (b[3] + w * b[4])));

    const Mask is_free = (p == 0.0) & (sigma > 0.0) & (q > kClosed);
    const Wide free = is_free ? every(__builtin_inf()) : Wide{};
    const Wide value = ((q - p) + sigma * (above / below)) + free;
    const Wide margin = kStartMargin * (sigma + smaller(p, kStartLargest * sigma)) +
                        kRounding * (magnitude(q) + p + 40.0 * sigma);
    return {value - margin, value + margin};
}

double screen(const double* __restrict quality, const double* __restrict cost,
              const double* __restrict sigma, double lambda, std::size_t count,
              double* __restrict highest) noexcept {
    Wide reached = every(kClosed);
    std::size_t i = 0;
    for (; i + kWidth <= count; i += kWidth) {
        const Screened found =
            screen_models(load(quality + i), load(cost + i), load(sigma + i), lambda);
        reached = larger(reached, found.lowest);
        store(highest + i, found.highest);
    }
    if (i < count) {
        double q[kWidth], c[kWidth], s[kWidth];
        for (std::size_t l = 0; l < kWidth; ++l) {
            const bool inside = i + l < count;
            q[l] = inside ? quality[i + l] : kClosed;
            c[l] = inside ? cost[i + l] : 0.0;
            s[l] = inside ? sigma[i + l] : 0.0;
        }
        const Screened found = screen_models(load(q), load(c), load(s), lambda);
        reached = larger(reached, found.lowest);
        for (std::size_t l = 0; i + l < count; ++l) highest[i + l] = lane(found.highest, l);
        i = count;
    }
    for (; i % kModelBlock != 0; ++i) highest[i] = -__builtin_inf();
    double most = kClosed;
    for (std::size_t l = 0; l < kWidth; ++l) {
        most = most < lane(reached, l) ? lane(reached, l) : most;
    }
    return most;
}

std::size_t first_at_least(const double* values, std::size_t begin, std::size_t count,
                           double level) noexcept {
    std::size_t i = begin;
    for (; i % kModelBlock != 0 && i < count; ++i) {
        if (values[i] >= level) return i;
    }
    for (; i < count; i += kModelBlock) {
        Mask found = Wide{} < Wide{};
        for (std::size_t j = 0; j < kModelBlock; j += kWidth) {
            found |= load(values + i + j) >= every(level);
        }
        if (!any(found)) continue;
        for (std::size_t j = i; j < i + kModelBlock; ++j) {
            if (values[j] >= level) return j;
        }
    }
    return count;
}

}  // namespace

}  // namespace headrace::kernels::HEADRACE_ISA
