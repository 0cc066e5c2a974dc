"""Loops over samples. The order of every addition is part of the contract of all backends.

Rows are padded with zeros to a multiple of eight, as the order asks for.
"""

from __future__ import annotations

from headrace._backends._numba_compile import compiled
from headrace._problem import Floats

LANES = 8


@compiled
def padded_length(n_samples: int) -> int:
    """Return the length of a row."""
    return (n_samples + LANES - 1) // LANES * LANES


@compiled
def total(values: Floats) -> float:
    """Add up. Eight running sums fix the order of addition for all backends."""
    a = b = c = d = e = f = g = h = 0.0
    for s in range(0, len(values), LANES):
        a += values[s]
        b += values[s + 1]
        c += values[s + 2]
        d += values[s + 3]
        e += values[s + 4]
        f += values[s + 5]
        g += values[s + 6]
        h += values[s + 7]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled
def mean_excess(x: Floats, level: Floats, n_samples: int, gap: Floats) -> float:
    """Average (x - level)+; ``gap`` is room for one row."""
    for s in range(len(gap)):
        above = x[s] - level[s]
        gap[s] = above if above > 0.0 else 0.0
    return total(gap) / n_samples


@compiled
def raise_to(level: Floats, x: Floats) -> None:
    """Set level to max(level, x)."""
    for s in range(len(level)):
        level[s] = x[s] if level[s] < x[s] else level[s]


@compiled
def lower_to(level: Floats, x: Floats) -> None:
    """Set level to min(level, x)."""
    for s in range(len(level)):
        level[s] = x[s] if x[s] < level[s] else level[s]


@compiled
def copy_to(target: Floats, x: Floats) -> None:
    """Set target to x."""
    for s in range(len(target)):
        target[s] = x[s]
