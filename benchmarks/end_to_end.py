"""Seconds from a query to its answer, decisions included, on real latencies.

Nine models answered four benchmarks, and each answer came with a confidence, a price and a latency
(``cascade9.npz`` in ``../shared/data`` beside the repository, not part of it). For each strategy a
router is fitted on the train rows, for a budget of half the range of cost of the single models; a
session then walks each test row. What its user waits for is the recorded latency of the models that
ran, one after the other, and the time that the session took to decide, measured here.

The models that ran are asserted to be those of `Router.select`, on a sample.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import headrace as hr
import numpy as np
from common import machine
from latency import POINTS, paths
from quality_data import read_confidences
from tables import Table, microseconds
from workloads import DATA, Floats

STRATEGIES = ("routing", "threshold_cascade", "cascade", "cascade_routing", "index")
SHARE = 0.5
"""Of the range of cost, to spend."""
N_COMPARED = 300
WARM_UP = 100


@dataclass(frozen=True)
class Walked:
    """What became of each query: the models that ran, whose answer was given, and the seconds."""

    ran: list[list[int]]
    answers: list[int]
    dearer: list[bool]
    models: Floats
    """Seconds of the models that ran."""
    decisions: Floats
    """Seconds of the session."""


def fitted(tuning: hr.QueryLog, strategy: str) -> hr.Router:
    """Return a router for the budget."""
    costs = tuning.cost.mean(axis=0)
    budget = float(costs.min() + SHARE * np.ptp(costs))
    tokens = np.arange(tuning.n_models)
    estimator = hr.GaussianEstimator(calibration="logistic", cost_features=tokens)
    return hr.Router(estimator, strategy=strategy, n_threads=1).fit(tuning, budget=budget)


def walk(router: hr.Router, log: hr.QueryLog) -> Walked:
    """Walk every query of a log, and time what the session takes."""
    features, groups, signals = log.queries.features, log.queries.groups, log.queries.signals
    assert features is not None
    assert groups is not None
    assert signals is not None
    assert log.latency is not None
    walked = Walked([], [], [], np.zeros(log.n_queries), np.zeros(log.n_queries))
    for turn in range(-WARM_UP, log.n_queries):
        row = max(turn, 0)
        waited = 0.0
        path = []
        start = perf_counter()
        run = router.start(features[row], group=groups[row], seed=row)
        name = run.next_model
        took = perf_counter() - start
        while name is not None:
            model = run.next_index
            path.append(model)
            waited += float(log.latency[row, model])
            signal, cost = signals[row, model], float(log.cost[row, model])
            start = perf_counter()
            run.observe(name, signal, cost=cost)
            name = run.next_model
            took += perf_counter() - start
        start = perf_counter()
        answer = run.answer
        took += perf_counter() - start
        if turn < 0:
            continue
        assert answer is not None
        walked.ran.append(path)
        walked.answers.append(log.models.index(answer))
        walked.dearer.append(run.dearer)
        walked.models[row], walked.decisions[row] = waited, took
    return walked


def assert_decides_as_router(router: hr.Router, log: hr.QueryLog, walked: Walked) -> None:
    """Assert that the sessions went the way of `Router.select` and gave `Router.answer`."""
    rows = np.linspace(0, log.n_queries - 1, N_COMPARED).astype(int)
    queries = log.queries.rows(rows)
    expected = paths(router, queries, np.array(walked.dearer)[rows])
    ran = np.zeros((len(rows), log.n_models), dtype=np.bool_)
    for place, path in enumerate(expected):
        ran[place, path] = True
    answers = router.answer(queries, ran).tolist()
    for row, path, answer in zip(rows.tolist(), expected, answers, strict=True):
        assert (walked.ran[row], walked.answers[row]) == (path, answer), f"query {row}"


def row_of(strategy: str, log: hr.QueryLog, walked: Walked) -> list[str]:
    """Return a row of the table."""
    whole = walked.models + walked.decisions
    quality = log.quality[np.arange(log.n_queries), walked.answers].mean()
    share = 100.0 * walked.decisions.sum() / whole.sum()
    return [
        strategy,
        f"{100.0 * quality:.1f}",
        f"{np.mean([len(path) for path in walked.ran]):.2f}",
        *(f"{1e3 * point:,.0f}" for point in (whole.mean(), *np.quantile(whole, POINTS))),
        microseconds(float(walked.decisions.mean())),
        microseconds(float(np.quantile(walked.decisions, POINTS[-1]))),
        f"{share:.3f}",
    ]


def main() -> None:
    """Fit, walk, assert and print."""
    parser = argparse.ArgumentParser(description="End-to-end latency on real measurements.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the .npz files")
    file = parser.parse_args().data / "cascade9.npz"
    if not file.is_file():
        print(f"skipped: no {file.name} in the data folder (see --data)")
        return
    log, tuning, test = read_confidences(file)
    log, tuned = log.rows(test), log.rows(tuning)
    rows = []
    for strategy in STRATEGIES:
        router = fitted(tuned, strategy)
        walked = walk(router, log)
        assert_decides_as_router(router, log, walked)
        rows.append(row_of(strategy, log, walked))
    print(machine(), end="\n\n")
    note = (
        f"{log.n_queries:,} queries, {log.n_models} models, {100 * SHARE:.0f} % of the range of "
        "cost. Decisions: all of headrace's time for a query."
    )
    columns = ["strategy", "quality %", "models", "mean ms", "p50 ms", "p99 ms", "p99.9 ms"]
    columns += ["decisions us", "p99.9 us", "% of the time"]
    print(Table("From a query to its answer", note, columns, rows))


if __name__ == "__main__":
    main()
