"""What a signal says of whether an answer is right: log-likelihood ratios, and their distribution.

A ratio multiplies the odds of being right. Its distribution is kept as nodes: the chance of each
node if the answer is right and if it is wrong. The ratio of the two chances *is* the node's
ratio, so that what is expected after looking is what was expected before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from headrace._estimators._calibration import Calibration, logit, sigmoid
from headrace._estimators._covariance import pooled, pooled_lines
from headrace._estimators._ridge import GroupRidge
from headrace._log import Integers
from headrace._problem import Floats
from headrace._reveals import Reveals
from headrace._state import Array, Kind, Part

N_NODES = 24
LARGEST_LOG_RATIO = 12.0
SMALLEST_GROUP = 60
GRID = np.linspace(0.0, 1.0, 201)


class NormalRatios:
    """Signals that are normal around a line in quality; lines shrunk towards a common one."""

    STATE: ClassVar[dict[str, Kind]] = {
        "noise_": Part((GroupRidge,), sizes={"g + 1": "g + 1", "k": "k"}),
        "variance_": Array("f", ("k",)),
        "slope_": Array("f", ("k",)),
    }

    def fit(self, values: Floats, codes: Integers, n_groups: int, quality: Floats) -> NormalRatios:
        """Learn from values (n, k, 1)."""
        known, slope, shift = pooled_lines(values[:, :, 0], quality)
        left = np.where(known, values[:, :, 0] - slope * quality, np.nan)
        nothing = np.zeros((len(values), 0))
        self.noise_ = GroupRidge().fit(nothing, codes, n_groups, left)
        self.noise_.means_ += shift
        count = np.maximum(known.sum(axis=0), 2)
        variance = np.nansum(self.noise_.residuals_**2, axis=0) / count
        floor = 1e-6 * (slope**2 + variance.max(initial=0.0)) + 1e-300
        variance = np.maximum(variance, floor)
        self.variance_ = np.exp(pooled(np.log(variance), 2.0 / count))
        self.slope_ = slope
        return self

    def log_ratios(self, values: Floats, codes: Integers, models: Integers) -> Floats:
        """Return the log-likelihood ratios of values (n, r, 1) of these models."""
        left = values[:, :, 0] - self.noise_.means_[:, models][codes]
        slope = self.slope_[models]
        ratios = slope * (left - 0.5 * slope) / self.variance_[models]
        return np.clip(ratios, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


class LogisticRatios:
    """Signals by logistic regression, with slopes for each group."""

    STATE: ClassVar[dict[str, Kind]] = {
        "calibration_": Part((Calibration,), sizes={"g + 1": "g + 1", "k": "k"}),
        "base_": Array("f", ("g + 1", "k")),
    }

    def fit(
        self, values: Floats, codes: Integers, n_groups: int, quality: Floats
    ) -> LogisticRatios:
        """Learn from values (n, k, m)."""
        k = quality.shape[1]
        self.calibration_ = Calibration(logistic=True).fit(values, codes, n_groups, quality)
        seen = self.calibration_.predict(values, codes, np.arange(k))
        # The mean of what signals lead to expect is what was expected before: it sets the scale.
        self.base_ = np.zeros((n_groups + 1, k))
        for group in range(n_groups + 1):
            rows = codes == group if group < n_groups else np.full(len(codes), True)
            if not rows.any():
                rows[:] = True
            some = np.where(np.isnan(quality[rows]), np.nan, seen[rows])
            count = (~np.isnan(some)).sum(axis=0)
            mean = np.where(count > 0, np.nansum(some, axis=0) / np.maximum(count, 1), 0.5)
            self.base_[group] = logit(np.clip(mean, 1e-3, 1.0 - 1e-3))
        return self

    def log_ratios(self, values: Floats, codes: Integers, models: Integers) -> Floats:
        """Return the log-likelihood ratios of values (n, r, m) of these models."""
        scores = self.calibration_.scores(values, codes, models)
        ratios = scores - self.base_[:, models][codes]
        return np.clip(ratios, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


@dataclass(frozen=True, eq=False)
class RevealNodes:
    """Chances of the nodes of each group and model, highest ratio first, shape (G + 1, k, T)."""

    right: Floats
    wrong: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "right": Array("f", ("g + 1", "k", "t")),
        "wrong": Array("f", ("g + 1", "k", "t")),
    }

    @classmethod
    def of(cls, ratios: Floats, codes: Integers, n_groups: int, prior: Floats) -> RevealNodes:
        """Return the nodes of log-ratios (n, k) of training rows; NaN where missing."""
        k = ratios.shape[1]
        right = np.full((n_groups + 1, k, N_NODES), 1.0 / N_NODES)
        wrong = right.copy()
        place = (np.arange(N_NODES) + 0.5) / N_NODES
        odds = logit(prior)
        for group in range(n_groups, -1, -1):
            rows = codes == group if group < n_groups else np.full(len(codes), True)
            for i in range(k):
                some = rows & ~np.isnan(ratios[:, i])
                if group < n_groups and some.sum() < SMALLEST_GROUP:
                    right[group, i], wrong[group, i] = right[-1, i], wrong[-1, i]
                    continue
                if not some.any():
                    continue
                d = ratios[some, i]
                nodes = np.quantile(d, place)[::-1]
                p = sigmoid(nodes + _level(d, odds[some, i]))
                right[group, i] = p / p.sum()
                wrong[group, i] = (1.0 - p) / (1.0 - p).sum()
        return cls(right, wrong)

    def spread(self, beliefs: Floats, codes: Integers) -> Floats:
        """Return the spread of the change for beliefs (n, k) of queries of these groups."""
        place = beliefs * (len(GRID) - 1)
        low = np.minimum(place.astype(int), len(GRID) - 2)
        cells = codes[:, None], np.arange(beliefs.shape[1])
        left, right = self.spreads[(*cells, low)], self.spreads[(*cells, low + 1)]
        spread: Floats = left + (place - low) * (right - left)
        return spread

    @cached_property
    def spreads(self) -> Floats:
        """Return the spread of the change for each belief in ``GRID``, (G + 1, k, 201)."""
        p = GRID[:, None]
        chance = p * self.right[:, :, None] + (1.0 - p) * self.wrong[:, :, None]
        after = p * self.right[:, :, None] / np.maximum(chance, 1e-300)
        spreads: Floats = np.sqrt((chance * (after - p) ** 2).sum(axis=3))
        return spreads

    def of_queries(self, codes: Integers) -> Reveals:
        """Return what may be revealed of queries of these groups."""
        return Reveals(*self.summed, codes)

    @cached_property
    def summed(self) -> tuple[Floats, Floats]:
        """Return the chances of the nodes up to each."""
        return self.right.cumsum(axis=2), self.wrong.cumsum(axis=2)


def _level(ratios: Floats, odds: Floats) -> float:
    """Return the log-odds at which nodes of these ratios are right as often as expected."""
    mean = float(sigmoid(odds).mean())
    low, high = -30.0, 30.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if float(sigmoid(ratios + middle).mean()) < mean:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
