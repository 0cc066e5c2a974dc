"""Greedy search (the paper's variant): what has run, or one model more."""

from __future__ import annotations

import numpy as np

from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_query import (
    Answer,
    Batch,
    Query,
    best_of_ran,
    draw_all,
    load,
    make_buffers,
)
from headrace._backends._numba_samples import copy_to, mean_excess, padded_length, raise_to, total
from headrace._backends._numba_shortlist import add_option, make_shortlist, settle, write_option
from headrace._problem import TIE_TOLERANCE, Floats


@compiled_once
def decide_greedy(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """What has run, or one model more, with a bound of every supermodel."""
    buffers = make_buffers(batch)
    options = make_shortlist(batch)
    added = np.zeros(len(options.values), np.int64)
    gains = np.empty(len(added))
    k, n_samples = batch.samples.shape
    draws = np.empty((k, padded_length(n_samples)))
    best_ran = np.zeros(draws.shape[1])
    best = np.zeros(draws.shape[1])
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        count = 0
        draw_all(query, draws)
        best_of_ran(query, best_ran, best)
        if len(query.ran) > 0:
            quality = total(best_ran) / query.n_samples
            count = add_option(options, count, quality, quality, 0.0, 0)
        if query.max_new > 0:
            for i in query.candidates:
                copy_to(best, draws[i])
                if len(query.ran) > 0:
                    raise_to(best, best_ran)
                quality = total(best) / query.n_samples
                cost = query.costs[i]
                added[count] = i
                value = quality - query.lambda_ * cost
                count = add_option(options, count, value, quality, cost, 1)
        write_option(batch, query, answer, row, options, count, added, False)

        winner, _ = settle(options, count, batch.dearest)
        if options.n_added[winner] == 0:
            copy_to(best, best_ran)
        else:
            copy_to(best, draws[added[winner]])
            if len(query.ran) > 0:
                raise_to(best, best_ran)
        bound = supermodel_bound(query, draws, best, gains)
        answer.upper_bound[row] = bound + query.allowance
        answer.optimal[row] = bound - answer.tradeoff[row] <= TIE_TOLERANCE + query.allowance


@compiled
def supermodel_bound(query: Query, draws: Floats, best: Floats, gains: Floats) -> float:
    """Bound every supermodel's tradeoff by the best draws of the chosen one.

    The dual of facility location (Erlenkotter, 1978): what models add, they add at most alone.
    """
    count = 0
    for i in query.candidates:
        gain = mean_excess(draws[i], best, query.n_samples) - query.lambda_ * query.costs[i]
        gains[count] = gain
        count += 1
    gains[:count].sort()
    bound = total(best) / query.n_samples
    for slot in range(query.max_new):
        gain = gains[count - 1 - slot]
        if not gain > 0.0:
            break
        bound += gain
    return bound
