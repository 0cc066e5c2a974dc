"""The sets that tie with the best one, while there are few."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_query import Integers

MOST_TIED = 16


ENTRY = np.dtype(
    [
        ("tradeoff", np.float64),
        ("quality", np.float64),
        ("cost", np.float64),
        ("size", np.int64),
    ]
)


class TiedSets(NamedTuple):
    """Room for a few sets."""

    entries: Any
    """Records of ``ENTRY``."""
    models: Integers
    """Ascending, one row a set."""


@compiled
def make_tied_sets(k: int) -> TiedSets:
    """Make room."""
    return TiedSets(np.zeros(MOST_TIED, ENTRY), np.empty((MOST_TIED, k), np.int64))


@compiled
def drop_tied_below(tied: TiedSets, count: int, tradeoff: float) -> int:
    """Drop what does not tie any more from ``count`` sets; return how many are left."""
    kept = 0
    for i in range(count):
        entry = tied.entries[i]
        if entry.tradeoff >= tradeoff:
            models = tied.models[i, : entry.size]
            put(tied, kept, entry.tradeoff, entry.quality, entry.cost, models)
            kept += 1
    return kept


@compiled
def add_tied(
    tied: TiedSets, count: int, tradeoff: float, quality: float, cost: float, models: Integers
) -> int:
    """Add a set to ``count`` others; return how many there are then, or -1 if there is no room.

    One that is there already needs none.
    """
    for i in range(count):
        same = tied.entries[i].size == len(models)
        for place in range(len(models)):
            same = same and tied.models[i, place] == models[place]
        if same:
            return count
    if count == MOST_TIED:
        return -1
    put(tied, count, tradeoff, quality, cost, models)
    return count + 1


@compiled
def put(
    tied: TiedSets, i: int, tradeoff: float, quality: float, cost: float, models: Integers
) -> None:
    """Write an entry."""
    entry = tied.entries[i]
    entry.tradeoff = tradeoff
    entry.quality = quality
    entry.cost = cost
    entry.size = len(models)
    for place in range(len(models)):
        tied.models[i, place] = models[place]
