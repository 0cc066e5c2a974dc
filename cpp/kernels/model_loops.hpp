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
    Wide outside = Wide{};
    std::size_t i = 0;
    for (; i + kWidth <= count; i += kWidth) {
        const Wide x = load(values + i);
        outside = ((x >= lowest) & (x <= highest)) ? outside : every(1.0);  // so is a NaN
    }
    bool good = !any(outside > 0.0);
    for (; i < count; ++i) good &= values[i] >= low && values[i] <= high;
    return good;
}

Reach reach(const double* quality, const double* sigma, double magnitude,
            std::size_t count) noexcept {
    constexpr double kInfinity = __builtin_inf();
    Wide low = every(kInfinity);
    Wide high = every(-kInfinity);
    std::size_t i = 0;
    for (; i + kWidth <= count; i += kWidth) {
        const Wide q = load(quality + i);
        const Wide r = (sigma == nullptr ? every(1.0) : load(sigma + i)) * magnitude;
        low = smaller(q - r, low);
        high = larger(high, q + r);
    }
    Reach found = {kInfinity, -kInfinity};
    for (; i < count; ++i) {
        const double r = (sigma == nullptr ? 1.0 : sigma[i]) * magnitude;
        found.lowest = quality[i] - r < found.lowest ? quality[i] - r : found.lowest;
        found.highest = found.highest < quality[i] + r ? quality[i] + r : found.highest;
    }
    for (std::size_t l = 0; l < kWidth; ++l) {
        found.lowest = lane(low, l) < found.lowest ? lane(low, l) : found.lowest;
        found.highest = found.highest < lane(high, l) ? lane(high, l) : found.highest;
    }
    return found;
}

void bound_gains(const DrawnRow& row, const Moments& level, double lambda, double slack,
                 std::size_t count, double* __restrict bound) noexcept {
    constexpr double kUnderflow = 1e-150;  // no more is lost by squares that are too small
    const DrawnRow models = row;           // not to be read again after each write
    const double level_mean = level.mean;
    const double level_deviation = level.deviation;
    for (std::size_t i = 0; i < count; ++i) {
        const double sigma = models.sigma == nullptr ? 1.0 : models.sigma[i];
        const double mean = (models.quality[i] + sigma * models.mean[i]) - level_mean;
        const double deviation = sigma * models.deviation[i] + level_deviation;
        const double magnitude = __builtin_sqrt(mean * mean + deviation * deviation) + kUnderflow;
        bound[i] = (0.5 * (mean + magnitude) + slack) - lambda * models.cost[i];
    }
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

// Bounds on reservation values, q - p + sigma r with r as in inverse_excess.hpp at u = p / sigma,
// give or take a margin. In three passes over a block: in doubles what may be of any size, in
// floats 1 / u between its bounds. Nothing branches: without uncertainty r and the margin are
// multiplied by zero, and what is nearly free may be worth anything.
constexpr std::size_t kScreened = 128;
constexpr double kLargestInverse = 1e37;  // 1 / u beyond it counts as it

struct Block {
    double value[kScreened];
    float ratio[kScreened];  // 1 / u, then r
};

inline Floats start_of(Floats ratio) {
    constexpr std::int32_t kMantissa = (1 << 23) - 1;
    constexpr std::int32_t kOne = 127 << 23;
    constexpr float kTwiceLog2 = 1.3862944f;
    float a[6], b[5], l[4];
    for (std::size_t i = 0; i < 6; ++i) a[i] = static_cast<float>(kStartAbove[i]);
    for (std::size_t i = 0; i < 5; ++i) b[i] = static_cast<float>(kStartBelow[i]);
    for (std::size_t i = 0; i < 4; ++i) l[i] = static_cast<float>(2.0 * kStartLog[i]);
    constexpr float kShift = static_cast<float>(2.0 * kStartShift);

    const FloatBits bits = bits_of(ratio);
    const Floats exponent = to_floats((bits >> 23) - 127);
    const Floats y = from_bits((bits & kMantissa) | kOne) - 1.0f;
    const Floats square = y * y;
    const Floats log = y * ((l[0] + y * l[1]) + square * (l[2] + y * l[3]));
    const Floats w = square_root((kTwiceLog2 * exponent + kShift) + log);
    const Floats w2 = w * w;
    const Floats w4 = w2 * w2;
    const Floats above = ((a[0] + w * a[1]) + w2 * (a[2] + w * a[3])) + w4 * (a[4] + w * a[5]);
    const Floats below = ((b[0] + w * b[1]) + w2 * (b[2] + w * b[3])) + w4 * b[4];
    return above / below;
}

// A whole block. Returns the highest of the bounds from below.
inline Wide screen_block(const double* quality, const double* cost, const double* sigma,
                         double lambda, std::size_t count, double* highest, Wide reached) {
    Block block;
    for (std::size_t i = 0; i < count; i += kWidth) {
        const Wide p = lambda * load(cost + i);
        store(block.value + i, load(quality + i) - p);
        const Wide ratio = larger(smaller(load(sigma + i) / p, every(kLargestInverse)),
                                  every(1.0 / kStartLargest));
        const HalfFloats narrowed = narrow(ratio);
        std::memcpy(block.ratio + i, &narrowed, sizeof narrowed);
    }
    for (std::size_t i = 0; i < count; i += 2 * kWidth) {
        Floats ratio;
        std::memcpy(&ratio, block.ratio + i, sizeof ratio);
        ratio = start_of(ratio);
        std::memcpy(block.ratio + i, &ratio, sizeof ratio);
    }
    for (std::size_t i = 0; i < count; i += kWidth) {
        HalfFloats r;
        std::memcpy(&r, block.ratio + i, sizeof r);
        const Wide q = load(quality + i);
        const Wide p = lambda * load(cost + i);
        const Wide s = load(sigma + i);
        const Wide value = load(block.value + i) + s * widen(r);
        const Wide margin = kStartMargin * s + 1e-15 * (magnitude(q) + p);
        reached = larger(reached, value - margin);
        const Mask nearly_free = (p <= s * (1.0 / kLargestInverse)) & (s > 0.0) & (q > kClosed);
        store(highest + i, nearly_free ? every(__builtin_inf()) : value + margin);
    }
    return reached;
}

double screen(const double* __restrict quality, const double* __restrict cost,
              const double* __restrict sigma, double lambda, std::size_t count,
              double* __restrict highest) noexcept {
    Wide reached = every(kClosed);
    std::size_t i = 0;
    while (count - i >= 2 * kWidth) {
        std::size_t width = (count - i) / (2 * kWidth) * (2 * kWidth);
        if (width > kScreened) width = kScreened;
        reached =
            screen_block(quality + i, cost + i, sigma + i, lambda, width, highest + i, reached);
        i += width;
    }
    if (i < count) {
        double q[2 * kWidth], c[2 * kWidth], s[2 * kWidth], found[2 * kWidth];
        for (std::size_t l = 0; l < 2 * kWidth; ++l) {
            const bool inside = i + l < count;
            q[l] = inside ? quality[i + l] : kClosed;
            c[l] = inside ? cost[i + l] : 0.0;
            s[l] = inside ? sigma[i + l] : 0.0;
        }
        reached = screen_block(q, c, s, lambda, 2 * kWidth, found, reached);
        for (std::size_t l = 0; i < count; ++l) highest[i++] = found[l];
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
