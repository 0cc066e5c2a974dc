"""Cascade: what has run, or a prefix of the models that contains it."""

from __future__ import annotations

import numpy as np

from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_query import (
    Answer,
    Batch,
    best_of_ran,
    draw,
    load,
    make_buffers,
)
from headrace._backends._numba_samples import copy_to, padded_length, raise_to, total
from headrace._backends._numba_shortlist import add_option, make_shortlist, write_option
from headrace._problem import Floats


@compiled_once
def decide_cascade(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """What has run, or a prefix of the models that contains it."""
    buffers = make_buffers(batch)
    options = make_shortlist(batch)
    added = np.zeros(len(options.values), np.int64)
    prices = np.empty(len(added))
    best = np.zeros(padded_length(batch.samples.shape[1]))
    draws = np.zeros(len(best))
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        count = 0
        best_of_ran(query, best, draws)
        if len(query.ran) > 0:
            quality = total(best) / query.n_samples
            count = add_option(options, count, quality, quality, 0.0, 0)
        n_ran = 0
        n_added = 0
        for i in range(min(len(query.qualities), batch.max_models)):
            if n_ran < len(query.ran) and query.ran[n_ran] == i:
                n_ran += 1
            else:
                draw(query, i, draws)
                if len(query.ran) == 0 and n_added == 0:
                    copy_to(best, draws)
                else:
                    raise_to(best, draws)
                added[n_added] = i
                insert_sorted(prices, n_added, query.costs[i])
                n_added += 1
            if n_ran < len(query.ran) or n_added == 0:
                continue
            quality = total(best) / query.n_samples
            cost = 0.0
            for place in range(n_added):
                cost += prices[place]
            value = quality - query.lambda_ * cost
            count = add_option(options, count, value, quality, cost, n_added)
        write_option(batch, query, answer, row, options, count, added, True)


@compiled
def insert_sorted(values: Floats, count: int, value: float) -> None:
    """Insert into the ascending ``values[:count]``."""
    place = count
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        place -= 1
    values[place] = value
