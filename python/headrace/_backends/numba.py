"""The fallback where nothing is compiled: the same decisions from kernels compiled at run time.

The kernels are in ``_numba_kernels``, which alone imports numba, when a batch comes.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from importlib.util import find_spec

import numpy as np

from headrace._backends.reference import query_of, refuse_too_many
from headrace._problem import Problem
from headrace._selection import Selection

SMALL_BATCH = 4096
"""Fewer draws than this are decided on the calling thread, if no search can take long."""
CHUNKS_PER_THREAD = 8
SECONDS_BETWEEN_TICKS = 0.02

STRATEGIES = {"routing": 0, "cascade": 1, "index": 2, "cascade_routing": 3}
SEARCHES = {"exact": 0, "greedy": 1, "exhaustive": 2}


def available() -> str | None:
    """Say why the backend cannot run; None: it can."""
    if "numba" in sys.modules:
        found = sys.modules["numba"] is not None
    else:
        found = find_spec("numba") is not None
    return None if found else "numba is not installed: pip install 'headrace[numba]'"


def select(problem: Problem, n_threads: int) -> Selection:
    """Decide the batch on up to ``n_threads`` threads, without the interpreter's lock."""
    from headrace._backends import _numba_kernels as kernels

    selection = Selection.empty(problem.n_queries, problem.n_models)
    if problem.n_queries == 0:
        return selection
    searches = problem.strategy == "cascade_routing" and problem.search != "greedy"
    if searches and problem.search == "exhaustive":
        for row in range(problem.n_queries if problem.ran is not None else 1):
            refuse_too_many(query_of(problem, row))

    # Shared with the kernels: whether to stop, and the time as the waiting thread last saw it.
    stop = np.zeros(1, dtype=np.uint8)
    clock = np.array([time.perf_counter()])
    nothing = np.zeros((1, 1))
    arguments = (
        problem.qualities,
        problem.costs,
        problem.lambda_,
        nothing if problem.sigmas is None else problem.sigmas,
        problem.sigmas is not None,
        np.zeros((1, 1, 1)) if problem.factor is None else problem.factor,
        problem.factor is not None,
        np.zeros((1, 1), dtype=np.bool_) if problem.ran is None else problem.ran,
        problem.ran is not None,
        nothing if problem.samples is None else np.ascontiguousarray(problem.samples),
        problem.samples is not None,
        STRATEGIES[problem.strategy],
        SEARCHES[problem.search],
        problem.max_models,
        problem.fixed_order,
        problem.ties == "cheapest",
        problem.node_limit or 0,
        problem.time_limit or 0.0,
        stop,
        clock,
        selection.next_model,
        selection.supermodel,
        selection.tradeoff,
        selection.quality,
        selection.cost,
        selection.upper_bound,
        selection.optimal,
    )
    n = problem.n_queries
    work = n * problem.n_models * problem.n_samples
    if work <= SMALL_BATCH and not (searches and problem.n_models > 12):
        kernels.decide_rows(0, n, *arguments)
        return selection

    chunk = max(1, min(256, n // (n_threads * CHUNKS_PER_THREAD)))
    lock = threading.Lock()
    starts = iter(range(0, n, chunk))

    def work_through() -> None:
        while not stop[0]:
            with lock:
                begin = next(starts, n)
            if begin >= n:
                return
            kernels.decide_rows(begin, min(begin + chunk, n), *arguments)

    tick = 0.0005 if problem.time_limit is not None else SECONDS_BETWEEN_TICKS
    with ThreadPoolExecutor(min(n_threads, -(-n // chunk))) as pool:
        try:
            workers = [pool.submit(work_through) for _ in range(min(n_threads, -(-n // chunk)))]
            while wait(workers, timeout=tick, return_when=FIRST_EXCEPTION).not_done:
                clock[0] = time.perf_counter()
                if any(worker.done() and worker.exception() for worker in workers):
                    stop[0] = 1
        except BaseException:
            stop[0] = 1
            raise
    for worker in workers:
        worker.result()
    return selection
