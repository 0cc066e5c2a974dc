// Hot loops, chosen by instruction set at run time; the bodies are in kernels/. The order of every
// addition is part of the contract, so that all instruction sets and all backends give the same
// bits: eight running sums, added in pairs at the end.
//
// Rows are padded with zeros to a multiple of kLanes; "length" is the padded length. Pointers need
// no alignment. An array that is written overlaps no other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace headrace {

inline constexpr std::size_t kLanes = 8;

inline std::size_t padded_length(std::size_t n_samples) {
    return (n_samples + kLanes - 1) / kLanes * kLanes;
}

// Values that a row of models has room for: whole blocks.
inline constexpr std::size_t kModelBlock = 32;

inline std::size_t padded_models(std::size_t n_models) {
    return (n_models + kModelBlock - 1) / kModelBlock * kModelBlock;
}

namespace kernels {

// The quality of a model that may not run, below every reservation value.
inline constexpr double kClosed = -1e300;

// Of a row of numbers.
struct Summary {
    double sum;
    double squares;  // their sum
    double largest;  // magnitude
};

// What samples pay to be served at no more than a level.
struct Payment {
    double paid;    // sum of best - max(second, level) where that is positive
    double payers;  // how many pay more if the level falls
};

// What routing has to know of the models of a row.
struct RoutedRow {
    double best;             // highest value
    double largest_quality;  // magnitude
    double lowest_cost;
    double highest_cost;
    double poison;  // not a number if anything is not
};

// Where the draws of a row's models reach.
struct Reach {
    double lowest;
    double highest;
};

// The mean of numbers and a bound of their standard deviation.
struct Moments {
    double mean;
    double deviation;
};

// The models of a row; the moments of their standardised draws.
struct DrawnRow {
    const double* quality;
    const double* cost;
    const double* sigma;  // null: one
    const double* mean;
    const double* deviation;
};

// The kernels of one instruction set.
struct Kernels {
    const char* name;  // of the instruction set

    // Sum of values[s].
    double (*sum)(const double* values, std::size_t length) noexcept;

    // excess[r] = sum of (x[s] - level[s])+ over the row x = rows[r] of a matrix.
    void (*excess)(const double* matrix, std::size_t stride, const std::uint32_t* rows,
                   std::size_t n_rows, const double* level, std::size_t length,
                   double* excess) noexcept;

    // Sum of (quality + sigma * z[s] - level[s])+ over n_samples, not padded: the excess of what
    // draw() makes.
    double (*drawn_excess)(double quality, double sigma, const double* z, const double* level,
                           std::size_t n_samples) noexcept;

    // Of count numbers, not padded.
    Summary (*summarise)(const double* values, std::size_t count) noexcept;

    // Of count samples, not padded, with their best and second-best draws.
    Payment (*pay)(const double* best, const double* second, double level,
                   std::size_t count) noexcept;

    // level[s] = max(level[s], x[s]).
    void (*raise)(double* level, const double* x, std::size_t length) noexcept;

    // raised[s] = max(level[s], x[s]). Returns their sum.
    double (*raise_into)(double* raised, const double* level, const double* x,
                         std::size_t length) noexcept;

    // level[s] = min(level[s], x[s]).
    void (*lower)(double* level, const double* x, std::size_t length) noexcept;

    // Whether x[s] >= y[s] everywhere.
    bool (*at_least)(const double* x, const double* y, std::size_t length) noexcept;

    // Takes x into the best and second-best of each sample; owner[s] = place where it is the best.
    void (*raise_two)(double* best, double* second, double* owner, const double* x, double place,
                      std::size_t length) noexcept;

    // kept[s] = (min(x[s], best[s]) - second[s])+: of what sample s loses with its best draw, what
    // x keeps.
    void (*swap_kept)(double* kept, const double* x, const double* best, const double* second,
                      std::size_t length) noexcept;

    // Sum of the values[s] whose owner[s] is this place.
    double (*sum_owned)(const double* values, const double* owner, double place,
                        std::size_t length) noexcept;

    // Clears the slopes that lead out of [floor, top]: negative ones where the level is not above
    // the floor, positive ones where it is not below the top.
    void (*clip_slope)(double* slope, const double* level, const double* floor, const double* top,
                       std::size_t length) noexcept;

    // Sum of x[s] * y[s].
    double (*dot)(const double* x, const double* y, std::size_t length) noexcept;

    // direction[s] = slope[s] + turn * direction[s]. Returns the sum of their squares.
    double (*deflect)(double* direction, const double* slope, double turn,
                      std::size_t length) noexcept;

    // level[s] = min(top[s], max(floor[s], level[s] + step * slope[s])).
    void (*move_level)(double* level, const double* slope, double step, const double* floor,
                       const double* top, std::size_t length) noexcept;

    // count[s] += 1 where x[s] > level[s].
    void (*count_above)(double* count, const double* x, const double* level,
                        std::size_t length) noexcept;

    // x[s] = quality + sigma * z[s].
    void (*draw)(double* x, double quality, double sigma, const double* z,
                 std::size_t n_samples) noexcept;

    // x[s] += weight * z[s].
    void (*add_scaled)(double* x, double weight, const double* z, std::size_t n_samples) noexcept;

    // x[s] += weights[0] * rows[s] + weights[1] * rows[stride + s] + ..., added one after the
    // other: what add_scaled() does row by row, with x in registers.
    void (*add_rows)(double* x, const double* weights, const double* rows, std::size_t n_rows,
                     std::size_t stride, std::size_t length) noexcept;

    // Whether low <= values[i] <= high everywhere.
    bool (*within)(const double* values, std::size_t count, double low, double high) noexcept;

    // Bounds quality[i] + sigma[i] * z for every z of no more than this magnitude; sigma may be
    // null, for one.
    Reach (*reach)(const double* quality, const double* sigma, double magnitude,
                   std::size_t count) noexcept;

    // Bounds what each model gains over a level, mean((x - level)+) - lambda * cost, by moments:
    // half the sum of the mean of the difference and its root mean square, and `slack`.
    void (*bound_gains)(const DrawnRow& row, const Moments& level, double lambda, double slack,
                        std::size_t count, double* bound) noexcept;

    // value[i] = quality[i] - lambda * cost[i], followed by infinitely low ones that fill the
    // block.
    RoutedRow (*route)(const double* quality, const double* cost, double lambda, std::size_t count,
                       double* value) noexcept;

    // Bounds the reservation values of N(quality[i], sigma[i]^2) at lambda * cost[i] from above, in
    // highest[i], followed by infinitely low ones that fill the block. Returns the highest of the
    // bounds from below.
    double (*screen)(const double* quality, const double* cost, const double* sigma, double lambda,
                     std::size_t count, double* highest) noexcept;

    // The first i from begin with values[i] >= level, else count or more; whole blocks are read.
    std::size_t (*first_at_least)(const double* values, std::size_t begin, std::size_t count,
                                  double level) noexcept;
};

// The baseline, until instruction_set() has chosen. Set once, before a thread starts.
extern std::atomic<const Kernels*> chosen;

inline const Kernels& table() noexcept {
    return *chosen.load(std::memory_order_relaxed);
}

inline double sum(const double* values, std::size_t length) noexcept {
    return table().sum(values, length);
}

inline void excess(const double* matrix, std::size_t stride, const std::uint32_t* rows,
                   std::size_t n_rows, const double* level, std::size_t length,
                   double* excess) noexcept {
    table().excess(matrix, stride, rows, n_rows, level, length, excess);
}

inline double drawn_excess(double quality, double sigma, const double* z, const double* level,
                           std::size_t n_samples) noexcept {
    return table().drawn_excess(quality, sigma, z, level, n_samples);
}

inline Summary summarise(const double* values, std::size_t count) noexcept {
    return table().summarise(values, count);
}

inline Payment pay(const double* best, const double* second, double level,
                   std::size_t count) noexcept {
    return table().pay(best, second, level, count);
}

inline void raise(double* level, const double* x, std::size_t length) noexcept {
    table().raise(level, x, length);
}

inline double raise_into(double* raised, const double* level, const double* x,
                         std::size_t length) noexcept {
    return table().raise_into(raised, level, x, length);
}

inline void lower(double* level, const double* x, std::size_t length) noexcept {
    table().lower(level, x, length);
}

inline bool at_least(const double* x, const double* y, std::size_t length) noexcept {
    return table().at_least(x, y, length);
}

inline void raise_two(double* best, double* second, double* owner, const double* x, double place,
                      std::size_t length) noexcept {
    table().raise_two(best, second, owner, x, place, length);
}

inline void swap_kept(double* kept, const double* x, const double* best, const double* second,
                      std::size_t length) noexcept {
    table().swap_kept(kept, x, best, second, length);
}

inline double sum_owned(const double* values, const double* owner, double place,
                        std::size_t length) noexcept {
    return table().sum_owned(values, owner, place, length);
}

inline void clip_slope(double* slope, const double* level, const double* floor, const double* top,
                       std::size_t length) noexcept {
    table().clip_slope(slope, level, floor, top, length);
}

inline double dot(const double* x, const double* y, std::size_t length) noexcept {
    return table().dot(x, y, length);
}

inline double deflect(double* direction, const double* slope, double turn,
                      std::size_t length) noexcept {
    return table().deflect(direction, slope, turn, length);
}

inline void move_level(double* level, const double* slope, double step, const double* floor,
                       const double* top, std::size_t length) noexcept {
    table().move_level(level, slope, step, floor, top, length);
}

inline void count_above(double* count, const double* x, const double* level,
                        std::size_t length) noexcept {
    table().count_above(count, x, level, length);
}

inline void draw(double* x, double quality, double sigma, const double* z,
                 std::size_t n_samples) noexcept {
    table().draw(x, quality, sigma, z, n_samples);
}

inline void add_scaled(double* x, double weight, const double* z, std::size_t n_samples) noexcept {
    table().add_scaled(x, weight, z, n_samples);
}

inline void add_rows(double* x, const double* weights, const double* rows, std::size_t n_rows,
                     std::size_t stride, std::size_t length) noexcept {
    table().add_rows(x, weights, rows, n_rows, stride, length);
}

inline bool within(const double* values, std::size_t count, double low, double high) noexcept {
    return table().within(values, count, low, high);
}

inline Reach reach(const double* quality, const double* sigma, double magnitude,
                   std::size_t count) noexcept {
    return table().reach(quality, sigma, magnitude, count);
}

inline void bound_gains(const DrawnRow& row, const Moments& level, double lambda, double slack,
                        std::size_t count, double* bound) noexcept {
    table().bound_gains(row, level, lambda, slack, count, bound);
}

inline RoutedRow route(const double* quality, const double* cost, double lambda, std::size_t count,
                       double* value) noexcept {
    return table().route(quality, cost, lambda, count, value);
}

inline double screen(const double* quality, const double* cost, const double* sigma, double lambda,
                     std::size_t count, double* highest) noexcept {
    return table().screen(quality, cost, sigma, lambda, count, highest);
}

inline std::size_t first_at_least(const double* values, std::size_t begin, std::size_t count,
                                  double level) noexcept {
    return table().first_at_least(values, begin, count, level);
}

}  // namespace kernels
}  // namespace headrace
