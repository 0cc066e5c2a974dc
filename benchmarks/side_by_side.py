"""One command, one run: the backends side by side, one query a call, and the import time.

Measurements that are compared are interleaved, so a busy machine slows them all; medians and their
ratios are what to read. Everything runs on one thread and asserts its answers.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

import numpy as np
from common import FAST, assert_same, machine
from workloads import WORKLOADS

N_QUERIES, N_MODELS = 20_000, 11
N_ROUNDS = 9
N_SLOW = 20
"""Queries that the reference decides a round, other ones each time."""
N_SINGLE = 2_000
N_IMPORTS = 15


def compare_backends() -> None:
    """Time the same decisions on all backends in turn; print the medians and their ratios."""
    workload = WORKLOADS["uniform"](N_QUERIES, N_MODELS, 1)
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
            queries = workload.rows(rows)
            start = perf_counter()
            decided = queries.select(backend=backend)
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
    workload = WORKLOADS["uniform"](N_SINGLE, N_MODELS, 1)
    times: dict[str, list[float]] = {backend: [] for backend in FAST}
    for row in range(N_SINGLE):
        query = workload.query(row)
        for backend, samples in times.items():
            start = perf_counter()
            query.select(backend=backend)
            samples.append(perf_counter() - start)
    print(f"\nOne query a call, {N_MODELS} models, {N_SINGLE:,} calls: us a call")
    print(f"{'backend':10} {'median':>9} {'99 %':>9}")
    for backend, samples in times.items():
        middle, high = np.quantile(samples, [0.5, 0.99]) * 1e6
        print(f"{backend:10} {middle:>9,.0f} {high:>9,.0f}")


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
    time_imports()


if __name__ == "__main__":
    main()
