// Reservation values of the index rule (Weitzman, 1979) for normal quality estimates.
#pragma once

namespace headrace {

// E[(Z - t)+] for a standard normal Z: h(t) = phi(t) - t (1 - Phi(t)), decreasing in t.
double standard_excess(double t) noexcept;

// Solves h(t) = u for t, 0 < u <= 40; u below 1e-300 counts as 1e-300.
double inverse_standard_excess(double u) noexcept;

// E[(X - level)+] for X ~ N(quality, sigma^2), sigma >= 0.
double expected_excess(double quality, double sigma, double level) noexcept;

// Solves E[(X - z)+] = price for z. Without uncertainty it is quality - price; a free look at
// something uncertain is always worth it: infinity.
double reservation_value(double quality, double sigma, double price) noexcept;

}  // namespace headrace
