"""Timings of `headrace.batch_select` for pytest-benchmark; every timed answer is asserted.

Not collected by a plain ``pytest``. Run it with
``pytest benchmarks --benchmark-enable -o python_files='bench_*.py'``; README.md beside it says how
to compare two versions.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import headrace as hr
import numpy as np
import pytest
from judge import Verdicts, judge_exact, judge_routing, judge_rows
from peers import VARIANTS, Variant, numpy_greedy, numpy_routing
from pytest_benchmark.fixture import BenchmarkFixture
from workloads import WORKLOADS, Workload, workloads

ROUNDS = 5
SIZES = (11, 40, 200)
QUERIES = {"exact": 50, "streaming": 20_000, "reference": 10, "batch": 2_000}
NODE_LIMIT = 500
"""Of one exact decision: a limit on time would not decide alike twice."""


@cache
def queries(name: str, n: int, k: int) -> Workload:
    """Make a workload once; skip where it cannot be made."""
    reason = workloads()[name]
    if reason is not None:
        pytest.skip(reason)
    return WORKLOADS[name](n, k, 0)


def measure(
    benchmark: BenchmarkFixture, variant: Variant, workload: Workload, **options: Any
) -> hr.Selection:
    """Time the decisions of a batch."""
    workload = variant.workload(workload)
    select = partial(variant.select, workload, **options)
    answer: hr.Selection = benchmark.pedantic(  # type: ignore[no-untyped-call]
        select, rounds=ROUNDS, warmup_rounds=1
    )
    note(benchmark, answer, workload.n)
    return answer


def note(benchmark: BenchmarkFixture, answer: hr.Selection, n: int) -> None:
    """Add to the record what a time alone does not say."""
    if benchmark.stats is None:
        return
    benchmark.extra_info["decisions per second"] = round(n / benchmark.stats.stats.median)
    benchmark.extra_info["nodes a decision"] = round(float(np.mean(answer.nodes)), 1)
    benchmark.extra_info["certified"] = round(float(np.mean(answer.optimal)), 4)
    benchmark.extra_info["models chosen"] = round(float(answer.supermodel.sum(axis=1).mean()), 2)


@pytest.mark.benchmark(group="exact")
@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("name", WORKLOADS)
def test_exact(benchmark: BenchmarkFixture, name: str, k: int) -> None:
    """The default, on every workload."""
    workload = queries(name, QUERIES["exact"], k)
    answer = measure(benchmark, VARIANTS["Normal"], workload, node_limit=NODE_LIMIT)
    judge_exact(workload, answer, Verdicts(), n_few=1, time_limit=1.0)


@pytest.mark.benchmark(group="variants")
@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("name", VARIANTS)
def test_variants(benchmark: BenchmarkFixture, name: str, k: int) -> None:
    """The variants of the paper, index and routing, on the uniform workload."""
    variant = VARIANTS[name]
    if k > variant.most_models:
        pytest.skip(f"{name} takes up to {variant.most_models} models")
    streaming = "strategy" in variant.options
    workload = queries("uniform", QUERIES["streaming" if streaming else "exact"], k)
    answer = measure(benchmark, variant, workload)
    judge = "reference" if k == min(SIZES) else "numba"
    judge_rows(variant, workload, answer, judge, range(3), Verdicts())
    if name == "routing":
        judge_routing(workload, answer, Verdicts())


@pytest.mark.benchmark(group="backends")
@pytest.mark.parametrize("backend", ["cpp", "numba", "reference"])
def test_backends(benchmark: BenchmarkFixture, backend: str) -> None:
    """The exact search on every backend, 11 models."""
    reason = hr.backends()[backend]
    if reason is not None:
        pytest.skip(f"{backend}: {reason}")
    size = QUERIES["reference" if backend == "reference" else "batch"]
    workload = queries("uniform", size, 11)
    answer = measure(benchmark, Variant({"backend": backend}), workload)
    judge_rows(Variant({}), workload, answer, "reference", range(5), Verdicts())


@pytest.mark.benchmark(group="threads")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads(benchmark: BenchmarkFixture, n_threads: int) -> None:
    """The exact search on one thread and on two."""
    workload = queries("uniform", QUERIES["batch"], 40)
    answer = measure(benchmark, VARIANTS["Normal"], workload, n_threads=n_threads)
    judge_exact(workload, answer, Verdicts(), n_few=1, time_limit=1.0)


@pytest.mark.benchmark(group="peers")
def test_numpy_routing(benchmark: BenchmarkFixture) -> None:
    """The line of NumPy that routes."""
    workload = queries("uniform", QUERIES["streaming"], 200)
    line = benchmark.pedantic(  # type: ignore[no-untyped-call]
        numpy_routing, (workload,), rounds=ROUNDS, warmup_rounds=1
    )
    assert np.mean(line == workload.select(strategy="routing").next_model) > 0.99


@pytest.mark.benchmark(group="peers")
def test_numpy_greedy(benchmark: BenchmarkFixture) -> None:
    """NumPy's greedy, query by query."""
    workload = queries("uniform", QUERIES["exact"], 200)

    def decide() -> list[float]:
        return [numpy_greedy(workload, row)[1] for row in range(workload.n)]

    greedy = benchmark.pedantic(decide, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]
    assert np.all(np.array(greedy) <= workload.select().upper_bound + 1e-9)
