"""The backend for machines without a compiler: hands the checked arrays to compiled kernels.

Neither numba nor the kernels are imported before they decide something.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
import pkgutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headrace._backends import _index_of_reveals, _levels
from headrace._problem import MAX_ENUMERATED, Problem
from headrace._reveals import Reveals
from headrace._rollout_problem import RolloutProblem, Traces
from headrace._selection import Selection

if TYPE_CHECKING:
    from headrace._backends._numba_query import Answer, Batch

Decide = Callable[[int, int], None]
"""Decides rows ``[begin, end)``."""

CHECKS_VALUES = False

OPERATIONS_PER_CHUNK = 1e8
"""About 0.1 s: so long may signals wait."""

OPERATIONS_PER_THREAD = 1e7
"""So much work is worth a thread."""

CHUNKS_PER_THREAD = 16


def available() -> str | None:
    """Say why the backend cannot run; None: it can."""
    try:
        spec = importlib.util.find_spec("numba")
    except (ImportError, ValueError) as error:
        return f"numba cannot be imported: {error}"
    return None if spec is not None else "numba is not installed"


def select(problem: Problem, n_threads: int) -> Selection:
    """Decide the batch on ``n_threads`` threads, without the interpreter's lock."""
    selection = Selection.empty(problem.n_queries, problem.n_models)
    if problem.n_queries == 0:
        return selection
    if problem.reveals is not None and problem.strategy == "index":
        return _index_of_reveals.select(problem)
    plan = problem.search if problem.strategy == "cascade_routing" else problem.strategy
    if plan == "exhaustive":
        refuse_too_many(problem)
    kernel = getattr(importlib.import_module(f"headrace._backends._numba_{plan}"), f"decide_{plan}")
    batch = batch_of(problem)
    answer = answer_of(selection)

    def decide(begin: int, end: int) -> None:
        kernel(batch, answer, begin, end)

    run(problem, decide, batch, n_threads)
    return selection


def roll_out(problem: RolloutProblem, n_threads: int) -> Traces:
    """Roll out on batches of decisions."""
    return _levels.roll_out(problem, partial(select, n_threads=n_threads))


def batch_of(problem: Problem) -> Batch:
    """Fill in what the problem leaves out, in the types that the kernels are compiled for."""
    from headrace._backends._numba_query import Batch

    k = problem.n_models
    samples = problem.samples
    factor = None if samples is None else problem.factor
    reveals = problem.reveals
    if reveals is None or samples is None:
        nothing = np.zeros((0, k, 1))
        reveals = Reveals(nothing, nothing, np.zeros(0, np.int64))
        order = np.zeros((k, 0))
    else:
        order = -samples
    batch = Batch(
        qualities=as_input(problem.qualities),
        costs=as_input(problem.costs),
        lambda_=as_input(problem.lambda_),
        sigmas=as_input(np.zeros((1, k)) if problem.sigmas is None else problem.sigmas),
        factor=as_input(np.zeros((0, k, k)) if factor is None else factor),
        ran=as_input(np.zeros((0, k), np.bool_) if problem.ran is None else problem.ran),
        samples=as_input(np.zeros((k, 1)) if samples is None else samples),
        right=as_input(reveals.right),
        wrong=as_input(reveals.wrong),
        group=as_input(reveals.group),
        scale=float(reveals.scale),
        falling=as_input(np.argsort(order, axis=1, kind="stable")),
        largest=0.0 if samples is None else largest(samples),
        max_models=problem.max_models,
        fixed_order=problem.fixed_order,
        dearest=problem.ties == "dearest",
        node_limit=problem.node_limit or 0,
        time_limit=math.inf if problem.time_limit is None else problem.time_limit,
        stop=np.zeros(1, np.uint8),
        clock=np.array([time.monotonic()]),
        stamp=stamp(),
    )
    return folded(batch) if len(batch.factor) == 1 else batch


def folded(batch: Batch) -> Batch:
    """Fold a covariance that serves all queries into the draws, which then have a sigma of one."""
    from headrace._backends._numba_query import fold_covariance

    k, n_samples = batch.samples.shape
    samples = np.empty((k, n_samples))
    for begin, end in chunks(k, max(1, int(OPERATIONS_PER_CHUNK // samples.size))):
        fold_covariance(batch, samples, begin, end)
    return batch._replace(
        samples=as_input(samples),
        largest=largest(samples),
        sigmas=as_input(np.ones((1, k))),
        factor=as_input(np.zeros((0, k, k))),
    )


def largest(samples: NDArray[np.float64]) -> float:
    """Return the largest magnitude."""
    return float(max(samples.max(), -samples.min()))


def answer_of(selection: Selection) -> Answer:
    """Name the arrays of a selection for the kernels."""
    from headrace._backends._numba_query import Answer

    return Answer(
        selection.next_model,
        selection.supermodel,
        selection.tradeoff,
        selection.quality,
        selection.cost,
        selection.upper_bound,
        selection.optimal,
        selection.nodes,
    )


@functools.cache
def stamp() -> NDArray[Any]:
    """Stand for everything that kernels are compiled from."""
    from headrace._backends import _numba_compile

    directory = importlib.import_module("headrace._backends").__path__
    kernels = [found.name for found in pkgutil.iter_modules(directory)]
    names = [f"headrace._backends.{name}" for name in sorted(kernels) if name.startswith("_numba")]
    names += ["headrace._problem", "headrace._reservation"]
    return _numba_compile.stamp_of([importlib.import_module(name) for name in names])


def as_input(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: kernels are compiled once, for such arrays."""
    view = np.require(array, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view


def run(problem: Problem, decide: Decide, batch: Batch, n_threads: int) -> None:
    """Split the batch into chunks, here or on threads.

    Signal handlers run between chunks or while the threads work; what they raise stops the work.
    """
    n = problem.n_queries
    operations = operations_per_query(problem)
    short = problem.time_limit is None and operations <= OPERATIONS_PER_CHUNK
    if short:
        n_threads = min(n_threads, math.ceil(n * operations / OPERATIONS_PER_THREAD))
    if short and n_threads == 1:
        for begin, end in chunks(n, int(OPERATIONS_PER_CHUNK // operations)):
            decide(begin, end)
    else:
        run_on_threads(n, decide, batch, min(n_threads, n))


def run_on_threads(n: int, decide: Decide, batch: Batch, n_threads: int) -> None:
    """Decide on threads, while this one keeps the clock and stays open to signals."""

    def work(begin: int, end: int) -> None:
        try:
            decide(begin, end)
        except BaseException:
            batch.stop[0] = 1
            raise

    decide(0, 0)  # compiles here, where it can be interrupted
    pause = 0.05 if math.isinf(batch.time_limit) else 0.001
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            size = -(-n // (n_threads * CHUNKS_PER_THREAD))
            tasks = [pool.submit(work, begin, end) for begin, end in chunks(n, size)]
            while wait(tasks, timeout=pause).not_done:
                batch.clock[0] = time.monotonic()
        finally:
            batch.stop[0] = 1
    for task in tasks:
        task.result()


def chunks(n: int, chunk: int) -> Iterator[tuple[int, int]]:
    """Split rows into ranges."""
    for begin in range(0, n, chunk):
        yield begin, min(begin + chunk, n)


def operations_per_query(problem: Problem) -> float:
    """Estimate the work of one query: a little too much rather than too little."""
    k = problem.n_models
    draws = float(k * problem.n_samples)
    if problem.factor is not None and len(problem.factor) > 1:
        draws *= k
    if problem.strategy != "cascade_routing":
        return 10.0 * (draws + k * k)
    if problem.search == "greedy":
        return 10.0 * draws
    sets = 2.0 ** min(k, 64)
    if problem.search == "exhaustive":
        sets = min(sets, 2.0 * MAX_ENUMERATED)
    return 4.0 * (draws + sets * problem.n_samples)


def refuse_too_many(problem: Problem) -> None:
    """Refuse an enumeration that would not end."""
    k = problem.n_models
    ran = np.zeros((1, k), np.bool_) if problem.ran is None else problem.ran
    n_ran = ran.sum(axis=1)
    after = np.where(ran.any(axis=1), k - ran[:, ::-1].argmax(axis=1), 0)
    candidates = k - (after if problem.fixed_order else n_ran)
    room = np.clip(problem.max_models - n_ran, 0, candidates)
    for m, most in sorted(set(zip(candidates.tolist(), room.tolist(), strict=True))):
        if sum(math.comb(m, size) for size in range(most + 1)) > MAX_ENUMERATED:
            raise ValueError(
                f"enumerating more than {MAX_ENUMERATED} supermodels of {m} candidate models "
                "would take too long: use search='exact', or a lower max_depth"
            )
