"""One command, one run: the backends side by side, growth with the models, and the import time.

Measurements that are compared are interleaved, so a busy machine slows them all; medians and their
ratios are what to read. Everything runs on one thread and asserts its answers.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import headrace as hr
import numpy as np
from common import FAST, assert_same, machine
from numpy.typing import NDArray

N_QUERIES, N_MODELS = 20_000, 11
N_ROUNDS = 9
N_SLOW = 20
"""Queries that the reference decides a round, other ones each time."""
N_SINGLE = 2_000
SIZES = (5, 11, 20, 40, 100, 200)
N_SCALING, N_CHECKED = 40, 5
TIME_LIMIT = 1.0
N_IMPORTS = 15

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Workload:
    """Queries for the exact search."""

    qualities: Floats
    costs: Floats
    lambdas: Floats
    sigmas: Floats

    def select(
        self, rows: slice = slice(None), backend: str = "cpp", time_limit: float | None = None
    ) -> hr.Selection:
        """Decide the queries of ``rows`` exactly, on one thread, with 128 samples."""
        return hr.batch_select(
            self.qualities[rows],
            self.costs[rows],
            self.lambdas[rows],
            sigmas=self.sigmas[rows],
            time_limit=time_limit,
            n_threads=1,
            backend=backend,
        )


def uniform(n: int, k: int) -> Workload:
    """Quality, cost and lambda ~ U(0, 1), sigma 0.1: few models are worth their cost."""
    random = np.random.default_rng(1)
    return Workload(
        random.random((n, k)), random.random((n, k)), random.random(n), np.full((n, k), 0.1)
    )


def priced(n: int, k: int) -> Workload:
    """Costs log-uniform over three decades, quality rising with log cost, sigma 0.15 to 0.45."""
    random = np.random.default_rng(2)
    log_costs = random.uniform(-3, 0, (n, k))
    return Workload(
        0.85 + 0.15 * log_costs + random.normal(0, 0.05, (n, k)),
        10**log_costs,
        10 ** random.uniform(-1, 0, n),
        random.uniform(0.15, 0.45, (n, k)),
    )


def clones(n: int, k: int) -> Workload:
    """As `priced`, but in groups of ten models that differ by about 0.001: the hard case."""
    random = np.random.default_rng(3)
    group = np.arange(k) // 10
    original = priced(n, group[-1] + 1)
    return Workload(
        original.qualities[:, group] + random.normal(0, 0.001, (n, k)),
        original.costs[:, group] * random.uniform(0.999, 1.001, (n, k)),
        original.lambdas,
        original.sigmas[:, group],
    )


def compare_backends() -> None:
    """Time the same decisions on all backends in turn; print the medians and their ratios."""
    workload = uniform(N_QUERIES, N_MODELS)
    answers = {backend: workload.select(backend=backend) for backend in FAST}  # compiles, too
    answer = answers[FAST[0]]
    assert np.all(answer.optimal)
    for backend in FAST:
        assert_same(answer, answers[backend], slice(None), backend)

    times: dict[str, list[float]] = {backend: [] for backend in (*FAST, "reference")}
    for turn in range(N_ROUNDS):
        for backend in times:
            slow = slice(turn * N_SLOW, (turn + 1) * N_SLOW)
            rows = slow if backend == "reference" else slice(None)
            start = perf_counter()
            decided = workload.select(rows, backend)
            times[backend].append((perf_counter() - start) / len(decided.next_model))
            assert_same(answer, decided, rows, backend)

    print(f"\nExact, {N_QUERIES:,} queries x {N_MODELS} models, 128 samples, {N_ROUNDS} rounds")
    print(f"{'backend':10} {'us a decision':>14} {'decisions/s':>12} {'reference / it':>15}")
    slowest = median(times["reference"])
    for backend, samples in times.items():
        middle = median(samples)
        speed, ratio = 1 / middle, slowest / middle
        print(f"{backend:10} {middle * 1e6:>14,.1f} {speed:>12,.0f} {ratio:>15,.0f}")
    n_reference = N_ROUNDS * N_SLOW
    print(
        f"All {N_QUERIES:,} decisions equal on {' and '.join(FAST)}, {n_reference} of them "
        f"on the reference too. {np.mean(answer.supermodel.sum(axis=1)):.2f} models a supermodel."
    )
    if "cpp" in FAST:
        ratio = slowest / median(times["cpp"])
        verdict = "met" if ratio >= 1000 else "MISSED"
        print(f"Goal, cpp at least 1,000 times as fast as the reference: {ratio:,.0f}, {verdict}.")


def time_single_calls() -> None:
    """Time calls with one query each: what a service waits for."""
    workload = uniform(N_SINGLE, N_MODELS)
    times: dict[str, list[float]] = {backend: [] for backend in FAST}
    for row in range(N_SINGLE):
        for backend, samples in times.items():
            start = perf_counter()
            workload.select(slice(row, row + 1), backend)
            samples.append(perf_counter() - start)
    print(f"\nOne query a call, {N_MODELS} models, {N_SINGLE:,} calls: us a call")
    print(f"{'backend':10} {'median':>9} {'99 %':>9}")
    for backend, samples in times.items():
        middle, high = np.quantile(samples, [0.5, 0.99]) * 1e6
        print(f"{backend:10} {middle:>9,.0f} {high:>9,.0f}")


def scale() -> None:
    """Time the exact search of `cpp` as the number of models grows, query by query."""
    print(
        f"\nExact on cpp, {N_SCALING} queries a line, one a call, {TIME_LIMIT:g} s at most for each"
    )
    print(f"{'workload':10} {'models':>6} {'chosen':>7} {'median ms':>10} {'worst ms':>10} proven")
    for make in (uniform, priced, clones):
        for k in SIZES:
            workload = make(N_SCALING, k)
            workload.select(slice(1), time_limit=TIME_LIMIT)
            times: list[float] = []
            answers: list[hr.Selection] = []
            for row in range(N_SCALING):
                start = perf_counter()
                answers.append(workload.select(slice(row, row + 1), time_limit=TIME_LIMIT))
                times.append(perf_counter() - start)
            check_scaling(workload, answers)
            proven = sum(bool(answer.optimal[0]) for answer in answers)
            chosen = np.mean([answer.supermodel.sum() for answer in answers])
            print(
                f"{make.__name__:10} {k:>6} {chosen:>7.1f} {median(times) * 1e3:>10.3f} "
                f"{max(times) * 1e3:>10.3f} {proven:>3}/{N_SCALING}",
                flush=True,
            )


def check_scaling(workload: Workload, answers: list[hr.Selection]) -> None:
    """Compare some proven answers with another backend's, and all with their bounds."""
    for answer in answers:
        assert np.all(answer.upper_bound >= answer.tradeoff)
    k = workload.qualities.shape[1]
    judge = "reference" if k <= 11 else "numba"
    if judge not in (*FAST, "reference"):
        return
    proven = [row for row, answer in enumerate(answers) if answer.optimal[0]]
    quick = proven[:N_CHECKED] if k <= 40 else proven[:1]
    for row in quick:
        other = workload.select(slice(row, row + 1), judge)
        assert_same(answers[row], other, slice(None), f"{k} models, query {row}, {judge}")


def time_imports() -> None:
    """Time fresh interpreters that import headrace, NumPy, or nothing, in turn."""
    times: dict[str, list[float]] = {"import headrace": [], "import numpy": [], "pass": []}
    for _ in range(N_IMPORTS):
        for program, samples in times.items():
            start = perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            samples.append(perf_counter() - start)
    headrace, numpy, bare = (median(samples) for samples in times.values())
    print(f"\nImport time, median of {N_IMPORTS} fresh interpreters")
    print(f"python -c 'import headrace'   {headrace:.3f} s")
    print(f"python -c 'import numpy'      {numpy:.3f} s")
    print(f"python -c 'pass'              {bare:.3f} s")
    verdict = "met" if headrace < 0.2 else "MISSED"
    print(f"headrace over NumPy {headrace - numpy:.3f} s. Goal, below 0.2 s in total: {verdict}.")


def main() -> None:
    """Measure and print."""
    print(machine())
    if FAST:
        compare_backends()
        time_single_calls()
    if "cpp" in FAST:
        scale()
    time_imports()


if __name__ == "__main__":
    main()
