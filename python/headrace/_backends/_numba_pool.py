"""The models that a search considers, from the cheapest up, with their draws side by side.

A search knows models by their places in the pool.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_heap import sort_by_key
from headrace._backends._numba_query import Integers, Query, draw
from headrace._problem import Floats


class Pool(NamedTuple):
    """The pool of a query, or the room for one."""

    models: Integers
    """Index of each among all models."""
    costs: Floats
    prices: Floats
    """``lambda_`` times the cost."""
    draws: Floats
    n_samples: int


@compiled
def make_pool(k: int, length: int) -> Pool:
    """Make room for so many models."""
    return Pool(np.empty(k, np.int64), np.empty(k), np.empty(k), np.empty((k, length)), 0)


@compiled
def fill_pool(query: Query, models: Integers, room: Pool) -> Pool:
    """Take in candidates of a query and make their draws."""
    size = len(models)
    for j in range(size):
        room.models[j] = models[j]
        room.costs[j] = query.costs[models[j]]
    sort_by_key(room.costs, room.models, size)
    for j in range(size):
        room.prices[j] = query.lambda_ * room.costs[j]
        draw(query, room.models[j], room.draws[j])
    return Pool(
        room.models[:size],
        room.costs[:size],
        room.prices[:size],
        room.draws[:size],
        query.n_samples,
    )


@compiled
def sort_places(places: Integers, count: int) -> None:
    """Sort the first ``count``, which are few or nearly in order."""
    for end in range(1, count):
        inserted = places[end]
        place = end
        while place > 0 and places[place - 1] > inserted:
            places[place] = places[place - 1]
            place -= 1
        places[place] = inserted


@compiled
def models_of(pool: Pool, places: Integers, models: Integers) -> Integers:
    """Turn places into ascending indices of models."""
    count = len(places)
    for place in range(count):
        models[place] = pool.models[places[place]]
    sort_places(models, count)
    return models[:count]


@compiled
def cost_of(pool: Pool, places: Integers, ordered: Integers) -> float:
    """Add up costs from the cheapest up; leaves the places in order."""
    count = len(places)
    for place in range(count):
        ordered[place] = places[place]
    sort_places(ordered, count)
    cost = 0.0
    for place in ordered[:count]:
        cost += pool.costs[place]
    return cost
