"""Exhaustive search: every supermodel, twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_query import (
    Answer,
    Batch,
    Integers,
    load,
    make_buffers,
    rounding_allowance,
    write,
)
from headrace._backends._numba_samples import copy_to, raise_to, total
from headrace._backends._numba_sets import (
    Ground,
    ground_of,
    make_ground_buffers,
    models_of,
    wins_tie,
)
from headrace._problem import MAX_ENUMERATED, TIE_TOLERANCE, Floats

MOST_ENUMERATED_MODELS = MAX_ENUMERATED.bit_length() - 1
"""An enumeration of supermodels with more new models than this has been refused."""


@compiled_once
def decide_exhaustive(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """Visit every supermodel: for the best tradeoff, then for the tie's winner."""
    buffers = make_buffers(batch)
    ground_buffers = make_ground_buffers(batch, buffers.draws.shape[1])
    depth = min(batch.qualities.shape[1], batch.max_models, MOST_ENUMERATED_MODELS) + 1
    best = np.empty((depth, buffers.draws.shape[1]))
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        ground = ground_of(batch, query, ground_buffers)
        highest, _, _, _ = visit_all(ground, np.inf, best, batch.stop)
        _, added, quality, cost = visit_all(ground, highest - TIE_TOLERANCE, best, batch.stop)
        upper_bound = highest + rounding_allowance(query)
        write(batch, query, answer, row, added, quality, cost, upper_bound, batch.fixed_order)


@compiled
def visit_all(
    ground: Ground, threshold: float, best: Floats, stop: NDArray[np.uint8]
) -> tuple[float, Integers, float, float]:
    """Visit every supermodel, ``best[d]`` being the best draws with d models added.

    Returns the highest tradeoff; then the models, the quality and the cost of the winner of the
    tie among those whose tradeoff is not below the threshold.
    """
    m = len(ground.order)
    following = np.zeros(ground.max_new + 1, np.int64)
    chosen = np.zeros(ground.max_new, np.int64)
    costs = np.zeros(ground.max_new + 1)
    models = np.zeros(ground.max_new, np.int64)
    winner = np.zeros(ground.max_new, np.int64)
    n_winner = -1
    winner_quality = 0.0
    winner_cost = 0.0
    highest = -np.inf
    copy_to(best[0], ground.best_run)
    depth = 0
    while not stop[0]:
        if depth > 0 or ground.any_ran:
            quality = total(best[depth]) / ground.n_samples
            tradeoff = quality - ground.lambda_ * costs[depth]
            highest = max(highest, tradeoff)
            if tradeoff >= threshold:
                added = models_of(ground, chosen[:depth], models)
                if n_winner < 0 or wins_tie(
                    costs[depth], added, winner_cost, winner[:n_winner], ground.dearest
                ):
                    n_winner = depth
                    winner[:depth] = added
                    winner_quality = quality
                    winner_cost = costs[depth]
        while depth > 0 and (depth == ground.max_new or following[depth] == m):
            depth -= 1
        if depth == ground.max_new or following[depth] == m:
            break
        j = following[depth]
        following[depth] += 1
        if depth > 0 or ground.any_ran:
            copy_to(best[depth + 1], best[depth])
            raise_to(best[depth + 1], ground.draws[j])
        else:
            copy_to(best[depth + 1], ground.draws[j])
        costs[depth + 1] = costs[depth] + ground.costs[j]
        chosen[depth] = j
        depth += 1
        following[depth] = j + 1
    return highest, winner[: max(n_winner, 0)], winner_quality, winner_cost
