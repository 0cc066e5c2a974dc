"""The batch, its queries and the answer, as compiled functions see them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_reveals import draw_changes
from headrace._backends._numba_samples import (
    LANES,
    add_scaled,
    draw_to,
    fill,
    padded_length,
    raise_to,
)
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
    """Of the queries' own covariances, shape (n, k, k); else (0, k, k)."""
    ran: Bools
    """Shape (0, k) where nothing has run."""
    samples: Floats
    """Standardised draws; a covariance that serves all queries has been folded in."""
    right: Floats
    """Of reveals, as are the next four; shape (0, k, 1) without."""
    wrong: Floats
    group: Integers
    scale: float
    falling: Integers
    """Places of each model's draws, from the largest to the smallest."""
    largest: float
    """Largest magnitude among the draws that will be used."""
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
    """One row of the batch. Model i's quality in sample s is ``quality + sigma * sample``."""

    qualities: Floats
    costs: Floats
    lambda_: float
    sigmas: Floats
    samples: Floats
    """Standardised draws of each model, shape (k, S)."""
    own_samples: Floats
    """Used instead, with a sigma of one, under a covariance of the query's own and where beliefs
    change by reveals; else (0, S)."""
    n_samples: int
    length: int
    """Padded number of samples."""
    ran: Integers
    """Ascending."""
    candidates: Integers
    """Ascending: may run next."""
    max_new: int
    """Most models that may be added."""
    largest: float
    """No draw is larger in magnitude."""
    allowance: float
    """Bounds the rounding error of a tradeoff, whatever the order of its additions."""
    cost_rounding: float
    """Bounds the rounding error of a sum of costs of candidates."""
    dearest: bool
    node_limit: int
    deadline: float
    stop: NDArray[np.uint8]
    clock: Floats


class Buffers(NamedTuple):
    """Room for a query."""

    ran: Integers
    candidates: Integers
    own_samples: Floats


@compiled
def make_buffers(batch: Batch) -> Buffers:
    """Make room for one query at a time."""
    k, n_samples = batch.samples.shape
    n_own = k if len(batch.factor) > 0 or len(batch.right) > 0 else 0
    return Buffers(np.empty(k, np.int64), np.empty(k, np.int64), np.empty((n_own, n_samples)))


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
    qualities = batch.qualities[row]
    costs = batch.costs[row % len(batch.costs)]
    lambda_ = batch.lambda_[row % len(batch.lambda_)]
    sigmas = batch.sigmas[row % len(batch.sigmas)]
    n_samples = batch.samples.shape[1]
    largest_sample = batch.largest
    own = len(buffers.own_samples) > 0
    if own:
        largest_sample = 0.0
        for i in range(len(qualities)):
            if batch.stop[0]:
                break
            draws = buffers.own_samples[i]
            if len(batch.factor) > 0:
                correlate(batch.factor[row, i], batch.samples, i, draws)
            elif len(batch.ran) > 0 and batch.ran[row, i]:
                fill(draws, 0.0)
            else:
                right, wrong = batch.right[batch.group[row], i], batch.wrong[batch.group[row], i]
                draw_changes(qualities[i], right, wrong, batch.scale, batch.falling[i], draws)
            for s in range(n_samples):
                largest_sample = max(largest_sample, abs(draws[s]))

    # Means add in eight lanes; what a bound adds to them is no larger than the spread of the draws
    # and the prices. Twice the first-order bound of either.
    lowest = np.inf
    highest = -np.inf
    for i in range(len(qualities)):
        reach = (1.0 if own else sigmas[i]) * largest_sample
        lowest = min(lowest, qualities[i] - reach)
        highest = max(highest, qualities[i] + reach)
    largest = max(abs(lowest), abs(highest))
    paid = 0.0
    for i in buffers.candidates[:n_candidates]:
        paid += costs[i]
    length = padded_length(n_samples)
    in_a_mean = float(length // LANES + 16)
    in_a_sum = float(len(qualities) + 16)
    spread = highest - lowest + lambda_ * paid
    return Query(
        qualities,
        costs,
        lambda_,
        sigmas,
        batch.samples,
        buffers.own_samples,
        n_samples,
        length,
        buffers.ran[:n_ran],
        buffers.candidates[:n_candidates],
        min(max(batch.max_models - n_ran, 0), n_candidates),
        largest,
        2.0 * EPSILON * (in_a_mean * largest + (in_a_mean + in_a_sum) * spread),
        2.0 * EPSILON * in_a_sum * paid,
        batch.dearest,
        batch.node_limit,
        batch.clock[0] + batch.time_limit,
        batch.stop,
        batch.clock,
    )


@compiled
def correlate(factor_row: Floats, samples: Floats, model: int, z: Floats) -> None:
    """Fill in a model's draws under a covariance: a row of L z."""
    for s in range(len(z)):
        z[s] = 0.0
    for j in range(model + 1):
        add_scaled(z, factor_row[j], samples[j])


@compiled_once
def fold_covariance(batch: Batch, samples: Floats, begin: int, end: int) -> None:
    """Fill in draws under a covariance that serves all queries, of models ``[begin, end)``."""
    for i in range(begin, end):
        correlate(batch.factor[0, i], batch.samples, i, samples[i])


@compiled
def draw(query: Query, model: int, x: Floats) -> None:
    """Draw a model's quality."""
    if len(query.own_samples) > 0:
        draw_to(x, query.qualities[model], 1.0, query.own_samples[model])
    else:
        draw_to(x, query.qualities[model], query.sigmas[model], query.samples[model])


@compiled
def draw_all(query: Query, draws: Floats) -> None:
    """Draw every model's quality."""
    for i in range(len(draws)):
        if query.stop[0]:
            break
        draw(query, i, draws[i])


@compiled
def best_of_ran(query: Query, best: Floats, scratch: Floats) -> None:
    """Fill in the best draws of what has run; zeros where nothing has."""
    fill(best, 0.0)
    for place in range(len(query.ran)):
        if place == 0:
            draw(query, query.ran[place], best)
        else:
            draw(query, query.ran[place], scratch)
            raise_to(best, scratch)


@compiled
def late(query: Query) -> bool:
    """Whether the work on a query is to end before its time."""
    return bool(query.stop[0] or query.clock[0] > query.deadline)


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
