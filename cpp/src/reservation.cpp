#include "reservation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace headrace {

namespace {

constexpr double kSmallestRatio = 1e-300;  // h underflows for ratios far below it
constexpr double kFarTail = 40.0;          // h(-t) - t and h(t) underflow beyond it

double upper_tail(double t) {
    return 0.5 * std::erfc(t * 0.7071067811865476);
}

}  // namespace

double standard_excess(double t) noexcept {
    const double density = 0.3989422804014327 * std::exp(-0.5 * t * t);
    return density - t * upper_tail(t);
}

// Newton's method on log h, which is concave and decreasing, so that it converges from any start.
double inverse_standard_excess(double u) noexcept {
    u = std::max(u, kSmallestRatio);
    const double log_u = std::log(u);
    double t = u > 0.4 ? -u : std::sqrt(-2.0 * log_u);
    for (int i = 0; i < 64; ++i) {
        const double value = standard_excess(t);
        const double step = (std::log(value) - log_u) * value / upper_tail(t);
        t += step;
        if (std::abs(step) <= 4e-16 * std::max(1.0, std::abs(t))) break;
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
