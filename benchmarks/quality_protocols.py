"""The measurements of quality: each function is a task for one process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import headrace as hr
from quality_data import (
    MODEL_SETS,
    hull_budgets,
    read_confidences,
    read_routerbench,
    tuning_and_test_rows,
    with_noise,
)
from quality_rows import (
    CASCADE,
    CHOSEN,
    CLASSES_INDEX,
    FUSED_TUNING,
    GAUSSIAN_INDEX,
    RELEASED,
    ROUTING,
    SEARCHED,
    THRESHOLD,
    THRESHOLDS,
    Routers,
    confident_rows,
    grouped_rows,
    joint_rows,
    noisy_rows,
    per_step_rows,
)
from quality_scores import Score, average, scores
from quality_splits import Realised, realised_costs
from quality_thresholds import searched_curves
from workloads import Floats

NOISE, CONFIDENCES = "routerbench3.npz", "cascade9.npz"
STEPPED = (11, "medium", 0)
"""Models, noise and its draw, where one case of RouterBench stands for all."""
_BASELINES = {
    "routing": ROUTING,
    "threshold cascade": THRESHOLDS,
    "cascade": CASCADE,
    "the paper's code": RELEASED,
}
PICTURED = {
    NOISE: {
        **_BASELINES,
        "joint Gaussian": GAUSSIAN_INDEX,
        "latent classes": CLASSES_INDEX,
    },
    CONFIDENCES: {
        **_BASELINES,
        "joint Gaussian": GAUSSIAN_INDEX + CHOSEN,
        "latent classes": CLASSES_INDEX + CHOSEN,
    },
}
"""Rows by the label that they have in the picture."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Tuning rows and test rows of a log, budgets, and routers for them."""

    tuning: hr.QueryLog
    test: hr.QueryLog
    budgets: Floats
    rows: Routers

    def frontier(self, rows: Routers, every: int = 1) -> hr.Frontier:
        """Return the curves of these routers at every so many of the budgets."""
        any_router = next(iter(rows.values()))
        return hr.frontier(
            any_router.estimator,
            self.tuning,
            self.test,
            strategies=rows,
            budgets=self.budgets[::every],
        )


def noisy_halves(data: Path, size: int, level: str, seed: int, grouped: bool = False) -> Halves:
    """Return RouterBench with noise. Benchmarks are known only where it says so.

    The budgets are those of the test rows, as in the paper: nothing is fitted to them.
    """
    log = read_routerbench(data / NOISE)
    if not grouped:
        log = hr.QueryLog(log.quality, log.cost, models=log.models)
    noisy = with_noise(log, MODEL_SETS[size], level, seed)
    tuning, test = (noisy.rows(rows) for rows in tuning_and_test_rows(noisy))
    rows = grouped_rows(noisy) if grouped else noisy_rows(noisy)
    return Halves(tuning, test, hull_budgets(test), rows)


def confident_halves(data: Path) -> Halves:
    """Return real confidences, with the budgets of the tuning rows."""
    log, tuning_rows, test_rows = read_confidences(data / CONFIDENCES)
    tuning, test = log.rows(tuning_rows), log.rows(test_rows)
    return Halves(tuning, test, hull_budgets(tuning), confident_rows(log.n_models))


def measure_noise(
    data: Path, size: int, level: str, seed: int, short: bool = False
) -> dict[str, Score]:
    """Score all rows of RouterBench noise, or those of the short form."""
    plain, grouped = (noisy_halves(data, size, level, seed, known) for known in (False, True))
    found = _scored(plain, short)
    known = scores(grouped.frontier(grouped.rows))
    return {**found, **{label: known[label] for label in grouped.rows}}


def measure_confidences(data: Path, short: bool = False) -> dict[str, Score]:
    """Score all rows of real confidences, or those of the short form."""
    return _scored(confident_halves(data), short)


def _scored(halves: Halves, short: bool) -> dict[str, Score]:
    """Score the rows, in short those without prices by step, and thresholds sought at random."""
    rows = {label: one for label, one in halves.rows.items() if not (short and one.per_step)}
    frontier = halves.frontier(rows)
    searched = searched_curves(rows[THRESHOLD], halves.tuning, halves.test, halves.budgets)
    draws = replace(frontier, curves={f"search {i}": curve for i, curve in enumerate(searched)})
    found = {}
    for label, score in scores(frontier).items():
        found[label] = score
        if label == THRESHOLD:
            found[SEARCHED] = average(list(scores(draws).values()))
    return found


def measure_steps(data: Path, name: str) -> dict[str, Score]:
    """Score prices by step beside shared ones at a third of the budgets.

    Of RouterBench, 11 models and medium noise.
    """
    halves = noisy_halves(data, *STEPPED) if name == NOISE else confident_halves(data)
    estimator = halves.rows[FUSED_TUNING if name == NOISE else CASCADE].estimator
    return scores(halves.frontier(per_step_rows(estimator), every=3))


def measure_splits(data: Path, name: str) -> list[Realised]:
    """Realise budgets on random halves of all rows."""
    if name == NOISE:
        log = hr.add_noise(read_routerbench(data / NOISE), "medium")
        rows = joint_rows(log)
    else:
        log, _, _ = read_confidences(data / CONFIDENCES)
        rows = confident_rows(log.n_models)
    return list(realised_costs(log, rows[CLASSES_INDEX + CHOSEN]))


def draw(data: Path, name: str, path: Path) -> None:
    """Draw the curves of some rows; of RouterBench, 11 models and medium noise."""
    halves = noisy_halves(data, *STEPPED) if name == NOISE else confident_halves(data)
    rows = {label: halves.rows[row] for label, row in PICTURED[name].items()}
    found = halves.frontier(rows)
    ax = replace(found, models=tuple(model.split("/")[-1] for model in found.models)).plot()
    ax.xaxis.set_major_formatter(lambda cost, _: f"{1000.0 * cost:g}")
    ax.set_xlabel("mean cost of 1,000 queries in USD")
    ax.set_ylabel("share of right answers")
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(path)
