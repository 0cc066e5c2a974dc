"""Sets of candidate models, as both searches see them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_query import Batch, Integers, Query, best_of_run
from headrace._backends._numba_samples import copy_to
from headrace._problem import Floats


class Ground(NamedTuple):
    """The candidates from the cheapest up, and what has run. Models are places among them."""

    order: Integers
    """Index of each candidate among all models."""
    costs: Floats
    prices: Floats
    """``lambda_`` times the cost."""
    draws: Floats
    best_run: Floats
    """Best draws of what has run."""
    any_ran: bool
    max_new: int
    n_samples: int
    lambda_: float
    dearest: bool


class GroundBuffers(NamedTuple):
    """Room for the candidates of a query."""

    order: Integers
    costs: Floats
    prices: Floats
    draws: Floats
    best_run: Floats


@compiled
def make_ground_buffers(batch: Batch, length: int) -> GroundBuffers:
    """Make room for the candidates of one query at a time."""
    k = batch.qualities.shape[1]
    return GroundBuffers(
        np.empty(k, np.int64), np.empty(k), np.empty(k), np.empty((k, length)), np.empty(length)
    )


@compiled
def ground_of(batch: Batch, query: Query, buffers: GroundBuffers) -> Ground:
    """Sort the candidates of a query."""
    m = len(query.candidates)
    for j in range(m):
        buffers.costs[j] = query.costs[query.candidates[j]]
    places = np.argsort(buffers.costs[:m], kind="mergesort")
    for j in range(m):
        i = query.candidates[places[j]]
        buffers.order[j] = i
        buffers.costs[j] = query.costs[i]
        buffers.prices[j] = query.lambda_ * query.costs[i]
        copy_to(buffers.draws[j], query.draws[i])
    best_of_run(query, buffers.best_run)
    return Ground(
        buffers.order[:m],
        buffers.costs[:m],
        buffers.prices[:m],
        buffers.draws[:m],
        buffers.best_run,
        len(query.ran) > 0,
        query.max_new,
        query.n_samples,
        query.lambda_,
        batch.dearest,
    )


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


@compiled
def models_of(ground: Ground, places: Integers, models: Integers) -> Integers:
    """Turn places among the candidates into ascending indices of models."""
    count = len(places)
    for place in range(count):
        models[place] = ground.order[places[place]]
    models[:count].sort()
    return models[:count]
