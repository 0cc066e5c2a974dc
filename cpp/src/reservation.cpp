#include "reservation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "inverse_excess.hpp"

namespace headrace {

namespace {

constexpr double kFarTail = 40.0;  // h(-t) - t and h(t) underflow beyond it

double upper_tail(double t) {
    return 0.5 * std::erfc(t * 0.7071067811865476);
}

}  // namespace

double standard_excess(double t) noexcept {
    const double density = 0.3989422804014327 * std::exp(-0.5 * t * t);
    return density - t * upper_tail(t);
}

// Two steps of Halley's method on log h, each of which cubes the error of the start.
double inverse_standard_excess(double u) noexcept {
    u = std::max(u, kSmallestRatio);
    const double log_u = std::log(u);
    const double w =
        std::sqrt(2.0 * (kStartShift - (u < kStartLargest ? log_u : std::log(kStartLargest))));
    const double* a = kStartAbove;
    const double* b = kStartBelow;
    const double above = a[0] + w * (a[1] + w * (a[2] + w * (a[3] + w * (a[4] + w * a[5]))));
    const double below = b[0] + w * (b[1] + w * (b[2] + w * (b[3] + w * b[4])));
    double t = above / below - u;
    for (int step = 0; step < 2; ++step) {
        const double density = 0.3989422804014327 * std::exp(-0.5 * t * t);
        const double tail = upper_tail(t);
        const double value = density - t * tail;
        // log h has the derivatives -slope and bend.
        const double error = std::log(value) - log_u;
        const double slope = tail / value;
        const double bend = density / value - slope * slope;
        t += 2.0 * error * slope / (2.0 * slope * slope - error * bend);
    }
    return t;
}

double expected_excess(double quality, double sigma, double level) noexcept {
    if (sigma == 0.0) return std::max(quality - level, 0.0);
    const double t = (level - quality) / sigma;
    if (t < -kFarTail) return quality - level;
    if (t > kFarTail) return 0.0;
    return sigma * standard_excess(t);
}

double reservation_value(double quality, double sigma, double price) noexcept {
    if (sigma == 0.0) return quality - price;
    if (price == 0.0) return std::numeric_limits<double>::infinity();
    if (price > kFarTail * sigma) return quality - price;
    return quality + sigma * inverse_standard_excess(price / sigma);
}

}  // namespace headrace
