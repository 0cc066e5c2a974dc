"""Index policy: the highest reservation value runs until the best quality exceeds them all.

The functions of ``headrace._reservation`` are compiled as they stand.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np

from headrace import _reservation
from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_query import Answer, Batch, load, make_buffers
from headrace._backends._numba_shortlist import add_option, make_shortlist, write_option
from headrace._problem import TIE_TOLERANCE


def compiled_reservation() -> dict[str, Any]:
    """Compile the functions of ``_reservation``, which call each other."""
    names = dict(vars(_reservation))
    for name, function in vars(_reservation).items():
        if isinstance(function, FunctionType):
            names[name] = compiled(FunctionType(function.__code__, names, name))
    return names


_RESERVATION = compiled_reservation()
expected_excess = _RESERVATION["expected_excess"]
reservation_value = _RESERVATION["reservation_value"]


@compiled
def surely_below(quality: float, sigma: float, price: float, highest: float) -> bool:
    """Whether a reservation value does not tie with the highest: cheaper than computing it."""
    margin = 1e-9  # relative, far above the rounding of either side
    level = highest - 2.0 * TIE_TOLERANCE - margin * abs(highest)
    if sigma == 0.0:
        return quality - price < level
    if price == 0.0:
        return False  # it is infinite
    below: bool = expected_excess(quality, sigma, level) < (1.0 - margin) * price
    return below


@compiled_once
def decide_index(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """Stop, or run a model; the value of running is the model's reservation value."""
    buffers = make_buffers(batch)
    options = make_shortlist(batch)
    added = np.zeros(len(options.values), np.int64)
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        count = 0
        best = -np.inf
        for i in query.ran:
            best = max(best, query.qualities[i])
        if len(query.ran) > 0:
            count = add_option(options, count, best, best, 0.0, 0)
        highest = best
        for i in query.candidates:
            quality = query.qualities[i]
            sigma = query.sigmas[i]
            cost = query.costs[i]
            price = query.lambda_ * cost
            if surely_below(quality, sigma, price, highest):
                continue
            value = reservation_value(quality, sigma, price)
            highest = max(highest, value)
            if len(query.ran) > 0:
                quality = best + expected_excess(quality, sigma, best)
            added[count] = i
            count = add_option(options, count, value, quality, cost, 1)
        write_option(batch, query, answer, row, options, count, added, False)
