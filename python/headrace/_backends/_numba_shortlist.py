"""The rule that settles ties, and options of which few are listed in turn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_query import Answer, Batch, Integers, Query, write
from headrace._problem import TIE_TOLERANCE, Floats


@compiled
def wins_tie(
    cost: float, models: Integers, other_cost: float, others: Integers, dearest: bool
) -> bool:
    """Compare by cost, then the number of models, then the lexicographic order of indices."""
    if cost != other_cost:
        return cost > other_cost if dearest else cost < other_cost
    if len(models) != len(others):
        return len(models) < len(others)
    for place in range(len(models)):
        if models[place] != others[place]:
            return bool(models[place] < others[place])
    return False


class Shortlist(NamedTuple):
    """Options in the order of the tie rule but for cost: fewest models, then lowest indices."""

    values: Floats
    """What is compared: tradeoffs, or reservation values."""
    qualities: Floats
    costs: Floats
    n_added: Integers


@compiled
def make_shortlist(batch: Batch) -> Shortlist:
    """Make room for an option for each model, and one that adds none."""
    size = batch.qualities.shape[1] + 1
    return Shortlist(np.empty(size), np.empty(size), np.empty(size), np.empty(size, np.int64))


@compiled
def add_option(
    options: Shortlist, place: int, value: float, quality: float, cost: float, n_added: int
) -> int:
    """Put an option in its place and return the next place."""
    options.values[place] = value
    options.qualities[place] = quality
    options.costs[place] = cost
    options.n_added[place] = n_added
    return place + 1


@compiled
def settle(options: Shortlist, count: int, dearest: bool) -> tuple[int, float]:
    """Return the place of the tie's winner, and the best value."""
    best = options.values[:count].max()
    winner = -1
    for place in range(count):
        if not options.values[place] >= best - TIE_TOLERANCE:
            continue
        if winner < 0 or (
            options.costs[place] > options.costs[winner]
            if dearest
            else options.costs[place] < options.costs[winner]
        ):
            winner = place
    return winner, best


@compiled
def write_option(
    batch: Batch,
    query: Query,
    answer: Answer,
    row: int,
    options: Shortlist,
    count: int,
    added: Integers,
    in_order: bool,
) -> None:
    """Settle and write. ``added[place]`` is the new model of an option; in order, a prefix."""
    winner, best = settle(options, count, batch.dearest)
    n_added = options.n_added[winner]
    first = 0 if in_order else winner
    write(
        batch,
        query,
        answer,
        row,
        added[first : first + n_added],
        options.qualities[winner],
        options.costs[winner],
        best + query.allowance,
        in_order or batch.fixed_order,
    )
