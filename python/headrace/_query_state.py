"""The seam between a session and what decides: one query in one fitted router."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from headrace._decider import NO_MODELS, Decider
from headrace._log import Queries
from headrace._problem import Floats, Numbers


def row_of(features: Numbers | None) -> Floats | None:
    """Return the features of a query in an array of shape (1, d)."""
    return None if features is None else np.array(features, ndmin=2)


class QueryState(Protocol):
    """What is known of one query, and what to do about it.

    Models are columns of the log that the router was fitted on. The session checks what the user
    says, and words it; a state may trust its arguments.

    Attributes
    ----------
    ran : tuple of int
        Models that have run, in turn.
    """

    ran: tuple[int, ...]

    def observe(self, model: int, signal: Floats | float | None) -> None:
        """Take in that a model has run.

        ``signal`` has shape (m,), or is a number where m is 1, or None where m is 0.
        """

    def decide(self, barred: Collection[int], surcharge: Floats | None) -> int:
        """Return the model to run next, or -1 to stop.

        ``barred`` are no candidates, and none of them has run. ``surcharge``, of shape (k,), is
        added to the expected costs.
        """

    def best(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""

    def queries(self) -> Queries:
        """Return the query, with the signals so far; it counts as one of a log."""


class PlainState:
    """A state that works with every estimator, strategy and backend.

    It keeps what was observed and nothing that follows from it: estimates are asked for when a
    decision is.
    """

    __slots__ = ("_best", "_dear", "_decider", "_features", "_groups", "_index", "_signals", "ran")

    def __init__(
        self,
        decider: Decider,
        features: Floats | None,
        groups: NDArray[np.generic] | None,
        index: int,
        dear: bool,
    ) -> None:
        self.ran: tuple[int, ...] = NO_MODELS
        self._decider = decider
        self._features = features
        self._groups = groups
        self._index = index
        self._dear = dear
        self._signals: Floats | None = None
        self._best: int | None = -1

    def observe(self, model: int, signal: Floats | float | None) -> None:
        """Take in that a model has run."""
        if signal is not None:
            if self._signals is None:
                self._signals = self._decider.no_signals()
            assert self._signals is not None
            self._signals[0, model] = signal
        self.ran += (model,)
        self._best = None

    def decide(self, barred: Collection[int], surcharge: Floats | None) -> int:
        """Return the model to run next, or -1 to stop."""
        decider, ran = self._decider, sorted(self.ran)
        estimates = decider.estimates(self.queries(), ran)
        if ran:
            self._best = int(decider.best(estimates.qualities, ran)[0])
        among = decider.candidates(barred)
        if len(among.order) == len(ran):
            return -1
        if surcharge is not None:
            estimates = replace(estimates, costs=estimates.costs + surcharge)
        position = int(decider.decide(estimates, ran, self._dear, among).next_model[0])
        return position if position < 0 else int(among.order[position])

    def best(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""
        if self._best is None:
            ran = sorted(self.ran)
            qualities = self._decider.estimates(self.queries(), ran).qualities
            self._best = int(self._decider.best(qualities, ran)[0])
        return self._best

    def queries(self) -> Queries:
        """Return the query, with the signals so far."""
        signals = self._signals
        return Queries(
            index=np.array([self._index]),
            n_models=self._decider.n_models,
            features=self._features,
            signals=self._decider.unseen if signals is None else signals,
            groups=self._groups,
        )
