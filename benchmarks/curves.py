"""Cost-quality curves: budgets, the area below a curve, and paired bootstrap intervals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from workloads import Floats

RESAMPLES = 500
PER_SEGMENT = 10


def pareto_hull(costs: Floats, qualities: Floats) -> NDArray[np.int64]:
    """Return the models on the upper left hull of (cost, quality), from cheap to dear.

    It starts at the cheapest model and ends at the best one.
    """
    hull = [int(np.lexsort((-qualities, costs))[0])]
    while True:
        last = hull[-1]
        better = np.flatnonzero((costs > costs[last]) & (qualities > qualities[last]))
        if not len(better):
            return np.array(hull)
        slopes = (qualities[better] - qualities[last]) / (costs[better] - costs[last])
        hull.append(int(better[np.flatnonzero(slopes == slopes.max())[-1]]))


def budgets(costs: Floats, qualities: Floats) -> Floats:
    """Return evenly spaced budgets within every segment of the Pareto hull of single models."""
    corners = costs[pareto_hull(costs, qualities)]
    return np.unique(
        np.concatenate([np.linspace(low, high, PER_SEGMENT) for low, high in pairwise(corners)])
    )


def area(costs: Floats, qualities: Floats, models: Floats, worst: float) -> float:
    """Return the mean quality of a curve over the range of cost of the single models.

    As in the paper: before its first point the curve comes from the worst single model, beyond its
    last point it is flat.

    Parameters
    ----------
    costs, qualities : array of shape (m,)
        The points of the curve, in any order.
    models : array of shape (k,)
        Mean cost of the single models; the cheapest and the dearest are the range.
    worst : float
        Mean quality of the worst single model.
    """
    low, high = models.min(), models.max()
    order = np.lexsort((qualities, costs))
    x, y = costs[order], qualities[order]
    if x[0] > low:
        x, y = np.append(low, x), np.append(worst, y)
    inside = (x > low) & (x < high)
    ends = np.interp([low, high], x, y)
    x = np.concatenate([[low], x[inside], [high]])
    y = np.concatenate([ends[:1], y[inside], ends[1:]])
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2.0 / (high - low))


def resampling_weights(n: int, seed: int = 0) -> Floats:
    """Return bootstrap weights of n queries, shape (resamples, n); rows sum to 1."""
    draws = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    return np.stack([np.bincount(draw, minlength=n) for draw in draws]) / n


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % interval of bootstrap values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
