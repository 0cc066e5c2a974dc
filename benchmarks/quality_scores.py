"""What a curve comes to: its area with a bootstrap sample, models and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import headrace as hr
import numpy as np
from headrace._bootstrap import interval
from workloads import Floats

RESAMPLES = 500
"""As in the paper."""
LATENCY_AT = (0.10, 0.50, 0.75)
"""Shares of the range of cost at which latency is read off."""


@dataclass(frozen=True, eq=False)
class Score:
    """A curve on test rows.

    Attributes
    ----------
    auc : float
        In %.
    resampled : array of shape (RESAMPLES,)
        The same on resampled test queries: the same queries for all curves on a test log.
    models : float
        Models per query, mean over the budgets.
    latency : array of shape (3,), or None
        Milliseconds at the shares of the range of cost, one model after the other.
    lookahead : float
        Factor on the uncertainty.
    """

    auc: float
    resampled: Floats
    models: float
    latency: Floats | None
    lookahead: float

    def minus(self, other: Score) -> hr.Interval:
        """Return the difference of areas with its paired interval."""
        return interval(self.auc - other.auc, self.resampled - other.resampled)

    @property
    def interval(self) -> hr.Interval:
        """The area with its interval."""
        return interval(self.auc, self.resampled)


Scores = Mapping[str, Score]


def scores(frontier: hr.Frontier) -> dict[str, Score]:
    """Score all curves of a frontier."""
    areas = frontier.auc(RESAMPLES)
    resampled = frontier.resampled_auc(RESAMPLES)
    low, high = float(frontier.model_costs.min()), float(frontier.model_costs.max())
    found = {}
    for label, curve in frontier.curves.items():
        latency = None
        if curve.query_latencies is not None:
            at = [curve.at(low + share * (high - low))["latency"] for share in LATENCY_AT]
            latency = 1000.0 * np.array(at)
        found[label] = Score(
            auc=100.0 * areas[label].mean,
            resampled=100.0 * resampled[label],
            models=float(curve.query_models.mean()),
            latency=latency,
            lookahead=curve.lookahead,
        )
    return found


def average(draws: Sequence[Score]) -> Score:
    """Average over draws of what is left to chance, on the same test queries."""
    latencies = [score.latency for score in draws if score.latency is not None]
    return Score(
        auc=float(np.mean([score.auc for score in draws])),
        resampled=np.mean([score.resampled for score in draws], axis=0),
        models=float(np.mean([score.models for score in draws])),
        latency=np.mean(latencies, axis=0) if latencies else None,
        lookahead=float(np.mean([score.lookahead for score in draws])),
    )
