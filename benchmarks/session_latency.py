"""Latency of decisions in sessions, from Python: of ``next_model``, and of the compiled call alone.

One thread. A router with a joint Gaussian model of k models and the exact search decides simulated
queries from their start to their end, and every decision is timed by itself. Run it by
``python benchmarks/session_latency.py --decisions 1000000``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import headrace as hr
import numpy as np

N_TRAINING = 400
PRICE = 0.05
"""Quality for a unit of cost: about three of the models run on a query."""


def workload(k: int, n: int, seed: int) -> hr.QueryLog:
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


def fitted(k: int) -> hr.Router:
    """Return a router at a fixed price."""
    router = hr.Router(hr.GaussianEstimator(), lookahead=0.5, lambda_=PRICE, n_threads=1)
    return router.fit(workload(k, N_TRAINING, seed=0))


def timed(
    router: hr.Router, log: hr.QueryLog, n_decisions: int, decide: Callable[[Any], int]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the seconds of each decision; ``decide`` takes one of a session."""
    features, signals = log.queries.features, log.queries.signals
    assert features is not None
    assert signals is not None
    clock = time.perf_counter
    seconds: list[float] = []
    row = 0
    while len(seconds) < n_decisions:
        run = router.start(features[row])
        while True:
            begin = clock()
            chosen = decide(run)
            seconds.append(clock() - begin)
            if chosen < 0:
                break
            run.observe(chosen, signals[row, chosen])
        row = (row + 1) % log.n_queries
    return np.array(seconds)


def compiled_call(run: Any) -> int:
    """Decide by the compiled call alone."""
    chosen: int = run._state.decide((), None)
    run._next = chosen
    return chosen


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--warm-up", type=int, default=20_000)
    options = parser.parse_args()
    print(f"{'models':>6}  {'call':<12}{'decisions':>16}{'p50':>9}{'p99':>9}{'p99.9':>9}  µs")
    for k in (10, 50, 200):
        router = fitted(k)
        log = workload(k, 2000, seed=1)
        calls: dict[str, Callable[[Any], int]] = {
            "next_model": lambda run: int(run.next_index),
            "compiled": compiled_call,
        }
        for name, decide in calls.items():
            timed(router, log, options.warm_up, decide)
            seconds = timed(router, log, options.decisions, decide)
            points = 1e6 * np.quantile(seconds, [0.5, 0.99, 0.999])
            length = len(seconds)
            print(
                f"{k:>6}  {name:<12}{length:>16,}" + "".join(f"{point:9.2f}" for point in points),
                flush=True,
            )


if __name__ == "__main__":
    main()
