"""Routing: one model, by its estimate alone; once a model has run, stop."""

from __future__ import annotations

import numpy as np

from headrace._backends._numba_compile import compiled_once
from headrace._backends._numba_query import Answer, Batch, load, make_buffers
from headrace._backends._numba_shortlist import add_option, make_shortlist, write_option


@compiled_once
def decide_routing(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """One model, by its estimate; once a model has run, stop."""
    buffers = make_buffers(batch)
    options = make_shortlist(batch)
    added = np.zeros(len(options.values), np.int64)
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        count = 0
        if len(query.ran) > 0:
            best = -np.inf
            for i in query.ran:
                best = max(best, query.qualities[i])
            count = add_option(options, count, best, best, 0.0, 0)
        else:
            for i in query.candidates:
                quality = query.qualities[i]
                cost = query.costs[i]
                added[count] = i
                value = quality - query.lambda_ * cost
                count = add_option(options, count, value, quality, cost, 1)
        write_option(batch, query, answer, row, options, count, added, False)
