"""Every timed answer is asserted here: against its definition, its bound, and other solvers."""

from __future__ import annotations

from dataclasses import dataclass, field

import headrace as hr
import numpy as np
from common import FAST, assert_same
from peers import Highs, Variant, highs_missing, numpy_greedy, numpy_routing, numpy_tradeoff
from workloads import Workload

FEW_MODELS = 11
"""The reference decides so many."""
HIGHS_MODELS = range(20, 61)
TOLERANCE = 1e-9


@dataclass
class Verdicts:
    """How many decisions were compared, by judge; and how many HiGHS did not solve in time."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, judge: str, count: int) -> None:
        """Count some more."""
        self.counts[judge] = self.counts.get(judge, 0) + count

    def __str__(self) -> str:
        return ", ".join(f"{judge} {count:,}" for judge, count in self.counts.items())


def judge_exact(
    workload: Workload, answer: hr.Selection, verdicts: Verdicts, n_few: int, time_limit: float
) -> None:
    """Assert the answers of the exact search on the first rows of a workload.

    All are compared with their bound, some with their definition and NumPy's greedy, and a few
    with the reference, HiGHS or numba.
    """
    judge_certificate(workload, answer, verdicts, 5 * n_few)
    rows = range(min(len(answer.next_model), n_few))
    if workload.k <= FEW_MODELS:
        judge_rows(Variant({}), workload, answer, "reference", rows, verdicts)
    elif workload.k in HIGHS_MODELS and highs_missing() is None:
        for row in rows:
            judge_by_highs(workload, answer, row, verdicts, time_limit)
    else:
        judge_rows(Variant({}), workload, answer, "numba", rows, verdicts, time_limit)


def judge_certificate(
    workload: Workload, answer: hr.Selection, verdicts: Verdicts, n_few: int, n_samples: int = 128
) -> None:
    """Assert all answers against their bound, some against their definition and NumPy's greedy."""
    n = len(answer.next_model)
    where = f"{workload.k} models"
    assert np.all(answer.upper_bound >= answer.tradeoff), where
    gap = answer.upper_bound - answer.tradeoff
    assert np.all(gap[answer.optimal] <= 1e-8), f"{where}: proven, but the bound is above"
    verdicts.add("bound", n)
    few = range(min(n, n_few))
    for row in few:
        tradeoff, models = answer.tradeoff[row], answer.supermodel[row]
        defined = numpy_tradeoff(workload, row, models, n_samples)
        assert abs(defined - tradeoff) <= TOLERANCE, f"{where}, query {row}: not its tradeoff"
        _, greedy = numpy_greedy(workload, row, n_samples)
        assert greedy <= answer.upper_bound[row] + TOLERANCE, f"{where}, query {row}: greedy"
        if answer.optimal[row]:
            assert greedy <= tradeoff + 2 * TOLERANCE, f"{where}, query {row}: greedy is better"
    verdicts.add("definition", len(few))


def judge_by_highs(
    workload: Workload, answer: hr.Selection, row: int, verdicts: Verdicts, time_limit: float
) -> None:
    """Assert one answer against a solver of mixed-integer programs."""
    solver = Highs(workload, row, max(10.0, time_limit))
    solver.solve()
    optimum = solver.optimum
    if optimum is None:
        verdicts.add("HiGHS out of time", 1)
        return
    where = f"{workload.k} models, query {row}, HiGHS"
    assert answer.upper_bound[row] >= optimum - TOLERANCE, f"{where}: the bound is below"
    if answer.optimal[row]:
        assert abs(answer.tradeoff[row] - optimum) <= 1e-6, f"{where}: {optimum} is the optimum"
    else:
        assert answer.tradeoff[row] <= optimum + 1e-6, f"{where}: {optimum} is the optimum"
    verdicts.add("HiGHS", 1)


def judge_rows(
    variant: Variant,
    workload: Workload,
    answer: hr.Selection,
    backend: str,
    rows: range,
    verdicts: Verdicts,
    time_limit: float | None = None,
) -> None:
    """Assert some answers, to the last bit, against another backend; only what both prove."""
    if backend not in (*FAST, "reference"):
        return
    for row in rows:
        if not answer.optimal[row] and variant.options.get("search") != "greedy":
            continue
        query = variant.workload(workload).query(row)
        limit = {} if time_limit is None else {"time_limit": time_limit}
        other = variant.select(query, backend=backend, **limit)
        if time_limit is not None and not other.optimal[0] and answer.optimal[row]:
            continue
        where = f"{workload.k} models, query {row}, {backend}"
        assert_same(answer, other, slice(row, row + 1), where)
        verdicts.add(backend, 1)


def judge_routing(workload: Workload, answer: hr.Selection, verdicts: Verdicts) -> None:
    """Assert routing against the line of NumPy, but where options tie."""
    line = numpy_routing(workload)
    rows = np.arange(workload.n)
    values = workload.qualities - workload.lambdas[:, None] * workload.costs
    near = values[rows, line] - values[rows, answer.next_model] <= TOLERANCE
    assert np.all(near), "routing differs from NumPy"
    assert np.mean(line == answer.next_model) > 0.99, "routing differs from NumPy"
    verdicts.add("NumPy", workload.n)
