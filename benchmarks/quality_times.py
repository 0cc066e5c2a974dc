"""The times of fitting and of rolling out: wall and processor seconds, medians of three."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import headrace as hr
import numpy as np
from headrace._forecasts import Forecasts
from headrace._rollout import roll_out
from quality_data import read_categories, read_routerbench
from quality_rows import DEPTH

REPEATS = 3
N_QUERIES = 2000
N_PRICES = 1000
N_SYNTHETIC = 500


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, and the goal for the wall, if there is one."""

    what: str
    goal: float | None
    wall: float
    cpu: float


def timings(data: Path) -> list[Timing]:
    """Time what there is data for."""
    found = []
    path = data / "routerbench3.npz"
    if path.is_file():
        log = hr.add_noise(read_routerbench(path), "medium").rows(np.arange(N_QUERIES))
        found += _rollouts(log)
    path = data / "mmlu_pro.npz"
    if path.is_file():
        found.append(_fit_gaussian(read_categories(path), "MMLU-Pro", 5.0))
    found.append(_fit_gaussian(synthetic(N_QUERIES, N_SYNTHETIC), "synthetic", 30.0))
    return found


def synthetic(n: int, k: int, seed: int = 0) -> hr.QueryLog:
    """Return answers that depend on the query, the model and chance, with a signal of each."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(size=(n, 3))
    skill = rng.normal(0.0, 0.5, size=(3, k))
    quality = ease @ skill + rng.normal(0.0, 0.5, size=k) + rng.normal(size=(n, k)) > 0.0
    signals = quality + rng.normal(size=(n, k))
    return hr.QueryLog(
        quality, 10.0 ** rng.uniform(-4.0, -2.0, k), features=ease[:, :1], signals=signals
    )


def _rollouts(log: hr.QueryLog) -> list[Timing]:
    costs = log.cost.mean(axis=0)
    budget = float(costs.min() + costs.max()) / 2.0
    router = hr.Router(hr.NoisyEstimator(), max_depth=DEPTH, lookahead=1.0)
    size = f"{log.n_queries:,} queries x {log.n_models} models"
    what = f"one price for a budget, exact search, depth {DEPTH}, full look-ahead: {size}"
    fitting = _timed(what, 1.0, lambda: router.fit(log, budget=budget))
    open_ = hr.Router(hr.NoisyEstimator(), max_depth=DEPTH)
    choosing = _timed(
        "the same for each of five look-aheads, the best of which is chosen",
        None,
        lambda: open_.fit(log, budget=budget),
    )

    assert router.lambda_ is not None
    rng = np.random.default_rng(0)
    prices = router.lambda_ * np.exp(rng.normal(size=(N_PRICES, DEPTH)))
    policy = router.policy(1.0)

    def roll() -> None:
        # Nothing is remembered from one run to the next.
        roll_out(Forecasts(router.estimator_, log.queries, router.order_), policy, prices)

    what = f"{N_PRICES:,} vectors of prices by step, the same queries"
    return [fitting, choosing, _timed(what, 10.0, roll)]


def _fit_gaussian(log: hr.QueryLog, name: str, goal: float) -> Timing:
    what = f"GaussianEstimator: {name}, {log.n_models} models x {log.n_queries:,} queries"
    return _timed(what, goal, lambda: hr.GaussianEstimator().fit(log))


def _timed(what: str, goal: float | None, call: Callable[[], object]) -> Timing:
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Timing(what, goal, median(walls), median(cpus))
