"""What a router has learned beside its estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from headrace._check import LARGEST
from headrace._latency import ExpectedSeconds
from headrace._log import Integers
from headrace._options import TIES
from headrace._problem import Floats
from headrace._state import LARGEST_WIDTH, Array, Kind, Part, StateError, Texts, Value
from headrace._tuning import Mixture


@dataclass(frozen=True, eq=False)
class Fit:
    """What a router has learned beside its estimator.

    Attributes
    ----------
    mixture : Mixture
        The two policies next to the target.
    lookahead : float
        Factor on the uncertainty.
    step_factors : float64 array of shape (T,)
        Factors on the price at each step.
    order : int64 array of shape (k,)
        The model at each position.
    models : tuple of str
    n_features, n_signals : int
        Of the log.
    seconds : ExpectedSeconds, or None
        How long answers take, if the log says it of every model.
    """

    mixture: Mixture
    lookahead: float
    step_factors: Floats
    order: Integers
    models: tuple[str, ...]
    n_features: int
    n_signals: int
    seconds: ExpectedSeconds | None

    STATE: ClassVar[dict[str, Kind]] = {
        "mixture": Part((Mixture,)),
        "lookahead": Value((float,)),
        "step_factors": Array("f", ("t",)),
        "order": Array("i", ("k",)),
        "models": Texts(size="k"),
        "n_features": Value((int,)),
        "n_signals": Value((int,)),
        "seconds": Part((ExpectedSeconds,), optional=True, sizes={"k": "k"}),
    }

    def refuse_nonsense(self) -> None:
        """Raise StateError if no router can have learned this."""
        k = len(self.models)
        points = (self.mixture.cheap, self.mixture.dear)
        for rule, holds in (
            ("there must be models", k > 0),
            ("order must be a permutation", np.array_equal(np.sort(self.order), np.arange(k))),
            ("gamma must be between 0 and 1", 0.0 <= self.mixture.gamma <= 1.0),
            ("prices must be finite", all(np.isfinite(point.price) for point in points)),
            ("ties must be known", all(point.ties in TIES for point in points)),
            ("a step must have a factor", len(self.step_factors) > 0),
            (
                "factors must be finite, not negative",
                bool(((self.step_factors >= 0.0) & (self.step_factors <= LARGEST)).all()),
            ),
            (
                f"n_features and n_signals must be 0 to {LARGEST_WIDTH}",
                min(self.n_features, self.n_signals) >= 0
                and max(self.n_features, self.n_signals) <= LARGEST_WIDTH,
            ),
        ):
            if not holds:
                raise StateError(rule)
