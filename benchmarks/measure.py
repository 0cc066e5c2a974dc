"""Clocks: calls in turn, decisions query by query, and what the machine itself can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import headrace as hr
import numpy as np
from numpy.typing import NDArray
from peers import Variant
from workloads import Floats, Workload

REPEAT_FOR = 2e-3
MOST_REPEATS = 1024
"""A query is repeated within a call for so many seconds, so many times at the most.

Longer measurements are interrupted on a busy machine; of shorter ones the best of three is not.
"""

SLOW_CALL = 50e-3
"""Calls that take so many seconds are timed once; of others, the best of three counts."""

MOST_CALL = 0.5

LEAST_QUERIES = 10


@dataclass(frozen=True)
class Timed:
    """Decisions of one variant on the first rows of a workload; times in seconds."""

    answer: hr.Selection
    calls: Floats
    """Time of a call with one query, by query: the best of three, where that is quick."""
    decisions: Floats
    """Time of a decision, by query: of a call with the query many times over."""
    batch: float
    """Time of a decision in one call with all of them."""

    @property
    def n(self) -> int:
        """Number of queries."""
        return len(self.calls)


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = perf_counter()
    function()
    return perf_counter() - start


def in_turn(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time functions in turn, round by round: what slows the machine, slows them all."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(seconds(function))
    return times


def ratio(times: dict[str, list[float]], slow: str, fast: str) -> float:
    """Return the ratio of two medians."""
    return median(times[slow]) / median(times[fast])


def best_of_three(function: Callable[[], object]) -> float:
    """Time a function; what the machine does besides is to disturb no query."""
    first = seconds(function)
    return first if first > SLOW_CALL else min(first, seconds(function), seconds(function))


def decision_seconds(variant: Variant, query: Workload, call: float, **options: Any) -> float:
    """Time a decision without the cost of the call: the same query many times over.

    Where a covariance is factorised first, once a call, that is subtracted.
    """
    if query.covariance is None and call > REPEAT_FOR:
        return call
    if call > MOST_CALL:
        return call

    def many(times: int) -> Callable[[], object]:
        return partial(variant.select, query.query(0, times), **options)

    if query.covariance is not None:
        times = 8
        return max(best_of_three(many(times + 1)) - call, 1e-9) / times
    few = int(np.clip(REPEAT_FOR / call, 1, 32))
    each = max(best_of_three(many(few)) / few, 1e-9)
    times = int(np.clip(REPEAT_FOR / each, few, MOST_REPEATS))
    return best_of_three(many(times)) / times


def decide_each(variant: Variant, workload: Workload, budget: float, **options: Any) -> Timed:
    """Decide query by query until the time is over, then the same queries as a batch."""
    workload = variant.workload(workload)
    variant.select(workload.query(0), **options)
    calls: list[float] = []
    decisions: list[float] = []
    start = perf_counter()
    for row in range(workload.n):
        if row >= min(LEAST_QUERIES, workload.n) and perf_counter() - start > budget:
            break
        query = workload.query(row)
        call = best_of_three(partial(variant.select, query, **options))
        calls.append(call)
        decisions.append(decision_seconds(variant, query, call, **options))
    batch = workload.rows(slice(len(calls)))
    answers: list[hr.Selection] = []
    rounds = 3 if sum(decisions) < budget / 3 else 1
    times = [
        seconds(lambda: answers.append(variant.select(batch, **options))) for _ in range(rounds)
    ]
    return Timed(answers[0], np.array(calls), np.array(decisions), median(times) / batch.n)


def exponent(sizes: NDArray[np.float64], times: NDArray[np.float64]) -> float:
    """Fit ``time ~ size ** exponent`` by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def flops_per_second(rounds: int) -> float:
    """Measure additions and multiplications a second without fusing: half of a matrix product's."""
    a = np.random.default_rng(0).random((512, 512))
    return 512**3 / median(in_turn({"product": lambda: a @ a}, rounds)["product"])
