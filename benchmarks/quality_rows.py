"""The rows of the tables of quality: routers by label, not fitted yet.

``released`` decides as the paper's code does, with variances used as standard deviations. Where a
row does not say otherwise, the look-ahead is that of the estimator, and no depth is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import headrace as hr
import numpy as np
from confidences import ConfidenceEstimator

DEPTH = 5
"""Most models of a query in the paper's RouterBench rows."""

LINEAR, ROUTING = "linear interpolation", "routing"
THRESHOLD, THRESHOLDS = "threshold cascade", "threshold cascade, per step"
SEARCHED = "threshold cascade, random search"
CASCADE, CASCADE_ROUTING = "cascade", "cascade routing"
RELEASED, NO_EXPECT, INDEX = "released", "No-Expect", "index"
FUSED, FUSED_TUNING = "fused, index", "fused, index, tuning rows"
GAUSSIAN_EXACT, GAUSSIAN_INDEX = "joint Gaussian, exact", "joint Gaussian, index"
CLASSES_EXACT, CLASSES_INDEX = "latent classes, exact", "latent classes, index"
ALL_ROWS = ", all rows"
"""Of a label: the estimator is fitted on all rows, test rows included, as the paper's is."""
CHOSEN = ", look-ahead chosen"
"""Of a label: the factor on the uncertainty is chosen on the tuning rows."""
GROUPED = ", benchmark known"
"""Of a label: the estimator is told the benchmark of each query."""
PER_STEP = ", per step"
"""Of a label: the price differs from step to step."""
CEILING = "omniscient"

Routers = dict[str, hr.Router]


@dataclass(frozen=True)
class FittedOn:
    """An estimator that learns from a log of its own, whatever log it is given."""

    estimator: hr.Estimator
    log: hr.QueryLog

    def fit(self, log: hr.QueryLog) -> FittedOn:
        """Learn from the other log."""
        self.estimator.fit(self.log)
        return self

    def estimate(self, queries: hr.Queries, ran: Sequence[int]) -> hr.Estimates:
        """Ask the estimator."""
        return self.estimator.estimate(queries, ran)


router = partial(hr.Router, lookahead=1.0, n_threads=1)


def noisy_rows(whole: hr.QueryLog) -> Routers:
    """Return the rows of RouterBench noise that know nothing of benchmarks.

    Those of the paper's estimator calibrate on the whole log, as the paper does, except for the
    one that says so; one that is joint is fitted on the whole log. All others are fitted on the
    tuning rows alone.
    """
    paper = hr.NoisyEstimator(calibrate_on=whole)
    released = hr.NoisyEstimator(variance_as_deviation=True, calibrate_on=whole)
    fused = hr.NoisyEstimator(fuse=True, calibrate_on=whole)
    rows = joint_rows(whole)
    return {
        **_baselines(paper, released, DEPTH),
        FUSED: router(fused, strategy="index"),
        GAUSSIAN_EXACT + ALL_ROWS: router(FittedOn(rows[GAUSSIAN_EXACT].estimator, whole)),
        FUSED_TUNING: router(hr.NoisyEstimator(fuse=True), strategy="index"),
        **rows,
        CEILING: router(hr.PrecomputedEstimator(whole.quality, whole.cost), strategy="routing"),
    }


def joint_rows(whole: hr.QueryLog) -> Routers:
    """Return the rows of RouterBench noise in which each answer tells of all models."""
    k = whole.n_models
    # As add_noise has them: a noisy quality of each model, then a noisy cost.
    own, priced = np.arange(k), np.arange(k, 2 * k)
    gaussian = hr.GaussianEstimator(own_features=own, cost_features=priced)
    classes = hr.BinaryEstimator(own_features=own, cost_features=priced)
    return {
        GAUSSIAN_EXACT: router(gaussian),
        GAUSSIAN_INDEX: router(gaussian, strategy="index"),
        GAUSSIAN_INDEX + CHOSEN: router(gaussian, strategy="index", lookahead=None),
        CLASSES_EXACT: router(classes),
        CLASSES_EXACT + CHOSEN: router(classes, lookahead=None),
        CLASSES_INDEX: router(classes, strategy="index"),
        CLASSES_INDEX + CHOSEN: router(classes, strategy="index", lookahead=None),
    }


def grouped_rows(whole: hr.QueryLog) -> Routers:
    """Return two of them, by labels that say that benchmarks are known."""
    rows = joint_rows(whole)
    return {label + GROUPED: rows[label] for label in (GAUSSIAN_INDEX, CLASSES_INDEX)}


def confident_rows(n_models: int) -> Routers:
    """Return the rows of real confidences; those of the baselines have nothing joint."""
    one_by_one = ConfidenceEstimator()
    released = ConfidenceEstimator(variance_as_deviation=True)
    priced = np.arange(n_models)
    gaussian = hr.GaussianEstimator(calibration="logistic", cost_features=priced)
    classes = hr.BinaryEstimator(cost_features=priced)
    return {
        **_baselines(one_by_one, released, None),
        INDEX + CHOSEN: router(one_by_one, strategy="index", lookahead=None),
        GAUSSIAN_EXACT: router(gaussian),
        GAUSSIAN_EXACT + CHOSEN: router(gaussian, lookahead=None),
        GAUSSIAN_INDEX: router(gaussian, strategy="index"),
        GAUSSIAN_INDEX + CHOSEN: router(gaussian, strategy="index", lookahead=None),
        CLASSES_EXACT + CHOSEN: router(classes, lookahead=None),
        CLASSES_INDEX: router(classes, strategy="index"),
        CLASSES_INDEX + CHOSEN: router(classes, strategy="index", lookahead=None),
    }


def per_step_rows(estimator: hr.Estimator) -> Routers:
    """Return rows with one price for all steps, and the same with a price for each."""
    return {
        strategy + suffix: router(estimator, strategy=strategy.replace(" ", "_"), per_step=per_step)
        for strategy in (CASCADE, INDEX, CASCADE_ROUTING)
        for suffix, per_step in (("", False), (PER_STEP, True))
    }


def _baselines(correct: hr.Estimator, released: hr.Estimator, depth: int | None) -> Routers:
    return {
        ROUTING: router(correct, strategy="routing"),
        THRESHOLD: router(correct, strategy="threshold_cascade"),
        THRESHOLDS: router(correct, strategy="threshold_cascade", per_step=True),
        CASCADE: router(correct, strategy="cascade"),
        CASCADE_ROUTING: router(correct, max_depth=depth),
        RELEASED: router(released, max_depth=depth),
        NO_EXPECT: router(correct, max_depth=depth, lookahead=0.0),
        INDEX: router(correct, strategy="index"),
    }
