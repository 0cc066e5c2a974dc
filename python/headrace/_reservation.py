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
    """Solve h(t) = u for t, 0 < u <= 40.

    Newton's method on log h, which is concave and decreasing, so that it converges from any start.
    """
    if u < SMALLEST_RATIO:
        u = SMALLEST_RATIO
    log_u = math.log(u)
    t = -u if u > 0.4 else math.sqrt(-2.0 * log_u)
    for _ in range(64):
        value = standard_excess(t)
        upper_tail = 0.5 * math.erfc(t * 0.7071067811865476)
        step = (math.log(value) - log_u) * value / upper_tail
        t += step
        if abs(step) <= 4e-16 * max(1.0, abs(t)):
            break
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
