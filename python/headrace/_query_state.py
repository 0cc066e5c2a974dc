"""The seam between a session and what decides: one query in one fitted router."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace._decider import NO_MODELS, Decider
from headrace._estimators.protocol import Estimates
from headrace._log import Queries
from headrace._problem import Floats, Numbers

Asked: TypeAlias = tuple[Numbers | None, NDArray[np.generic] | None, int]
"""What is known of a query before any model runs: its features, its group in an array, its row."""


class QueryState(Protocol):
    """What is known of one query, and what to do about it.

    Models are columns of the log that the router was fitted on. The session checks what the user
    says, and words it; a state may trust its arguments.
    """

    @property
    def ran(self) -> tuple[int, ...]:
        """Models that have run, in turn."""

    def observe(self, model: int, signals: Floats | float | None, /) -> None:
        """Take in that a model has run.

        ``signals`` have shape (m,), or are a number where m is 1, or None where m is 0.
        """

    def exclude(self, model: int, /) -> None:
        """Take a model that has not run out of the candidates; once more changes nothing."""

    def next_model(self) -> int:
        """Return the model to run next, or -1 to stop."""

    def answer(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""

    def seen(self) -> Floats | tuple[tuple[float, ...], ...]:
        """Return the signals of what has run, shape (len(ran), m)."""


def queries_of(decider: Decider, asked: Asked, state: QueryState) -> Queries:
    """Return the query, with the signals so far; it counts as one of a log."""
    features, groups, index = asked
    ran = state.ran
    signals = decider.no_signals() if ran else decider.unseen
    if ran and signals is not None:
        signals[0, list(ran)] = state.seen()
    return Queries(
        index=np.array([index]),
        n_models=decider.n_models,
        features=None if features is None else np.array(features, ndmin=2),
        signals=signals,
        groups=groups,
    )


class PlainState:
    """A state that works with every estimator, strategy and backend.

    It keeps what was observed and nothing that follows from it: estimates are asked for when a
    decision is. ``surcharge``, of shape (k,), is added to the expected costs.
    """

    __slots__ = ("_asked", "_barred", "_best", "_dear", "_decider", "_seen", "_surcharge", "ran")

    def __init__(
        self, decider: Decider, asked: Asked, dear: bool, surcharge: Floats | None
    ) -> None:
        self.ran: tuple[int, ...] = NO_MODELS
        self._decider = decider
        self._asked = asked
        self._dear = dear
        self._surcharge = surcharge
        self._barred: tuple[int, ...] = NO_MODELS
        self._seen: tuple[Floats | float | None, ...] = ()
        self._best: int | None = -1

    def observe(self, model: int, signals: Floats | float | None, /) -> None:
        """Take in that a model has run."""
        self.ran += (model,)
        self._seen += (signals,)
        self._best = None

    def exclude(self, model: int, /) -> None:
        """Take a model that has not run out of the candidates; once more changes nothing."""
        if model not in self._barred:
            self._barred += (model,)

    def next_model(self) -> int:
        """Return the model to run next, or -1 to stop."""
        decider, ran = self._decider, sorted(self.ran)
        estimates = self._estimates(ran)
        if ran:
            self._best = int(decider.best(estimates.qualities, ran)[0])
        among = decider.candidates(self._barred)
        if len(among.order) == len(ran):
            return -1
        if self._surcharge is not None:
            estimates = replace(estimates, costs=estimates.costs + self._surcharge)
        position = int(decider.decide(estimates, ran, self._dear, among).next_model[0])
        return position if position < 0 else int(among.order[position])

    def answer(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""
        if self._best is None:
            ran = sorted(self.ran)
            self._best = int(self._decider.best(self._estimates(ran).qualities, ran)[0])
        return self._best

    def seen(self) -> Floats:
        """Return the signals of what has run, shape (len(ran), m)."""
        rows = np.empty((len(self.ran), self._decider.n_signals))
        if rows.shape[1]:
            for row, signals in zip(rows, self._seen, strict=True):
                row[:] = signals
        return rows

    def _estimates(self, ran: list[int]) -> Estimates:
        return self._decider.estimates(queries_of(self._decider, self._asked, self), ran)
