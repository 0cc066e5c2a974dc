// Loops over samples.
//
// An array that is written overlaps no other, which lets the compiler vectorise without a test.
#pragma once

#include "kernels.hpp"
#include "wide.hpp"

namespace headrace::kernels::HEADRACE_ISA {

namespace {

double add_lanes(const double* lane) {
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

double add_registers(const Wide* sums) {
    double lane[kLanes];
    for (std::size_t r = 0; r < kLanes / kWidth; ++r) store(lane + r * kWidth, sums[r]);
    return add_lanes(lane);
}

double sum(const double* values, std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) lane[l] += values[s + l];
    }
    return add_lanes(lane);
}

// (x - level)+ is x - min(x, level), to the bit. The sums are of the negative, which spares an
// instruction and changes the sign alone. Several rows at a time share what is loaded of the level
// and do not wait for one another.
template <std::size_t kRows>
void excess_of(const double* const* x, const double* level, std::size_t length, double* excess) {
    constexpr std::size_t kRegisters = kLanes / kWidth;
    Wide below[kRows][kRegisters] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t r = 0; r < kRegisters; ++r) {
            const Wide at = load(level + s + r * kWidth);
            for (std::size_t i = 0; i < kRows; ++i) {
                const Wide draw = load(x[i] + s + r * kWidth);
                below[i][r] += smaller(at, draw) - draw;
            }
        }
    }
    for (std::size_t i = 0; i < kRows; ++i) excess[i] = 0.0 - add_registers(below[i]);
}

void excess(const double* matrix, std::size_t stride, const std::uint32_t* rows, std::size_t n_rows,
            const double* level, std::size_t length, double* excess) noexcept {
    constexpr std::size_t kRows = 4;
    const double* x[kRows];
    std::size_t first = 0;
    for (; first + kRows <= n_rows; first += kRows) {
        for (std::size_t i = 0; i < kRows; ++i) x[i] = matrix + stride * rows[first + i];
        excess_of<kRows>(x, level, length, excess + first);
    }
    for (; first < n_rows; ++first) {
        x[0] = matrix + stride * rows[first];
        excess_of<1>(x, level, length, excess + first);
    }
}

double drawn_excess(double quality, double sigma, const double* z, const double* level,
                    std::size_t n_samples) noexcept {
    double lane[kLanes] = {};
    std::size_t s = 0;
    for (; s + kLanes <= n_samples; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double x = quality + sigma * z[s + l];
            lane[l] += (x < level[s + l] ? x : level[s + l]) - x;
        }
    }
    for (std::size_t l = 0; s + l < n_samples; ++l) {
        const double x = quality + sigma * z[s + l];
        lane[l] += (x < level[s + l] ? x : level[s + l]) - x;
    }
    return 0.0 - add_lanes(lane);
}

Summary summarise(const double* values, std::size_t count) noexcept {
    constexpr std::size_t kRegisters = kLanes / kWidth;
    Wide sums[kRegisters] = {};
    Wide squares[kRegisters] = {};
    Wide sizes[kRegisters] = {};
    const std::size_t in_blocks = count - count % kLanes;
    for (std::size_t s = 0; s < in_blocks; s += kLanes) {
        for (std::size_t r = 0; r < kRegisters; ++r) {
            const Wide value = load(values + s + r * kWidth);
            sums[r] += value;
            squares[r] += value * value;
            sizes[r] = larger(sizes[r], magnitude(value));
        }
    }
    double sum[kLanes], square[kLanes], largest = 0.0;
    for (std::size_t r = 0; r < kRegisters; ++r) {
        store(sum + r * kWidth, sums[r]);
        store(square + r * kWidth, squares[r]);
        for (std::size_t l = 0; l < kWidth; ++l) {
            const double size = lane(sizes[r], l);
            largest = largest < size ? size : largest;
        }
    }
    for (std::size_t s = in_blocks; s < count; ++s) {
        const double size = values[s] < 0.0 ? -values[s] : values[s];
        sum[s - in_blocks] += values[s];
        square[s - in_blocks] += values[s] * values[s];
        largest = largest < size ? size : largest;
    }
    return {add_lanes(sum), add_lanes(square), largest};
}

Payment pay(const double* best, const double* second, double level, std::size_t count) noexcept {
    constexpr std::size_t kRegisters = kLanes / kWidth;
    const Wide at = every(level);
    Wide paid[kRegisters] = {};
    Wide payers[kRegisters] = {};
    const std::size_t in_blocks = count - count % kLanes;
    for (std::size_t s = 0; s < in_blocks; s += kLanes) {
        for (std::size_t r = 0; r < kRegisters; ++r) {
            const Wide most = load(best + s + r * kWidth);
            const Wide least = load(second + s + r * kWidth);
            const Wide unpaid = larger(least, at);
            paid[r] += larger(most, unpaid) - unpaid;
            payers[r] += (most > at) & (least < at) ? every(1.0) : Wide{};
        }
    }
    double sum[kLanes], number[kLanes];
    for (std::size_t r = 0; r < kRegisters; ++r) {
        store(sum + r * kWidth, paid[r]);
        store(number + r * kWidth, payers[r]);
    }
    for (std::size_t s = in_blocks; s < count; ++s) {
        const double unpaid = second[s] < level ? level : second[s];
        sum[s - in_blocks] += (unpaid < best[s] ? best[s] : unpaid) - unpaid;
        number[s - in_blocks] += best[s] > level && second[s] < level ? 1.0 : 0.0;
    }
    return {add_lanes(sum), add_lanes(number)};
}

void raise(double* __restrict level, const double* __restrict x, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            level[s + l] = level[s + l] < x[s + l] ? x[s + l] : level[s + l];
        }
    }
}

double raise_into(double* __restrict raised, const double* __restrict level,
                  const double* __restrict x, std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double best = level[s + l] < x[s + l] ? x[s + l] : level[s + l];
            raised[s + l] = best;
            lane[l] += best;
        }
    }
    return add_lanes(lane);
}

void lower(double* __restrict level, const double* __restrict x, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            level[s + l] = x[s + l] < level[s + l] ? x[s + l] : level[s + l];
        }
    }
}

bool at_least(const double* x, const double* y, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; s += kLanes) {
        bool all = true;
        for (std::size_t l = 0; l < kLanes; ++l) all &= x[s + l] >= y[s + l];
        if (!all) return false;
    }
    return true;
}

void raise_two(double* __restrict best, double* __restrict second, double* __restrict owner,
               const double* __restrict x, double place, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        const bool above = x[s] > best[s];
        const double loser = above ? best[s] : x[s];
        second[s] = second[s] < loser ? loser : second[s];
        owner[s] = above ? place : owner[s];
        best[s] = above ? x[s] : best[s];
    }
}

void swap_kept(double* __restrict kept, const double* __restrict x, const double* __restrict best,
               const double* __restrict second, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        const double least = x[s] < best[s] ? x[s] : best[s];
        kept[s] = (least > second[s] ? least : second[s]) - second[s];
    }
}

double sum_owned(const double* values, const double* owner, double place,
                 std::size_t length) noexcept {
    // Not a loop over doubles: GCC 12 would load both halves by the mask of the first.
    constexpr std::size_t kRegisters = kLanes / kWidth;
    const Wide at = every(place);
    Wide owned[kRegisters] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t r = 0; r < kRegisters; ++r) {
            const Wide value = load(values + s + r * kWidth);
            owned[r] += load(owner + s + r * kWidth) == at ? value : Wide{};
        }
    }
    return add_registers(owned);
}

void clip_slope(double* __restrict slope, const double* __restrict level,
                const double* __restrict floor, const double* __restrict top,
                std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        // No &&: a branch would keep the loop from being vectorised.
        const double down = level[s] <= floor[s] ? 0.0 : slope[s];
        const double up = level[s] >= top[s] ? 0.0 : slope[s];
        slope[s] = slope[s] < 0.0 ? down : up;
    }
}

double dot(const double* x, const double* y, std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) lane[l] += x[s + l] * y[s + l];
    }
    return add_lanes(lane);
}

double deflect(double* __restrict direction, const double* __restrict slope, double turn,
               std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double d = slope[s + l] + turn * direction[s + l];
            direction[s + l] = d;
            lane[l] += d * d;
        }
    }
    return add_lanes(lane);
}

void move_level(double* __restrict level, const double* __restrict slope, double step,
                const double* __restrict floor, const double* __restrict top,
                std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        double w = level[s] + step * slope[s];
        w = w < floor[s] ? floor[s] : w;
        level[s] = top[s] < w ? top[s] : w;
    }
}

void count_above(double* __restrict count, const double* __restrict x,
                 const double* __restrict level, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            count[s + l] += x[s + l] > level[s + l] ? 1.0 : 0.0;
        }
    }
}

void draw(double* __restrict x, double quality, double sigma, const double* __restrict z,
          std::size_t n_samples) noexcept {
    for (std::size_t s = 0; s < n_samples; ++s) x[s] = quality + sigma * z[s];
}

void add_scaled(double* __restrict x, double weight, const double* __restrict z,
                std::size_t n_samples) noexcept {
    for (std::size_t s = 0; s < n_samples; ++s) x[s] += weight * z[s];
}

void add_rows(double* __restrict x, const double* __restrict weights, const double* __restrict rows,
              std::size_t n_rows, std::size_t stride, std::size_t length) noexcept {
    constexpr std::size_t kRegisters = 8;
    constexpr std::size_t kBlock = kRegisters * kWidth;
    std::size_t s = 0;
    for (; s + kBlock <= length; s += kBlock) {
        Wide total[kRegisters];
        for (std::size_t r = 0; r < kRegisters; ++r) total[r] = load(x + s + r * kWidth);
        for (std::size_t i = 0; i < n_rows; ++i) {
            const double* row = rows + i * stride + s;
            const Wide weight = weights[i] - Wide{};  // unlike a sum, keeps the sign of zero
            for (std::size_t r = 0; r < kRegisters; ++r) {
                total[r] += weight * load(row + r * kWidth);
            }
        }
        for (std::size_t r = 0; r < kRegisters; ++r) store(x + s + r * kWidth, total[r]);
    }
    for (; s + kWidth <= length; s += kWidth) {
        Wide total = load(x + s);
        for (std::size_t i = 0; i < n_rows; ++i) {
            total += (weights[i] - Wide{}) * load(rows + i * stride + s);
        }
        store(x + s, total);
    }
    for (; s < length; ++s) {
        for (std::size_t i = 0; i < n_rows; ++i) x[s] += weights[i] * rows[i * stride + s];
    }
}

}  // namespace

}  // namespace headrace::kernels::HEADRACE_ISA
