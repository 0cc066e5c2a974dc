"""Reservation values of the index rule (Weitzman, 1979) for normal quality estimates.

Scalar functions of the standard library only, so that the numba backend compiles these very lines.
"""

from __future__ import annotations

import math

SMALLEST_RATIO = 1e-300
"""Costs below this share of the uncertainty count as this share: h underflows beyond it."""


def standard_excess(t: float) -> float:
    """E[(Z - t)+] for a standard normal Z: h(t) = phi(t) - t (1 - Phi(t)), decreasing in t."""
    upper_tail = 0.5 * math.erfc(t * 0.7071067811865476)
    density = 0.3989422804014327 * math.exp(-0.5 * t * t)
    return density - t * upper_tail


def inverse_standard_excess(u: float) -> float:
    """Solve h(t) = u for t, 0 < u <= 40; relative error below 1e-12.

    A rational approximation, then two steps of Halley's method on log h, each of which cubes the
    error. The same operations as in ``cpp/src/reservation.cpp``.
    """
    if u < SMALLEST_RATIO:
        u = SMALLEST_RATIO
    log_u = math.log(u)
    w = math.sqrt(2.0 * (1.4 - (log_u if u < 4.0 else math.log(4.0))))
    above = 0.007669456 + w * (-0.024409731 + w * 0.018674697)
    above = -0.002648254 + w * (0.011913044 + w * (-0.010051569 + w * above))
    below = 0.14626452 + w * (-0.02285747 + w * 0.01866581)
    below = 1.0 + w * (-0.40147757 + w * below)
    t = above / below - u
    for _ in range(2):
        density = 0.3989422804014327 * math.exp(-0.5 * t * t)
        tail = 0.5 * math.erfc(t * 0.7071067811865476)
        value = density - t * tail
        # log h has the derivatives -slope and bend.
        error = math.log(value) - log_u
        slope = tail / value
        bend = density / value - slope * slope
        t += 2.0 * error * slope / (2.0 * slope * slope - error * bend)
    return t


def expected_excess(quality: float, sigma: float, level: float) -> float:
    """E[(X - level)+] for X ~ N(quality, sigma^2); sigma may be zero."""
    if sigma == 0.0:
        return max(quality - level, 0.0)
    t = (level - quality) / sigma
    if t < -40.0:
        return quality - level
    if t > 40.0:
        return 0.0
    return sigma * standard_excess(t)


def reservation_value(quality: float, sigma: float, price: float) -> float:
    """Solve E[(X - z)+] = price for z, X ~ N(quality, sigma^2).

    A model is worth running as long as the best answer so far is below its reservation value.
    Without uncertainty it is ``quality - price``; a free look at something uncertain is always
    worth it, so that its value is infinite.
    """
    if sigma == 0.0:
        return quality - price
    if price == 0.0:
        return math.inf
    if price > 40.0 * sigma:  # h(-t) - t underflows for t > 40
        return quality - price
    return quality + sigma * inverse_standard_excess(price / sigma)
