// Loops over samples. The order of every addition is part of the contract, so that all instruction
// sets and all backends give the same bits: eight running sums, added in pairs at the end.
//
// Rows are padded with zeros to a multiple of kLanes; "length" is the padded length.
#pragma once

#include <cstddef>

namespace headrace {

inline constexpr std::size_t kLanes = 8;

inline std::size_t padded_length(std::size_t n_samples) {
    return (n_samples + kLanes - 1) / kLanes * kLanes;
}

namespace kernels {

// Sum of values[s].
double sum(const double* values, std::size_t length) noexcept;

// Sum of (x[s] - level[s])+.
double excess(const double* x, const double* level, std::size_t length) noexcept;

// Sum of (quality + sigma * z[s] - level[s])+ over n_samples, not padded: the excess of what
// draw() makes.
double drawn_excess(double quality, double sigma, const double* z, const double* level,
                    std::size_t n_samples) noexcept;

// Largest magnitude of count numbers.
double largest(const double* values, std::size_t count) noexcept;

// level[s] = max(level[s], x[s]).
void raise(double* level, const double* x, std::size_t length) noexcept;

// level[s] = min(level[s], x[s]).
void lower(double* level, const double* x, std::size_t length) noexcept;

// Whether x[s] >= y[s] everywhere.
bool at_least(const double* x, const double* y, std::size_t length) noexcept;

// Takes x into the best and second-best of each sample; owner[s] = place where it is the best.
void raise_two(double* best, double* second, double* owner, const double* x, double place,
               std::size_t length) noexcept;

// kept[s] = (min(x[s], best[s]) - second[s])+: of what sample s loses with its best draw, what x
// keeps.
void swap_kept(double* kept, const double* x, const double* best, const double* second,
               std::size_t length) noexcept;

// Clears the slopes that lead out of [floor, top]: negative ones where the level is not above the
// floor, positive ones where it is not below the top. Returns the sum of the squares of the rest.
double clip_slope(double* slope, const double* level, const double* floor, const double* top,
                  std::size_t length) noexcept;

// level[s] = min(top[s], max(floor[s], level[s] + step * slope[s])).
void move_level(double* level, const double* slope, double step, const double* floor,
                const double* top, std::size_t length) noexcept;

// count[s] += 1 where x[s] > level[s].
void count_above(double* count, const double* x, const double* level, std::size_t length) noexcept;

// x[s] = quality + sigma * z[s].
void draw(double* x, double quality, double sigma, const double* z, std::size_t n_samples) noexcept;

// x[s] += weight * z[s].
void add_scaled(double* x, double weight, const double* z, std::size_t n_samples) noexcept;

}  // namespace kernels
}  // namespace headrace
