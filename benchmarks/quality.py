"""Quality for money on real measurements: AUC of every policy, with paired bootstrap intervals.

A folder ``../shared/data`` beside the repository, not part of it, holds the two workloads
``routerbench3.npz`` and ``cascade9.npz``. Without the folder there is nothing to do.

RouterBench noise, the protocol of the paper: a model's quality (0 or 1) and cost are seen through
Gaussian noise, see `headrace.add_noise`. 10 % of the rows tune, the others test. A curve has ten
budgets for each segment of the Pareto hull of single models; one lambda for all decisions is
bisected on the tuning rows for each; the area below the realised curve on the test rows, over the
range of cost of the single models, is the AUC. The rows "calibrated on all rows" fit the linear
maps on test rows too, as the paper does; the others do not.

Real confidences: nine models answered five benchmarks, and each answer came with a confidence, a
price and a latency. Fit on train rows (without gsm8k, which has no test rows), tested on test rows.

The intervals are of the difference to the row `released`, the best of the paper's own: 500
bootstrap samples of the test queries, the same for both; lambda is not fitted again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import headrace as hr
import numpy as np
from confidences import ConfidenceEstimator
from curves import area, budgets, interval, pareto_hull, resampling_weights
from headrace._log import Integers, QueryLog
from rollouts import Decisions, Episodes, ThresholdCascade, play_budgets, play_thresholds
from workloads import DATA, Floats

PAPER_ORDER = (
    "WizardLM/WizardLM-13B-V1.2",
    "claude-instant-v1",
    "claude-v1",
    "claude-v2",
    "gpt-3.5-turbo-1106",
    "gpt-4-1106-preview",
    "meta/code-llama-instruct-34b-chat",
    "meta/llama-2-70b-chat",
    "mistralai/mistral-7b-chat",
    "mistralai/mixtral-8x7b-chat",
    "zero-one-ai/Yi-34B-Chat",
)
MODEL_SETS = {3: (9, 4, 5), 5: (0, 9, 4, 3, 5), 11: tuple(range(11))}
LEVELS = ("low", "medium", "high")
DEPTH = 5
"""Most models of a query in the paper's RouterBench rows."""

LINEAR, RELEASED = "linear interpolation", "released"
LATENCY_AT = (0.10, 0.50, 0.75)
"""Shares of the range of cost at which latency is read off."""

Play = Callable[[QueryLog, QueryLog, Floats], Episodes]
"""From tuning rows, test rows and budgets to what happens on the test rows."""


@dataclass(frozen=True)
class Score:
    """A curve on test rows: its AUC in %, its bootstrap sample, and what else it did."""

    auc: float
    resampled: Floats
    models: float
    latency: tuple[float, ...]


def noisy_rows(whole: QueryLog, tuning: QueryLog) -> dict[str, Play]:
    """Return the policies for RouterBench, given the noisy log and its tuning rows."""
    paper = hr.NoisyEstimator(calibrate_on=whole).fit(tuning)
    released = hr.NoisyEstimator(variance_as_deviation=True, calibrate_on=whole).fit(tuning)
    fused = hr.NoisyEstimator(fuse=True, calibrate_on=whole).fit(tuning)
    honest = hr.NoisyEstimator(fuse=True).fit(tuning)
    routed = Decisions(paper, max_depth=DEPTH)
    return {
        "routing": partial(play_budgets, Decisions(paper, "routing")),
        "threshold cascade, shared": partial(play_budgets, ThresholdCascade(paper)),
        "threshold cascade": partial(play_thresholds, ThresholdCascade(paper)),
        "cascade": partial(play_budgets, Decisions(paper, "cascade")),
        "cascade routing": partial(play_budgets, routed),
        RELEASED: partial(play_budgets, Decisions(released, max_depth=DEPTH)),
        "No-Expect": partial(play_budgets, Decisions(paper, max_depth=DEPTH, lookahead=0.0)),
        "index": partial(play_budgets, Decisions(paper, "index")),
        "fused, index": partial(play_budgets, Decisions(fused, "index")),
        "fused, index, fitted on tuning rows": partial(play_budgets, Decisions(honest, "index")),
    }


def confident_rows(tuning: QueryLog) -> dict[str, Play]:
    """Return the policies for real confidences; nothing in them is joint."""
    correct = ConfidenceEstimator().fit(tuning)
    released = ConfidenceEstimator(variance_as_deviation=True).fit(tuning)
    return {
        "routing": partial(play_budgets, Decisions(correct, "routing")),
        "threshold cascade, shared": partial(play_budgets, ThresholdCascade(correct)),
        "threshold cascade": partial(play_thresholds, ThresholdCascade(correct)),
        "cascade": partial(play_budgets, Decisions(correct, "cascade")),
        "cascade routing": partial(play_budgets, Decisions(correct)),
        RELEASED: partial(play_budgets, Decisions(released)),
        "No-Expect": partial(play_budgets, Decisions(correct, lookahead=0.0)),
        "index": partial(play_budgets, Decisions(correct, "index")),
    }


def single_models(test: QueryLog) -> Episodes:
    """Return the models on the Pareto hull, each answering everything."""
    hull = pareto_hull(test.cost.mean(axis=0), test.quality.mean(axis=0))
    ran = np.zeros((len(hull), test.n_queries, test.n_models), dtype=np.bool_)
    ran[np.arange(len(hull)), :, hull] = True
    return Episodes.of(test, ran, np.repeat(hull[:, None], test.n_queries, axis=1))


def scores(
    rows: Mapping[str, Play], tuning: QueryLog, test: QueryLog, weights: Floats
) -> Iterator[tuple[str, Score, float]]:
    """Yield each policy with its score and the seconds that it took, the single models first."""
    cost, quality = test.cost.mean(axis=0), test.quality.mean(axis=0)
    spend = budgets(cost, quality)
    yield LINEAR, score(single_models(test), test, weights), 0.0
    for name, play in rows.items():
        start = perf_counter()
        episodes = play(tuning, test, spend)
        took = perf_counter() - start
        yield name, score(episodes, test, weights), took


def score(episodes: Episodes, test: QueryLog, weights: Floats) -> Score:
    """Score a curve; its bootstrap keeps the range of cost and the worst model."""
    models, worst = test.cost.mean(axis=0), float(test.quality.mean(axis=0).min())
    cost, quality = episodes.cost.mean(axis=1), episodes.quality.mean(axis=1)
    resampled = zip(weights @ episodes.cost.T, weights @ episodes.quality.T, strict=True)
    latency: tuple[float, ...] = ()
    if episodes.latency is not None:
        order = np.argsort(cost)
        at = models.min() + np.array(LATENCY_AT) * (models.max() - models.min())
        latency = tuple(np.interp(at, cost[order], episodes.latency.mean(axis=1)[order]).tolist())
    return Score(
        auc=100.0 * area(cost, quality, models, worst),
        resampled=np.array([100.0 * area(x, y, models, worst) for x, y in resampled]),
        models=float(episodes.models.mean()),
        latency=latency,
    )


def read_routerbench(path: Path) -> tuple[QueryLog, Integers]:
    """Return the log in the paper's order of models, and the order of its rows."""
    with np.load(path, allow_pickle=False) as file:
        log = QueryLog(
            file["quality"],
            file["cost_usd"],
            models=[str(name) for name in file["models"]],
            groups=file["benchmark_names"][file["benchmark"]],
        )
    return log.subset(models=PAPER_ORDER), np.random.default_rng(42).permutation(log.n_queries)


def read_confidences(path: Path) -> tuple[QueryLog, QueryLog]:
    """Return tuning and test rows, models by ascending cost on the tuning rows."""
    with np.load(path, allow_pickle=False) as file:
        names = file["benchmark_names"][file["benchmark"]]
        log = QueryLog(
            file["quality"].astype(np.float64),
            file["cost_usd"],
            features=file["tokens_in"].astype(np.float64),
            signals=file["logprob"],
            latency=file["latency_ms"] / 1000.0,
            models=[str(name) for name in file["models"]],
            groups=names,
        )
        is_test = file["is_test"] == 1
    order = np.argsort(log.rows(~is_test & (names != "gsm8k")).cost.mean(axis=0), kind="stable")
    known = log.queries.features
    assert known is not None
    log = log.subset(models=order.tolist()).with_observed(features=known[:, order])
    return log.rows(~is_test & (names != "gsm8k")), log.rows(is_test)


def measure_noise(path: Path, sizes: list[int], seeds: int) -> dict[str, dict[str, Score]]:
    """Return the mean scores over seeds, by policy and then by "3 low" and so on."""
    log, order = read_routerbench(path)
    first = round(0.1 * log.n_queries)
    weights = resampling_weights(log.n_queries - first)
    found: dict[str, dict[str, Score]] = {}
    for size in sizes:
        chosen = log.subset(models=list(MODEL_SETS[size]))
        by_cost = np.argsort(chosen.rows(order[:first]).cost.mean(axis=0), kind="stable")
        chosen = chosen.subset(models=by_cost.tolist())
        for level in LEVELS:
            each: dict[str, list[Score]] = {}
            clock: dict[str, float] = {}
            for seed in range(seeds):
                noisy = hr.add_noise(chosen, level, seed=seed)
                tuning, test = noisy.rows(order[:first]), noisy.rows(order[first:])
                rows = noisy_rows(noisy, tuning)
                for name, result, took in scores(rows, tuning, test, weights):
                    each.setdefault(name, []).append(result)
                    clock[name] = clock.get(name, 0.0) + took
            for name, results in each.items():
                found.setdefault(name, {})[f"{size} {level}"] = average(results)
            print(f"{size} {level}: {sum(clock.values()):.0f} s", flush=True)
    return found


def average(results: list[Score]) -> Score:
    """Average over seeds; the bootstrap samples are of the same queries."""
    return Score(
        auc=float(np.mean([result.auc for result in results])),
        resampled=np.mean([result.resampled for result in results], axis=0),
        models=float(np.mean([result.models for result in results])),
        latency=tuple(np.mean([result.latency for result in results], axis=0).tolist()),
    )


def difference(result: Score, other: Score) -> tuple[float, float, float]:
    """Return the difference of AUC with its 95 % interval."""
    return (result.auc - other.auc, *interval(result.resampled - other.resampled))


def print_noise(found: Mapping[str, Mapping[str, Score]]) -> None:
    """Print AUC in %, and the difference to `released` with its interval."""
    columns = list(found[LINEAR])
    print(f"\n| AUC % | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, row in found.items():
        print(f"| {name} | {' | '.join(f'{row[column].auc:.2f}' for column in columns)} |")
    print(f"\n| minus {RELEASED} | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, row in found.items():
        cells = [
            "{:+.2f} [{:+.2f}, {:+.2f}]".format(*difference(row[column], found[RELEASED][column]))
            for column in columns
        ]
        if name != RELEASED:
            print(f"| {name} | {' | '.join(cells)} |")


def print_confidences(found: Mapping[str, Score]) -> None:
    """Print AUC, models a query, and mean latency in milliseconds."""
    shares = " / ".join(f"{100 * share:.0f}" for share in LATENCY_AT)
    print(f"\n| | AUC % | minus {RELEASED} | models a query | ms at {shares} % of the cost |")
    print(f"|{' --- |' * 5}")
    for name, result in found.items():
        gap = "{:+.2f} [{:+.2f}, {:+.2f}]".format(*difference(result, found[RELEASED]))
        latency = " / ".join(f"{1000 * value:.0f}" for value in result.latency)
        print(f"| {name} | {result.auc:.2f} | {gap} | {result.models:.2f} | {latency} |")


def main() -> None:
    """Measure, print, and write the numbers where asked."""
    parser = argparse.ArgumentParser(description="Quality for money on real measurements.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the .npz files")
    parser.add_argument("--seeds", type=int, default=5, help="draws of the noise")
    parser.add_argument(
        "--models", type=int, nargs="+", default=list(MODEL_SETS), choices=list(MODEL_SETS)
    )
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    given = parser.parse_args()
    noise, confidences = given.data / "routerbench3.npz", given.data / "cascade9.npz"
    report: dict[str, dict[str, dict[str, float]]] = {}
    if noise.is_file():
        found = measure_noise(noise, given.models, given.seeds)
        print_noise(found)
        report["noise"] = {
            name: {column: result.auc for column, result in row.items()}
            for name, row in found.items()
        }
    else:
        print(f"skipped: no {noise.name} in the data folder (see --data)")
    if confidences.is_file():
        tuning, test = read_confidences(confidences)
        weights = resampling_weights(test.n_queries)
        results = {
            name: result
            for name, result, _ in scores(confident_rows(tuning), tuning, test, weights)
        }
        print_confidences(results)
        report["confidences"] = {
            name: {"auc": result.auc, "models": result.models} for name, result in results.items()
        }
    else:
        print(f"skipped: no {confidences.name} in the data folder (see --data)")
    if given.json is not None:
        given.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
