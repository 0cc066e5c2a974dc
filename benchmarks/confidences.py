"""An estimator for answers that come with a confidence: nothing joint, one model at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from headrace._estimators.protocol import Estimates
from headrace._log import Queries, QueryLog
from numpy.typing import NDArray
from workloads import Floats

STEPS = 50
RIDGE = 1e-2
"""Penalty of the logistic fit on everything but the intercept: separable cells stay finite."""


class ConfidenceEstimator:
    """Before a run the mean of model and group; after it a logistic fit of the log-odds.

    Of a log with groups, signals of shape (n, k, 1) that are log-odds of being right, and features
    of shape (n, k): the number of input tokens by model, of which the cost is a linear function.

    Parameters
    ----------
    variance_as_deviation : bool
        State the variance of the change as if it were its standard deviation, as the paper's
        released code does with independent estimates.
    """

    def __init__(self, variance_as_deviation: bool = False) -> None:
        self.variance_as_deviation = variance_as_deviation

    def fit(self, log: QueryLog) -> ConfidenceEstimator:
        """Learn from a log without missing cells; return the estimator."""
        known = log.queries
        assert known.groups is not None
        assert known.features is not None
        self.groups_, label = np.unique(known.groups, return_inverse=True)
        self.means_ = np.stack(
            [log.quality[label == group].mean(axis=0) for group in range(len(self.groups_))]
        )
        self.weights_ = np.stack(
            [
                _logistic(self._inputs(known, model), log.quality[:, model])
                for model in range(log.n_models)
            ]
        )
        tokens, cost = known.features, log.cost
        centred = tokens - tokens.mean(axis=0)
        self.slopes_ = (centred * cost).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-12)
        self.intercepts_ = cost.mean(axis=0) - self.slopes_ * tokens.mean(axis=0)
        change = self._after(known, range(log.n_models)) - self.means_[label]
        self.deviations_ = change.std(axis=0)
        return self

    def estimate(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Say what to expect of queries on which just the models ``ran`` have run."""
        assert queries.features is not None
        run = list(ran)
        qualities = self.means_[self._label(queries)]
        if run:
            qualities[:, run] = self._after(queries, run)
        sigmas = self.deviations_ ** (2 if self.variance_as_deviation else 1)
        sigmas[run] = 0.0
        costs = np.maximum(self.intercepts_ + self.slopes_ * queries.features, 0.0)
        return Estimates(qualities, costs, sigmas)

    def _label(self, queries: Queries) -> NDArray[np.int64]:
        assert queries.groups is not None
        label = np.searchsorted(self.groups_, queries.groups)
        assert np.array_equal(self.groups_[label], queries.groups)
        return label

    def _inputs(self, queries: Queries, model: int) -> Floats:
        """Intercept and slope of every group, shape (n, 2 g)."""
        assert queries.signals is not None
        member = self._label(queries)[:, None] == np.arange(len(self.groups_))
        return np.hstack([member, member * queries.signals[:, model]])

    def _after(self, queries: Queries, models: Sequence[int]) -> Floats:
        return np.column_stack(
            [
                1.0 / (1.0 + np.exp(-self._inputs(queries, model) @ self.weights_[model]))
                for model in models
            ]
        )


def _logistic(inputs: Floats, right: Floats) -> Floats:
    """Fit by Newton's method; the first half of the columns are intercepts."""
    weights = np.zeros(inputs.shape[1])
    penalty = np.repeat([1e-6, RIDGE], inputs.shape[1] // 2)
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (right - chance) - penalty * weights
        curvature = (inputs * (chance * (1.0 - chance))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if np.abs(step).max() < 1e-10:
            break
    return weights
