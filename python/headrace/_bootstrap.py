"""Bootstrap over queries: how means would vary had other queries come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headrace._problem import Floats

BLOCK = 2**21
"""Most draws at a time."""
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean, and the interval that holds 95 % of its resampled values."""

    mean: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        low, high = format(self.low, spec), format(self.high, spec)
        return f"{format(self.mean, spec)} [{low}, {high}]"


def resampled_means(values: Floats, n_bootstrap: int, seed: int) -> Floats:
    """Return the means of the columns of ``values (n, d)`` over resampled rows, (n_bootstrap, d).

    All columns are resampled together, so that differences between them are paired.
    """
    n = len(values)
    rng = np.random.default_rng(seed)
    means = np.empty((n_bootstrap, values.shape[1]))
    block = max(1, BLOCK // n)
    for first in range(0, n_bootstrap, block):
        rows = min(block, n_bootstrap - first)
        drawn = rng.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means[first : first + rows] = counts @ values / n
    return means


def interval(mean: float, resampled: Floats) -> Interval:
    """Return the percentile interval of resampled means."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Interval(float(mean), float(low), float(high))
