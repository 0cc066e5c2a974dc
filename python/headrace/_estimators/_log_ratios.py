"""What a signal says of whether an answer is right: log-likelihood ratios, added to log-odds."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from headrace._estimators._calibration import Calibration, logit
from headrace._estimators._ridge import GroupRidge
from headrace._estimators._shrinkage import pooled, pooled_lines
from headrace._log import Integers
from headrace._problem import Floats
from headrace._state import Array, Kind, Part

LARGEST_LOG_RATIO = 12.0


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
