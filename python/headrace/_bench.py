"""Decisions a second of the backends, on answers that are compared bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

from headrace._options import STRATEGIES
from headrace._problem import Floats
from headrace._select import batch_select
from headrace._selection import Selection

ROUNDS = 5
SLOW = "reference"
MOST_OPTIONS = 2**11
"""So many options does the reference, which enumerates them, weigh at a time."""
COMPARED = ("next_model", "supermodel", "tradeoff", "quality", "cost")


class DisagreementError(Exception):
    """Two backends decide differently, which is a fault of one of them."""


@dataclass(frozen=True)
class Timing:
    """What one backend did.

    Attributes
    ----------
    models : int
        Number of models.
    strategy, backend : str
    queries : int
        How many were decided at a time; 0 where even one has too many options to enumerate.
    seconds : float
        Median over the rounds.
    """

    models: int
    strategy: str
    backend: str
    queries: int
    seconds: float

    @property
    def decisions_per_second(self) -> float | None:
        """None where nothing was decided."""
        return self.queries / self.seconds if self.queries else None


def uniform(n: int, k: int, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Draw qualities (n, k), costs (n, k), prices (n,) and standard deviations (k,).

    Quality, cost and lambda ~ U(0, 1), sigma 0.1: the runtime figure of Dekoninck, Baader and
    Vechev, ICML 2025.
    """
    rng = np.random.default_rng(seed)
    return rng.random((n, k)), rng.random((n, k)), rng.random(n), np.full(k, 0.1)


def measure(
    n_models: int,
    strategy: str,
    backends: Sequence[str],
    *,
    n_queries: int,
    search: str = "exact",
    n_threads: int | None = 1,
    seed: int = 0,
    progress: Callable[[], object] = lambda: None,
) -> list[Timing]:
    """Let backends decide the same queries in turn, and time them.

    Parameters
    ----------
    n_models : int
        Number of models, k.
    strategy, search, n_threads
        As in :func:`headrace.batch_select`.
    backends : sequence of str
        Available ones. The reference takes as many of the queries as it has time for.
    n_queries : int
        Number of queries, n, of `uniform`.
    seed : int
        Of the queries.
    progress : callable
        Called after each round.

    Raises
    ------
    DisagreementError
        A decision was not that of the first backend, to the last bit.
    """
    qualities, costs, lambdas, sigmas = uniform(n_queries, n_models, seed)

    def decide(backend: str, rows: int) -> Selection:
        return batch_select(
            qualities[:rows],
            costs[:rows],
            lambdas[:rows],
            sigmas=sigmas,
            strategy=strategy,
            search=search,
            n_threads=n_threads,
            backend=backend,
        )

    at_a_time = {name: _rows(name, strategy, n_queries, n_models) for name in backends}
    deciding = [name for name in backends if at_a_time[name]]
    answers: dict[str, Selection] = {}
    times: dict[str, list[float]] = {name: [] for name in backends}
    for name in deciding:
        if name != SLOW:
            decide(name, at_a_time[name])  # compiles, fills caches
    for _ in range(ROUNDS):
        for name in deciding:
            answers[name], seconds = _timed(partial(decide, name, at_a_time[name]))
            times[name].append(seconds)
            _refuse_difference(answers, deciding[0], name)
        progress()
    return [
        Timing(n_models, strategy, name, at_a_time[name], median(times[name] or [0.0]))
        for name in backends
    ]


def _rows(backend: str, strategy: str, n_queries: int, n_models: int) -> int:
    """Return how many of the queries a backend decides at a time."""
    if backend != SLOW:
        return n_queries
    if not STRATEGIES[strategy].takes_search:
        return max(1, min(n_queries, MOST_OPTIONS // n_models))
    return min(n_queries, MOST_OPTIONS >> min(n_models, 64))


def _timed(decide: Callable[[], Selection]) -> tuple[Selection, float]:
    start = perf_counter()
    answer = decide()
    return answer, perf_counter() - start


def _refuse_difference(answers: dict[str, Selection], first: str, other: str) -> None:
    """Raise if two backends differ on the queries that both have decided."""
    rows = min(len(answers[name].next_model) for name in (first, other))
    for field in COMPARED:
        one, two = (getattr(answers[name], field)[:rows] for name in (first, other))
        if one.tobytes() != two.tobytes():
            different = (one != two).reshape(rows, -1).any(axis=1)
            raise DisagreementError(
                f"backends {first!r} and {other!r} differ in {field}, first at query "
                f"{int(np.argmax(different))}"
            )
