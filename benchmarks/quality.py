"""Quality for money on real measurements: every policy at every budget, with paired intervals.

A folder ``../shared/data`` beside the repository, not part of it, holds the measurements. Without
the folder there is little to do.

RouterBench noise, the protocol of the paper: a model's quality (0 or 1) and cost are seen through
Gaussian noise, as of `headrace.add_noise`. 10 % of the rows tune, the others test. There are ten
budgets for each segment of the Pareto hull of single models on the test rows, and a price for each
from the tuning rows. The area below the realised curve on the test rows, over the range of cost of
single models, is the AUC. The rows of the paper's estimator calibrate on all rows, as the paper
does, and *all rows* says that another one does; the others look at tuning rows alone.

Real confidences: nine models answered four benchmarks, and each answer came with a confidence, a
price and a latency. Fitted on train rows, tested on test rows.

Intervals are those of 500 bootstrap samples of the test queries, the same for all rows; nothing is
fitted again. Besides: prices by step against one price for all, realised costs against budgets on
random halves, and times.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, is_dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from quality_data import MODEL_SETS
from quality_given import LEVELS
from quality_protocols import (
    CONFIDENCES,
    NOISE,
    draw,
    measure_confidences,
    measure_noise,
    measure_splits,
    measure_steps,
)
from quality_rows import PER_STEP
from quality_scores import Score, average
from quality_tables import (
    confidence_table,
    noise_tables,
    split_table,
    step_table,
    time_table,
)
from quality_times import timings
from tables import Table
from tqdm import tqdm
from workloads import DATA

PICTURES = Path(__file__).resolve().parent / "pictures"
N_PROCESSES = 2


class Tasks:
    """Calls that run in processes of their own; their results by key."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._futures: dict[tuple[Any, ...], Future[Any]] = {}

    def add(self, key: tuple[Any, ...], call: Callable[..., Any], *arguments: Any) -> None:
        """Start a call as soon as a process is free."""
        self._futures[key] = self._pool.submit(call, *arguments)

    def results(self) -> dict[tuple[Any, ...], Any]:
        """Wait for all, in the order in which they were added."""
        for done in tqdm(as_completed(self._futures.values()), "tasks", len(self._futures)):
            done.result()
        return {key: future.result() for key, future in self._futures.items()}


def measure(data: Path, sizes: list[int], seeds: int) -> dict[str, Any]:
    """Measure what there is data for, in processes of one thread each; times come last, alone."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the processes to come
    whole = 11 in sizes
    context = get_context("spawn")
    with ProcessPoolExecutor(N_PROCESSES, context) as pool:
        tasks = Tasks(pool)
        names = [name for name in (NOISE, CONFIDENCES) if (data / name).is_file()]
        for name in names if whole else ():
            tasks.add(("steps", name), measure_steps, data, name)
            tasks.add(("splits", name), measure_splits, data, name)
            tasks.add(
                ("picture", name), draw, data, name, PICTURES / f"quality_{Path(name).stem}.png"
            )
        if CONFIDENCES in names:
            tasks.add(("confidences",), measure_confidences, data, not whole)
        if NOISE in names:
            for size in sorted(sizes, reverse=True):
                for level in LEVELS:
                    for seed in range(seeds):
                        key = size, level, seed
                        tasks.add(("noise", *key), measure_noise, data, *key, not whole)
        results = tasks.results()
    found: dict[str, Any] = {"noise": {}, "confidences": results.get(("confidences",))}
    if NOISE in names:
        for size in sizes:
            for level in LEVELS:
                draws = [results["noise", size, level, seed] for seed in range(seeds)]
                found["noise"][f"{size} {level}"] = {
                    row: average([scores[row] for scores in draws]) for row in draws[0]
                }
    for kind in ("steps", "splits"):
        found[kind] = {
            Path(name).stem: results[kind, name] for name in names if (kind, name) in results
        }
    found["times"] = []
    if whole:
        with ProcessPoolExecutor(1, context) as pool:
            found["times"] = pool.submit(timings, data).result()
    return found


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Return the tables of what was measured."""
    shown = noise_tables(found["noise"]) if found["noise"] else []
    if found["confidences"]:
        shown.append(confidence_table(found["confidences"]))
    if found["steps"]:
        shown.append(step_table(found["steps"], PER_STEP))
    if found["splits"]:
        shown.append(split_table(found["splits"]))
    if found["times"]:
        shown.append(time_table(found["times"]))
    return shown


def plain(value: Any) -> Any:
    """Return what JSON can hold: of scores all but the bootstrap samples."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, Score):
        low, high = value.interval.low, value.interval.high
        latency = None if value.latency is None else value.latency.tolist()
        return {"auc": value.auc, "low": low, "high": high, "models": value.models,
                "latency_ms": latency, "lookahead": value.lookahead}  # fmt: skip
    return asdict(value) if is_dataclass(value) else value  # type: ignore[arg-type]


def main() -> None:
    """Measure, print, draw, and write the numbers where asked."""
    parser = argparse.ArgumentParser(description="Quality for money on real measurements.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the .npz files")
    parser.add_argument("--seeds", type=int, default=5, help="draws of the noise")
    parser.add_argument(
        "--models",
        type=int,
        nargs="+",
        default=list(MODEL_SETS),
        choices=list(MODEL_SETS),
        help="sizes of RouterBench; without 11, steps, splits, times and pictures are left out",
    )
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    given = parser.parse_args()
    for name in (NOISE, CONFIDENCES):
        if not (given.data / name).is_file():
            print(f"skipped: no {name} in the data folder (see --data)")
    found = measure(given.data, sorted(set(given.models)), given.seeds)
    for table in tables(found):
        print(f"\n{table}")
    if given.json is not None:
        given.json.write_text(json.dumps(plain(found), indent=1) + "\n")


if __name__ == "__main__":
    main()
