#include "kernels.hpp"

namespace headrace::kernels {

namespace {

double add_lanes(const double* lane) {
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

}  // namespace

double sum(const double* values, std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) lane[l] += values[s + l];
    }
    return add_lanes(lane);
}

double excess(const double* x, const double* level, std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double above = x[s + l] - level[s + l];
            lane[l] += above > 0.0 ? above : 0.0;
        }
    }
    return add_lanes(lane);
}

double drawn_excess(double quality, double sigma, const double* z, const double* level,
                    std::size_t n_samples) noexcept {
    double lane[kLanes] = {};
    std::size_t s = 0;
    for (; s + kLanes <= n_samples; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double above = (quality + sigma * z[s + l]) - level[s + l];
            lane[l] += above > 0.0 ? above : 0.0;
        }
    }
    for (std::size_t l = 0; s + l < n_samples; ++l) {
        const double above = (quality + sigma * z[s + l]) - level[s + l];
        lane[l] += above > 0.0 ? above : 0.0;
    }
    return add_lanes(lane);
}

double largest(const double* values, std::size_t count) noexcept {
    double lane[kLanes] = {};
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double size = values[i + l] < 0.0 ? -values[i + l] : values[i + l];
            lane[l] = lane[l] < size ? size : lane[l];
        }
    }
    for (std::size_t l = 0; i + l < count; ++l) {
        const double size = values[i + l] < 0.0 ? -values[i + l] : values[i + l];
        lane[l] = lane[l] < size ? size : lane[l];
    }
    for (std::size_t l = 1; l < kLanes; ++l) lane[0] = lane[0] < lane[l] ? lane[l] : lane[0];
    return lane[0];
}

void raise(double* level, const double* x, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) level[s] = level[s] < x[s] ? x[s] : level[s];
}

void lower(double* level, const double* x, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) level[s] = x[s] < level[s] ? x[s] : level[s];
}

bool at_least(const double* x, const double* y, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; s += kLanes) {
        bool all = true;
        for (std::size_t l = 0; l < kLanes; ++l) all &= x[s + l] >= y[s + l];
        if (!all) return false;
    }
    return true;
}

void raise_two(double* best, double* second, double* owner, const double* x, double place,
               std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        const bool above = x[s] > best[s];
        const double loser = above ? best[s] : x[s];
        second[s] = second[s] < loser ? loser : second[s];
        owner[s] = above ? place : owner[s];
        best[s] = above ? x[s] : best[s];
    }
}

void swap_kept(double* kept, const double* x, const double* best, const double* second,
               std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        const double above = (x[s] < best[s] ? x[s] : best[s]) - second[s];
        kept[s] = above > 0.0 ? above : 0.0;
    }
}

double clip_slope(double* slope, const double* level, const double* floor, const double* top,
                  std::size_t length) noexcept {
    double lane[kLanes] = {};
    for (std::size_t s = 0; s < length; s += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const double w = level[s + l];
            double g = slope[s + l];
            g = g < 0.0 && w <= floor[s + l] ? 0.0 : g;
            g = g > 0.0 && w >= top[s + l] ? 0.0 : g;
            slope[s + l] = g;
            lane[l] += g * g;
        }
    }
    return add_lanes(lane);
}

void move_level(double* level, const double* slope, double step, const double* floor,
                const double* top, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) {
        double w = level[s] + step * slope[s];
        w = w < floor[s] ? floor[s] : w;
        level[s] = top[s] < w ? top[s] : w;
    }
}

void count_above(double* count, const double* x, const double* level, std::size_t length) noexcept {
    for (std::size_t s = 0; s < length; ++s) count[s] += x[s] > level[s] ? 1.0 : 0.0;
}

void draw(double* x, double quality, double sigma, const double* z,
          std::size_t n_samples) noexcept {
    for (std::size_t s = 0; s < n_samples; ++s) x[s] = quality + sigma * z[s];
}

void add_scaled(double* x, double weight, const double* z, std::size_t n_samples) noexcept {
    for (std::size_t s = 0; s < n_samples; ++s) x[s] += weight * z[s];
}

}  // namespace headrace::kernels
