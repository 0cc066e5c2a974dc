"""Timings of `headrace.batch_select` for pytest-benchmark; every timed answer is asserted.

Not collected by a plain ``pytest``. Run it with
``pytest benchmarks --benchmark-enable -o python_files='bench_*.py'``.
"""

from __future__ import annotations

from functools import cache

import headrace as hr
import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

N_QUERIES, N_MODELS = 20_000, 11
N_REFERENCE = 20
"""Queries that the reference decides."""
ROUNDS = 5

Floats = NDArray[np.float64]
Method = tuple[str, str]
EXACT: Method = ("cascade_routing", "exact")
METHODS: list[Method] = [
    ("routing", "exact"),
    ("index", "exact"),
    ("cascade", "exact"),
    ("cascade_routing", "greedy"),
]


@cache
def workload() -> tuple[Floats, Floats, Floats]:
    """Qualities, costs and lambdas ~ U(0, 1)."""
    random = np.random.default_rng(1)
    qualities, costs = random.random((2, N_QUERIES, N_MODELS))
    return qualities, costs, random.random(N_QUERIES)


def select(backend: str, method: Method, n: int) -> hr.Selection:
    """Decide the first ``n`` queries on one thread, sigma 0.1, 128 samples."""
    qualities, costs, lambdas = workload()
    strategy, search = method
    return hr.batch_select(
        qualities[:n],
        costs[:n],
        lambdas[:n],
        sigmas=np.full(N_MODELS, 0.1),
        strategy=strategy,
        search=search,
        n_threads=1,
        backend=backend,
    )


@cache
def reference(method: Method) -> hr.Selection:
    """Decide the few queries that judge all others."""
    return select("reference", method, N_REFERENCE)


@cache
def everything(method: Method) -> hr.Selection:
    """Decide all queries on the fastest backend that there is."""
    fastest = next(name for name, why in hr.backends().items() if why is None)
    return select(fastest, method, N_QUERIES)


def assert_same(mine: hr.Selection, yours: hr.Selection) -> None:
    """Assert that two answers agree on the queries that both hold, to the last bit."""
    n = min(len(mine.next_model), len(yours.next_model))
    for field in ("next_model", "supermodel", "tradeoff"):
        np.testing.assert_array_equal(getattr(mine, field)[:n], getattr(yours, field)[:n], field)


def measure(benchmark: BenchmarkFixture, backend: str, method: Method) -> None:
    """Time the decisions of one backend; skip where it cannot run."""
    reason = hr.backends()[backend]
    if reason is not None:
        pytest.skip(f"{backend}: {reason}")
    n, rounds = (N_REFERENCE, 3) if backend == "reference" else (N_QUERIES, ROUNDS)
    answer = benchmark.pedantic(  # type: ignore[no-untyped-call]
        select, (backend, method, n), rounds=rounds, warmup_rounds=1
    )
    assert_same(answer, reference(method))
    if n == N_QUERIES:
        assert_same(answer, everything(method))
    if benchmark.stats is not None:
        benchmark.extra_info["decisions per second"] = round(n / benchmark.stats.stats.median)


@pytest.mark.benchmark(group="exact")
@pytest.mark.parametrize(
    "backend", ["cpp", "numba", pytest.param("reference", id=f"reference-{N_REFERENCE}-queries")]
)
def test_exact(benchmark: BenchmarkFixture, backend: str) -> None:
    """The default, on every backend."""
    measure(benchmark, backend, EXACT)


@pytest.mark.benchmark(group="cpp")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: "-".join(method))
def test_cpp(benchmark: BenchmarkFixture, method: Method) -> None:
    """The other strategies, and the greedy search."""
    measure(benchmark, "cpp", method)
