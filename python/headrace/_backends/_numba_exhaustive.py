"""Exhaustive search: every supermodel, twice."""

from __future__ import annotations

import numpy as np

from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_pool import Pool, fill_pool, make_pool, models_of
from headrace._backends._numba_query import (
    Answer,
    Batch,
    Integers,
    Query,
    best_of_ran,
    load,
    make_buffers,
    write,
)
from headrace._backends._numba_samples import copy_to, padded_length, raise_to, total
from headrace._backends._numba_shortlist import wins_tie
from headrace._problem import MAX_ENUMERATED, TIE_TOLERANCE, Floats

MOST_ENUMERATED_MODELS = MAX_ENUMERATED.bit_length() - 1
"""An enumeration of supermodels with more new models than this has been refused."""


@compiled_once
def decide_exhaustive(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """Visit every supermodel: for the best tradeoff, then for the tie's winner."""
    buffers = make_buffers(batch)
    k, n_samples = batch.samples.shape
    length = padded_length(n_samples)
    room = make_pool(k, length)
    best = np.empty((min(k, batch.max_models, MOST_ENUMERATED_MODELS) + 1, length))
    scratch = np.empty(length)
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        pool = fill_pool(query, query.candidates, room)
        best_of_ran(query, best[0], scratch)
        highest, _, _, _ = visit_all(query, pool, np.inf, best)
        threshold = highest - TIE_TOLERANCE
        _, added, quality, cost = visit_all(query, pool, threshold, best)
        upper_bound = highest + query.allowance
        write(batch, query, answer, row, added, quality, cost, upper_bound, batch.fixed_order)


@compiled
def visit_all(
    query: Query, pool: Pool, threshold: float, best: Floats
) -> tuple[float, Integers, float, float]:
    """Visit every supermodel.

    ``best[d]`` are the best draws with d models added; the first is given. Returns the highest
    tradeoff; then the models, the quality and the cost of the winner of the tie among those whose
    tradeoff is not below the threshold.
    """
    m = len(pool.models)
    any_ran = len(query.ran) > 0
    following = np.zeros(query.max_new + 1, np.int64)
    chosen = np.zeros(query.max_new, np.int64)
    costs = np.zeros(query.max_new + 1)
    models = np.zeros(query.max_new, np.int64)
    winner = np.zeros(query.max_new, np.int64)
    n_winner = -1
    winner_quality = 0.0
    winner_cost = 0.0
    highest = -np.inf
    depth = 0
    while not query.stop[0]:
        if depth > 0 or any_ran:
            quality = total(best[depth]) / query.n_samples
            tradeoff = quality - query.lambda_ * costs[depth]
            highest = max(highest, tradeoff)
            if tradeoff >= threshold:
                added = models_of(pool, chosen[:depth], models)
                if n_winner < 0 or wins_tie(
                    costs[depth], added, winner_cost, winner[:n_winner], query.dearest
                ):
                    n_winner = depth
                    winner[:depth] = added
                    winner_quality = quality
                    winner_cost = costs[depth]
        while depth > 0 and (depth == query.max_new or following[depth] == m):
            depth -= 1
        if depth == query.max_new or following[depth] == m:
            break
        j = following[depth]
        following[depth] += 1
        if depth > 0 or any_ran:
            copy_to(best[depth + 1], best[depth])
            raise_to(best[depth + 1], pool.draws[j])
        else:
            copy_to(best[depth + 1], pool.draws[j])
        costs[depth + 1] = costs[depth] + pool.costs[j]
        chosen[depth] = j
        depth += 1
        following[depth] = j + 1
    return highest, winner[: max(n_winner, 0)], winner_quality, winner_cost
