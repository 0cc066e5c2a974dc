"""The batch, its queries and the answer, as compiled functions see them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_samples import copy_to, padded_length, raise_to
from headrace._problem import Bools, Floats

Integers = NDArray[np.int64]

EPSILON = float(np.finfo(np.float64).eps)


class Batch(NamedTuple):
    """The problem in arrays of fixed types; arrays of one row serve all queries."""

    qualities: Floats
    costs: Floats
    lambda_: Floats
    sigmas: Floats
    factor: Floats
    """Shape (0, k, k) where there is no covariance."""
    ran: Bools
    """Shape (0, k) where nothing has run."""
    samples: Floats
    """Shape (k, 0) where nothing is uncertain."""
    max_models: int
    fixed_order: bool
    dearest: bool
    """Whether ties take the highest cost."""
    node_limit: int
    """Zero: none."""
    time_limit: float
    """Seconds; infinite: none."""
    stop: NDArray[np.uint8]
    """Set to end the work early."""
    clock: Floats
    """Seconds, kept up to date by the calling thread."""
    stamp: NDArray[Any]
    """Its type names the sources (see ``_numba_compile``)."""


class Answer(NamedTuple):
    """The arrays of a selection."""

    next_model: Integers
    supermodel: Bools
    tradeoff: Floats
    quality: Floats
    cost: Floats
    upper_bound: Floats
    optimal: Bools
    nodes: Integers


class Query(NamedTuple):
    """One row of the batch."""

    qualities: Floats
    costs: Floats
    lambda_: float
    sigmas: Floats
    draws: Floats
    """Draws of each model's quality, shape (k, padded S)."""
    n_samples: int
    ran: Integers
    """Ascending."""
    candidates: Integers
    """Ascending: may run next."""
    max_new: int
    """Most models that may be added."""


class Buffers(NamedTuple):
    """Room for a query."""

    draws: Floats
    ran: Integers
    candidates: Integers
    gap: Floats


@compiled
def make_buffers(batch: Batch) -> Buffers:
    """Make room for one query at a time."""
    k = batch.qualities.shape[1]
    length = padded_length(max(batch.samples.shape[1], 1))
    return Buffers(
        np.zeros((k, length)), np.empty(k, np.int64), np.empty(k, np.int64), np.zeros(length)
    )


@compiled
def load(batch: Batch, row: int, buffers: Buffers) -> Query:
    """Take one row of the batch."""
    n_ran = 0
    n_candidates = 0
    for i in range(batch.qualities.shape[1]):
        if len(batch.ran) > 0 and batch.ran[row, i]:
            buffers.ran[n_ran] = i
            n_ran += 1
            if batch.fixed_order:
                n_candidates = 0
        else:
            buffers.candidates[n_candidates] = i
            n_candidates += 1
    make_draws(batch, row, buffers.draws)
    return Query(
        batch.qualities[row],
        batch.costs[row % len(batch.costs)],
        batch.lambda_[row % len(batch.lambda_)],
        batch.sigmas[row % len(batch.sigmas)],
        buffers.draws,
        max(batch.samples.shape[1], 1),
        buffers.ran[:n_ran],
        buffers.candidates[:n_candidates],
        min(max(batch.max_models - n_ran, 0), n_candidates),
    )


@compiled
def make_draws(batch: Batch, row: int, draws: Floats) -> None:
    """Draw every model's quality: ``q + sigma z``, or ``q + L z``."""
    samples = batch.samples
    n_samples = samples.shape[1]
    for i in range(len(draws)):
        quality = batch.qualities[row, i]
        if n_samples == 0:
            draws[i, 0] = quality
        elif len(batch.factor) > 0:
            if batch.stop[0]:
                return
            for s in range(n_samples):
                draws[i, s] = 0.0
            for j in range(i + 1):
                weight = batch.factor[row % len(batch.factor), i, j]
                for s in range(n_samples):
                    draws[i, s] += weight * samples[j, s]
            for s in range(n_samples):
                draws[i, s] = quality + draws[i, s]
        else:
            sigma = batch.sigmas[row % len(batch.sigmas), i]
            for s in range(n_samples):
                draws[i, s] = quality + sigma * samples[i, s]


@compiled
def rounding_allowance(query: Query) -> float:
    """Bound the rounding error of a tradeoff, whatever the order of addition."""
    k = len(query.qualities)
    largest = 0.0
    for i in range(k):
        for s in range(query.n_samples):
            largest = max(largest, abs(query.draws[i, s]))
    paid = 0.0
    for i in query.candidates:
        paid += query.costs[i]
    return EPSILON * float(query.n_samples + k + 8) * (largest + query.lambda_ * paid)


@compiled
def write(
    batch: Batch,
    query: Query,
    answer: Answer,
    row: int,
    added: Integers,
    quality: float,
    cost: float,
    upper_bound: float,
    in_order: bool,
) -> None:
    """Write a decision that is optimal; ``added`` is ascending."""
    for i in query.ran:
        answer.supermodel[row, i] = True
    following = -1
    for i in added:
        answer.supermodel[row, i] = True
        if following < 0 or (not in_order and query.costs[i] < query.costs[following]):
            following = i
    answer.next_model[row] = following
    answer.quality[row] = quality
    answer.cost[row] = cost
    answer.tradeoff[row] = quality - query.lambda_ * cost
    answer.upper_bound[row] = upper_bound
    answer.optimal[row] = True


@compiled
def best_of_run(query: Query, best: Floats) -> None:
    """Fill in the best draws of what has run; zeros where nothing has."""
    best[:] = 0.0
    for place in range(len(query.ran)):
        x = query.draws[query.ran[place]]
        if place == 0:
            copy_to(best, x)
        else:
            raise_to(best, x)
