"""Latency and memory of sessions, from Python, against the figures to reach.

One thread, exact search, two kinds of routers. *given*: estimates that the user brings along, those
of the workload `uniform`, so that a decision is the search and nothing else. *joint*: one Gaussian
model of all models, in which each answer changes what is expected of every model, and a decision is
the new estimates and the search.

A router decides simulated queries from their start to their end; each ``next_model`` and each
``observe`` is timed by itself, with the garbage collector on. Every fifth query is walked once more
by the compiled call alone, in turn after and before: whoever comes second finds in the cache what
the decisions read. Python's share is the median difference of the same decisions, the mean of both
orders. Decisions of the first queries are asserted to be those of `Router.select`.

What else the machine does is in every tail. So a loop that does nothing, and takes as long as the
median decision, is timed in the same way once the decisions are. And the queries are walked again
and again: *at its shortest* has of each decision the shortest of all its times, in which nothing
came between, so that what is left of the tail is the decisions that are harder than others.

`batch_select` of one query is timed on the first decisions of *given*, in turn before and after the
compiled call of a session that decides the same.

With ``--apart`` the thread writes half a megabyte and gives way before each call that is timed. The
caches, and what the processor has learned of the branches, are then not of the last decision, as in
a service, where a request lies between two calls.
"""

from __future__ import annotations

import argparse
import gc
import os
from array import array
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep

import headrace as hr
import numpy as np
from common import machine
from figures import Goal, Measured, figures
from headrace._plain_session import PlainSession
from numpy.typing import NDArray
from tables import Table, microseconds
from workloads import WORKLOADS, Floats

N_TRAINING, N_QUERIES = 400, 2000
PRICE = 0.05
"""Quality for a unit of cost: about three of the models run on a query."""
SIZES = (10, 50, 200)
POINTS = (0.5, 0.99, 0.999)
WARM_UP = 500
"""Queries before any time counts."""
N_COMPARED = 40
"""Queries whose decisions are compared with `Router.select`."""
MOST_LOOPS = 100_000
"""Loops that do nothing, for each size."""
FULL, OTHER = bytearray(1 << 19), bytes(1 << 19)
"""What is written between calls that are apart."""
OPEN, OPEN_MODELS = 10_000, 50
"""Sessions that are open at once, to measure their memory, and their models."""
PAGE = 4096 if not hasattr(os, "sysconf") else os.sysconf("SC_PAGE_SIZE")

MEDIANS = {10: 8.0, 50: 20.0, 200: 60.0}
"""Microseconds, to reach."""
SHARE = "Python's share"
TAIL, OWN_TAIL = "p99.9 / p50", "p99.9 / p50 at its shortest"
LIMITS = ((TAIL, 10.0, "x"), (OWN_TAIL, 10.0, "x"), (SHARE, 3.0, "us"))
KINDS = ("given", "joint")
CASES = {(kind, k): f"next_model, {kind}, k = {k}" for kind in KINDS for k in SIZES}
SINGLE = {k: f"batch_select of one query, k = {k}" for k in SIZES}
MOST_SINGLE = 200_000
"""Calls of `batch_select`, for each size."""
GOALS = (
    *(Goal(case, "p50", MEDIANS[k], "us", at_least=False) for (_, k), case in CASES.items()),
    *(Goal(case, *limit, at_least=False) for limit in LIMITS for case in CASES.values()),
    *(Goal(case, *LIMITS[-1], at_least=False) for case in SINGLE.values()),
    Goal(f"{OPEN:,} open sessions, k = {OPEN_MODELS}", "memory", 100.0, "MB", at_least=False),
)


def answer_log(k: int, n: int, seed: int) -> hr.QueryLog:
    """Return a log of models whose quality grows with the logarithm of their cost."""
    rng = np.random.default_rng(seed)
    skill = np.linspace(-0.5, 1.5, k) + 0.2 * rng.normal(size=k)
    hard = rng.normal(size=(n, 1))
    level = skill - hard + 0.6 * rng.normal(size=(n, k))
    quality = (rng.random((n, k)) < 1.0 / (1.0 + np.exp(-1.5 * level))).astype(float)
    signals = quality + 0.5 * rng.normal(size=(n, k))
    features = np.column_stack([hard + 0.5 * rng.normal(size=(n, 1)), rng.normal(size=(n, 3))])
    cost = np.geomspace(0.1, 10.0, k) * np.exp(0.1 * rng.normal(size=(n, k)))
    return hr.QueryLog(quality, cost, features=features, signals=signals)


def joint(k: int, strategy: str = "cascade_routing") -> tuple[hr.Router, hr.QueryLog]:
    """Return a router with a model of all models, and queries."""
    router = hr.Router(
        hr.GaussianEstimator(), strategy=strategy, lookahead=0.5, lambda_=PRICE, n_threads=1
    )
    return router.fit(answer_log(k, N_TRAINING, seed=0)), answer_log(k, N_QUERIES, seed=1)


def given(k: int, strategy: str = "cascade_routing") -> tuple[hr.Router, hr.QueryLog]:
    """Return a router with the user's own estimates, and the queries that they are of."""
    drawn = WORKLOADS["uniform"](N_QUERIES, k, 0)
    assert drawn.sigmas is not None
    after = drawn.qualities + drawn.sigmas * np.random.default_rng(1).normal(size=(N_QUERIES, k))
    estimator = hr.PrecomputedEstimator(drawn.qualities, drawn.costs, drawn.sigmas, post=after)
    log = hr.QueryLog(np.full((N_QUERIES, k), np.nan), drawn.costs)
    price = float(drawn.lambdas.mean())
    router = hr.Router(estimator, strategy=strategy, lookahead=1.0, lambda_=price, n_threads=1)
    return router.fit(log, refit=False), log


MAKERS: dict[str, Callable[..., tuple[hr.Router, hr.QueryLog]]] = {"given": given, "joint": joint}
"""By the kind of estimates, a function of the number of models and the strategy."""


def paths(
    router: hr.Router, queries: hr.Queries, dearer: NDArray[np.bool_] | None = None
) -> list[list[int]]:
    """Decide with `Router.select`, step by step, which models run on each query."""
    dear = np.zeros(len(queries), dtype=np.bool_) if dearer is None else dearer
    found: list[list[int]] = [[] for _ in range(len(queries))]
    ran = np.zeros((len(queries), queries.n_models), dtype=np.bool_)
    active = np.arange(len(queries))
    while len(active):
        selection = router.select(queries.rows(active), ran[active], dearer=dear[active])
        chosen = selection.next_model
        active, chosen = active[chosen >= 0], chosen[chosen >= 0]
        ran[active, chosen] = True
        for row, model in zip(active.tolist(), chosen.tolist(), strict=True):
            found[row].append(model)
    return found


def no_times() -> array[float]:
    """Return room for seconds, into which the garbage collector does not look."""
    return array("d")


@dataclass
class Times:
    """Seconds of each call; ``first`` and ``second``: of Python over the compiled call.

    ``shortest`` has of each decision, by its query and how many have run, the shortest time.
    """

    next_model: array[float] = field(default_factory=no_times)
    observe: array[float] = field(default_factory=no_times)
    compiled: array[float] = field(default_factory=no_times)
    first: array[float] = field(default_factory=no_times)
    second: array[float] = field(default_factory=no_times)
    shortest: dict[tuple[int, int], float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """What Python takes of a decision, whether it or the compiled call comes first."""
        return float(np.median(self.first) + np.median(self.second)) / 2.0


def do_nothing() -> None:
    """Go from one call to the next."""


def do_other_work() -> None:
    """Fill the caches with something else, and let the system do what it has to."""
    FULL[:] = OTHER
    sleep(0.0)


class Walker:
    """Walks the queries of a log in turn, through sessions of a router.

    ``between`` is called before each call that is timed.
    """

    def __init__(
        self, router: hr.Router, log: hr.QueryLog, between: Callable[[], None] = do_nothing
    ) -> None:
        known = log.queries
        self.router = router
        self.between = between
        self.n = log.n_queries
        self.features = [None] * self.n if known.features is None else list(known.features)
        self.signals: list[list[float | None]] = (
            [[None] * log.n_models] * self.n
            if known.signals is None
            else known.signals[:, :, 0].tolist()
        )
        self.costs: list[list[float]] = log.cost.tolist()
        self.compiled = not isinstance(self.start(0), PlainSession)

    def start(self, row: int) -> hr.Session:
        """Start a session for a query."""
        return self.router.start(self.features[row], index=row)

    def walk(self, row: int, times: Times) -> list[int]:
        """Walk one query as a user does; return the models that ran."""
        run = self.start(row)
        signals, costs = self.signals[row], self.costs[row]
        path: list[int] = []
        while True:
            self.between()
            start = perf_counter()
            name = run.next_model
            taken = perf_counter() - start
            times.next_model.append(taken)
            decision = row, len(path)
            times.shortest[decision] = min(taken, times.shortest.get(decision, taken))
            if name is None:
                return path
            model = run.next_index
            path.append(model)
            signal, cost = signals[model], costs[model]
            self.between()
            start = perf_counter()
            run.observe(name, signal, cost=cost)
            times.observe.append(perf_counter() - start)

    def walk_compiled(self, row: int, times: Times) -> list[int]:
        """Walk one query by calls of the compiled session, and nothing around them."""
        session = self.start(row)
        assert not isinstance(session, PlainSession)
        path: list[int] = []
        while True:
            start = perf_counter()
            model = session._choose()
            times.compiled.append(perf_counter() - start)
            if model < 0:
                return path
            path.append(model)
            signal = self.signals[row][model]
            session._take_in(model, None if signal is None else np.array([signal]), 0.0, 0.0)


def timed(walker: Walker, n_decisions: int) -> Times:
    """Time so many decisions; those of the compiled call too, where nothing lies between calls."""
    compares = walker.compiled and walker.between is do_nothing
    for row in range(WARM_UP):
        walker.walk(row % walker.n, Times())
    times = Times()
    turn = 0
    while len(times.next_model) < n_decisions:
        row = turn % walker.n
        if compares and turn % 10 == 5:
            compare(walker, row, times)
        else:
            start = len(times.next_model)
            path = walker.walk(row, times)
            if compares and turn % 10 == 0:
                done = len(times.compiled)
                assert walker.walk_compiled(row, times) == path
                times.first.extend(over(times.next_model[start:], times.compiled[done:]))
        turn += 1
    return times


def compare(walker: Walker, row: int, times: Times) -> None:
    """Walk one query by the compiled call, then as a user does, who finds the cache warm.

    The times count for the difference alone.
    """
    apart = Times()
    path = walker.walk_compiled(row, apart)
    assert walker.walk(row, apart) == path
    times.second.extend(over(apart.next_model, apart.compiled))


def time_single(k: int, n: int, between: Callable[[], None]) -> tuple[array[float], float]:
    """Time `batch_select` of one query, and return what it takes over a session's compiled call."""
    router, log = given(k)
    walker = Walker(router, log, between)
    known = router.estimator
    assert isinstance(known, hr.PrecomputedEstimator)
    assert known.sigmas is not None
    price, order = router.lambda_, router.order_  # in which a router decides
    assert price is not None
    sigmas = known.sigmas[order]
    queries = [
        (q[None, order], c[order]) for q, c in zip(known.qualities, known.costs, strict=True)
    ]

    def select(row: int) -> tuple[int, float]:
        qualities, costs = queries[row]
        between()
        start = perf_counter()
        selection = hr.batch_select(qualities, costs, price, sigmas=sigmas)
        taken = perf_counter() - start
        chosen = int(selection.next_model[0])
        return chosen if chosen < 0 else int(order[chosen]), taken

    def choose(row: int) -> tuple[int, float]:
        session = walker.start(row)
        assert not isinstance(session, PlainSession)
        between()
        start = perf_counter()
        model = session._choose()
        return model, perf_counter() - start

    for row in range(WARM_UP):
        select(row % walker.n)
    whole, differences = no_times(), (no_times(), no_times())
    for turn in range(n):
        row = turn % walker.n
        first = turn % 2 == 0
        if first:
            (chosen, taken), (model, part) = select(row), choose(row)
        else:
            (model, part), (chosen, taken) = choose(row), select(row)
        assert chosen == model, f"query {row}: batch_select chose {chosen}, the session {model}"
        whole.append(taken)
        differences[first].append(taken - part)
    return whole, sum(float(np.median(each)) for each in differences) / 2.0


def over(python: Iterable[float], compiled: Iterable[float]) -> list[float]:
    """Return how much longer each decision took from Python."""
    return [whole - part for whole, part in zip(python, compiled, strict=True)]


def loops(seconds: float, n: int, between: Callable[[], None]) -> array[float]:
    """Time ``n`` loops that do nothing, of about so many seconds each."""

    def loop(turns: int) -> float:
        between()
        start = perf_counter()
        for _ in range(turns):
            pass
        return perf_counter() - start

    turns = 10_000
    turns = max(1, round(turns * seconds / float(np.median([loop(turns) for _ in range(101)]))))
    return array("d", [loop(turns) for _ in range(n)])


def assert_decides_as_router(walker: Walker, log: hr.QueryLog) -> None:
    """Assert that sessions go the way of `Router.select`."""
    expected = paths(walker.router, log.queries.rows(np.arange(N_COMPARED)))
    nowhere = Times()
    for row, path in enumerate(expected):
        walked = walker.walk(row, nowhere)
        assert walked == path, f"query {row}: the session ran {walked}, Router.select {path}"


def resident_bytes() -> int | None:
    """Return the memory of this process, where the system says."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * PAGE if file.exists() else None


def memory_of_open_sessions() -> float | None:
    """Return the megabytes of open sessions, each between its first answer and its second model."""
    walker = Walker(*joint(OPEN_MODELS))
    for row in range(WARM_UP):
        walker.walk(row, Times())
    gc.collect()
    before = resident_bytes()
    runs = []
    for i in range(OPEN):
        row = i % N_QUERIES
        run = walker.start(row)
        if run.next_model is not None:
            model = run.next_index
            run.observe(model, walker.signals[row][model], cost=walker.costs[row][model])
        _ = run.next_model
        runs.append(run)
    after = resident_bytes()
    return None if before is None or after is None else (after - before) / 1e6


def add_row(
    kind: str, k: int, what: str, seconds: Collection[float], rows: list[list[str]]
) -> Floats:
    """Write percentiles to the table, and return them."""
    points: Floats = np.quantile(np.fromiter(seconds, np.float64), POINTS)
    cells = map(microseconds, points.tolist())
    rows.append([kind, str(k), what, f"{len(seconds):,}", *cells])
    return points


def add_rows(
    kind: str, walker: Walker, times: Times, rows: list[list[str]], measured: Measured
) -> None:
    """Write the percentiles of one router to the table and to the figures."""
    k = len(walker.router.models_)

    def add(what: str, seconds: Collection[float]) -> Floats:
        return add_row(kind, k, what, seconds, rows)

    points = add("next_model", times.next_model)
    case = CASES[kind, k]
    measured[case, "p50"] = 1e6 * points[0]
    measured[case, TAIL] = points[2] / points[0]
    own = add("next_model at its shortest", times.shortest.values())
    measured[case, OWN_TAIL] = own[2] / own[0]
    if times.compiled:
        add("the compiled call in it", times.compiled)
        measured[case, SHARE] = 1e6 * times.share
    add("observe", times.observe)
    n_loops = min(MOST_LOOPS, len(times.next_model))
    add("as long a loop", loops(points[0], n_loops, walker.between))


def main() -> None:
    """Measure, assert and print."""
    parser = argparse.ArgumentParser(description="Latency and memory of sessions.")
    parser.add_argument("--decisions", type=int, default=1_000_000, help="timed for each size")
    parser.add_argument("--apart", action="store_true", help="with other work between the calls")
    parser.add_argument("--quick", action="store_true", help="20,000 decisions for each size")
    chosen = parser.parse_args()
    measured: Measured = {}
    memory = memory_of_open_sessions()
    if memory is not None:
        measured[GOALS[-1].case, "memory"] = memory
    rows: list[list[str]] = []
    for kind, k in CASES:
        router, log = MAKERS[kind](k)
        walker = Walker(router, log, do_other_work if chosen.apart else do_nothing)
        assert_decides_as_router(walker, log)
        times = timed(walker, 20_000 if chosen.quick else chosen.decisions)
        add_rows(kind, walker, times, rows, measured)
    for k, case in SINGLE.items():
        n = min(MOST_SINGLE, 20_000 if chosen.quick else chosen.decisions)
        seconds, share = time_single(k, n, do_other_work if chosen.apart else do_nothing)
        add_row("given", k, "batch_select, one query", seconds, rows)
        measured[case, SHARE] = 1e6 * share
    print(machine(), end="\n\n")
    columns = ["estimates", "models", "call", "calls", "p50 us", "p99 us", "p99.9 us"]
    note = "Other work lies between the calls." if chosen.apart else ""
    print(Table("Latency of sessions", note, columns, rows), end="\n\n")
    print(figures(measured, [goal for goal in GOALS if not (chosen.apart and goal.what == SHARE)]))


if __name__ == "__main__":
    main()
