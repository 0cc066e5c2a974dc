"""The index rule where beliefs change by reveals, for backends without a kernel for it."""

from __future__ import annotations

import numpy as np

from headrace._problem import TIE_TOLERANCE, Problem
from headrace._selection import Selection

ROUNDING = 1e-14
"""Of a reservation value, relative to the belief, which is at most 1, and to the price."""


def select(problem: Problem) -> Selection:
    """Stop, or run a model; the value of running is the model's reservation value.

    Options are columns: to stop, then the models. Among ties the cost decides, then to stop, then
    the lowest column.
    """
    n, k = problem.qualities.shape
    assert problem.reveals is not None
    rows = np.arange(n)
    ran = np.zeros((n, k), np.bool_) if problem.ran is None else problem.ran
    cost = np.broadcast_to(problem.costs, (n, k))
    price = problem.lambda_[:, None] * cost
    revealed = np.where(ran, problem.qualities, -np.inf).max(axis=1, keepdims=True)
    began = np.isfinite(revealed)
    values = problem.reveals.reservation_values(problem.qualities, price)
    value = np.hstack([revealed, np.where(ran, -np.inf, values)])
    best = value.max(axis=1)

    ties = value >= (best - TIE_TOLERANCE)[:, None]
    sign = 1.0 if problem.ties == "cheapest" else -1.0
    paid = np.where(ties, sign * np.hstack([np.zeros((n, 1)), cost]), np.inf)
    option = paid.argmin(axis=1)

    runs = option > 0
    model = np.maximum(option - 1, 0)
    level = np.where(began, revealed, 0.0)
    gained = level + problem.reveals.excess(problem.qualities, level)
    once = np.where(began, gained, problem.qualities)[rows, model]
    selection = Selection.empty(n, k)
    selection.next_model[runs] = model[runs]
    selection.supermodel[:] = ran
    selection.supermodel[rows[runs], model[runs]] = True
    selection.quality[:] = np.where(runs, once, revealed[:, 0])
    selection.cost[:] = np.where(runs, cost[rows, model], 0.0)
    selection.tradeoff[:] = selection.quality - problem.lambda_ * selection.cost
    most = np.where(ran, 0.0, price).max(axis=1)
    selection.upper_bound[:] = best + ROUNDING * (1.0 + most)
    selection.optimal[:] = True
    return selection
