"""What a class of queries does to a model's signal, whatever its answer is worth.

On hard queries a model tends to be less sure of its right and its wrong answers alike. So a signal
tells more of the other models than the quality of one answer would, and less of its own answer.
Within a class, log-likelihood ratios are taken for normal around a mean for right and one for wrong
answers, both moved by the shift of the class. What a ratio says of its own answer is trusted, and
the normal model is for the shifts alone: without them a ratio is left as it is.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from headrace._problem import Floats
from headrace._state import Array, Kind, StateError

SMALLEST_VARIANCE = 1e-4
SMALLEST_SHARE = 0.5
"""Of the variance of normal log-ratios, which is the difference of their means: those of signals
that nearly tell all, cut off as they are, have less."""
LARGEST_SCALE = 2.0
LARGEST_ODDS = 50.0
LARGEST_LINE = 1e9
N_ITERATIONS = 6


class SignalShifts:
    """What log-ratios of k models say in each of C classes.

    Attributes
    ----------
    scale_ : array of shape (k,)
    odds_ : array of shape (C, k)
        A ratio multiplied by ``scale_``, plus these, is the log-ratio within the class.
    slope_, level_ : array of shape (C, k)
        Of the class's log-density of ratios of wrong answers, as a line in the ratio, above that of
        all classes.
    """

    scale_: Floats
    odds_: Floats
    slope_: Floats
    level_: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "scale_": Array("f", ("k",)),
        "odds_": Array("f", ("c", "k")),
        "slope_": Array("f", ("c", "k")),
        "level_": Array("f", ("c", "k")),
    }

    def refuse_nonsense(self) -> None:
        """Raise StateError if no fit can have learned this."""
        bounds = {"odds_": LARGEST_ODDS, "slope_": LARGEST_LINE, "level_": LARGEST_LINE}
        for name, bound in {"scale_": LARGEST_SCALE, **bounds}.items():
            if np.abs(getattr(self, name)).max(initial=0.0) > bound:
                raise StateError(f"{name} of SignalShifts must not exceed {bound:g} in magnitude")

    def fit(self, ratios: Floats, quality: Floats, members: Floats) -> SignalShifts:
        """Learn from ratios (n, k), qualities, and what these tell of the classes (n, C).

        Shifts are shrunk by what chance alone would make of them (empirical Bayes).
        """
        known = ~(np.isnan(quality) | np.isnan(ratios))
        seen = np.where(known, ratios, 0.0)
        right, wrong = known & (quality == 1.0), known & (quality == 0.0)
        weight = np.maximum(members.T @ known, 1e-12)
        chance = (members**2).T @ known / weight**2  # variance of a mean, over that of a ratio

        def means_and_variance(shifts: Floats) -> tuple[Floats, Floats, Floats, Floats]:
            rest = seen - known * (members @ shifts)
            mean_right, mean_wrong = (
                (rest * some).sum(axis=0) / np.maximum(some.sum(axis=0), 1)
                for some in (right, wrong)
            )
            left = seen - right * mean_right - wrong * mean_wrong
            spread = left**2 - 2.0 * left * (members @ shifts) + known * (members @ shifts**2)
            variance = spread.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            least = np.maximum(SMALLEST_SHARE * (mean_right - mean_wrong), SMALLEST_VARIANCE)
            return mean_right, mean_wrong, left, np.maximum(variance, least)

        shifts = np.zeros(weight.shape)
        mean_right, mean_wrong, left, variance = means_and_variance(shifts)
        slope_of_all = (mean_right - mean_wrong) / variance
        middle_of_all = 0.5 * (mean_right + mean_wrong)
        for _ in range(N_ITERATIONS):
            means = members.T @ left / weight
            excess = (weight * (means**2 / variance - chance)).sum() / weight.sum()
            share = max(float(excess), 0.0)
            shifts = means * (share / np.maximum(share + chance, 1e-300))
            mean_right, mean_wrong, left, variance = means_and_variance(shifts)

        # Normal ratios with two means have the log-ratio slope * (ratio - middle - shift): as much
        # of the ratio itself as this slope has of the one without shifts.
        slope = (mean_right - mean_wrong) / variance
        told = slope_of_all != 0.0
        self.scale_ = np.ones(len(slope))
        self.scale_[told] = (slope[told] / slope_of_all[told]).clip(0.0, LARGEST_SCALE)
        moved = 0.5 * (mean_right + mean_wrong) - middle_of_all
        odds = -self.scale_ * moved - slope * shifts
        self.odds_ = odds.clip(-LARGEST_ODDS, LARGEST_ODDS)
        self.slope_ = shifts / variance
        self.level_ = -(mean_wrong + 0.5 * shifts) * self.slope_
        return self

    def log_odds(self, ratios: Floats, model: int) -> Floats:
        """Return the log-ratios within the classes, (n, C), of ratios (n,) of a model."""
        odds: Floats = ratios[:, None] * self.scale_[model] + self.odds_[:, model]
        return odds

    def log_densities(self, ratios: Floats, model: int) -> Floats:
        """Return what the classes make of the density of a wrong answer's ratio, (n, C)."""
        densities: Floats = ratios[:, None] * self.slope_[:, model] + self.level_[:, model]
        return densities
