"""Estimators by name."""

from __future__ import annotations

from collections.abc import Callable

import click

from headrace._cli.options import together
from headrace._estimators.binary import BinaryEstimator
from headrace._estimators.gaussian import CALIBRATIONS, GaussianEstimator
from headrace._estimators.noisy import NoisyEstimator
from headrace._estimators.protocol import Estimator

ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    "gaussian": GaussianEstimator,
    "binary": BinaryEstimator,
    "noisy": NoisyEstimator,
}

estimator_options = together(
    click.option(
        "--estimator",
        type=click.Choice(list(ESTIMATORS)),
        default="gaussian",
        show_default=True,
        help="What learns from the log; binary is for quality that is 0 or 1, noisy for logs of "
        "headrace.add_noise.",
    ),
    click.option(
        "--calibration",
        type=click.Choice(CALIBRATIONS),
        help="Of signals, by the Gaussian estimator; logistic is for quality in [0, 1].  "
        f"[default: {CALIBRATIONS[0]}]",
    ),
)


def make_estimator(name: str, calibration: str | None) -> Estimator:
    """Make an estimator that is not fitted yet."""
    if calibration is None:
        return ESTIMATORS[name]()
    if name != "gaussian":
        raise click.UsageError("--calibration is for --estimator gaussian")
    return GaussianEstimator(calibration=calibration)
