"""How many seconds an answer is expected to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headrace._estimators._groups import Groups
from headrace._estimators._ridge import GroupRidge
from headrace._log import QueryLog
from headrace._problem import Floats
from headrace._state import Array, Kind, Part, StateError


@dataclass(frozen=True, eq=False)
class ExpectedSeconds:
    """Mean latency of each model on a log, by group where there are groups.

    Attributes
    ----------
    groups : Groups
    means : float64 array of shape (G + 1, k)
        Of each group, shrunk towards that of all as far as chance explains the difference; the last
        row is for unseen groups.
    """

    groups: Groups
    means: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "groups": Part((Groups,)),
        "means": Array("f", ("g + 1", "k")),
    }

    @classmethod
    def learned(cls, log: QueryLog) -> ExpectedSeconds | None:
        """Learn from a log; None if it lacks the latency of a model."""
        if log.latency is None or np.isnan(log.latency).all(axis=0).any():
            return None
        groups = Groups.of(log.queries.groups)
        codes = groups.codes(log.queries.groups, log.n_queries)
        nothing = np.zeros((log.n_queries, 0))
        means = GroupRidge().fit(nothing, codes, len(groups), log.latency).means_
        return cls(groups, np.maximum(means, 0.0))

    def of(self, groups: NDArray[np.generic] | None) -> Floats:
        """Return the expected seconds of each model, shape (k,), for the first of these groups."""
        seconds: Floats = self.means[self.groups.codes(groups, 1)[0]]
        return seconds

    def refuse_nonsense(self) -> None:
        """Raise StateError if no log can have taught this."""
        if len(self.means) != len(self.groups) + 1:
            raise StateError("every group must have its seconds")
        if not (np.isfinite(self.means) & (self.means >= 0.0)).all():
            raise StateError("seconds must be finite, not negative")
