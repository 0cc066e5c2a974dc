"""A session that works with every estimator, strategy and backend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headrace._decider import NO_MODELS, Decider
from headrace._estimators.protocol import Estimates
from headrace._problem import Floats
from headrace._session import STOP, Asked, Pace, Session


class PlainSession(Session):
    """A session that asks the estimator and the backend of its router.

    It keeps what was observed and nothing that follows from it: estimates are asked for when a
    decision is.
    """

    __slots__ = (
        "_answer",
        "_asked",
        "_barred_models",
        "_cost",
        "_dearer",
        "_decider",
        "_excluded",
        "_next",
        "_pace",
        "_path",
        "_seconds",
        "_signals_seen",
    )

    def __init__(self, decider: Decider, asked: Asked, dearer: bool, pace: Pace | None) -> None:
        self._decider = decider
        self._asked = asked
        self._dearer = dearer
        self._pace = pace
        self._next: int | None = None
        self._path: tuple[int, ...] = NO_MODELS
        self._signals_seen: tuple[Floats | None, ...] = ()
        self._barred_models: tuple[int, ...] = NO_MODELS
        self._excluded: dict[int, str] | None = None
        self._answer: int | None = STOP  # None: of what has run, to be found out
        self._cost = 0.0
        self._seconds = 0.0

    @property
    def cost(self) -> float:
        """Money spent, as told to `observe` and `exclude`."""
        return self._cost

    @property
    def seconds(self) -> float:
        """Time spent, as told to `observe`."""
        return self._seconds

    @property
    def dearer(self) -> bool:
        """Whether the session takes the dearer of the router's two policies."""
        return self._dearer

    def _take_in(self, model: int, signals: Floats | None, spent: float, passed: float, /) -> None:
        """Take in that a model has run."""
        self._next = None  # before anything that an interrupt may cut off
        self._path += (model,)
        self._signals_seen += (signals,)
        self._answer = None
        self._cost += spent
        self._seconds += passed

    def _take_out(self, model: int, reason: str | None, spent: float, /) -> None:
        """Take a model that has not run out of the candidates."""
        self._next = None
        if model not in self._barred_models:
            self._barred_models += (model,)
        self._cost += spent
        if reason is not None:
            self._excluded = {**(self._excluded or {}), model: reason}

    def _choose(self) -> int:
        """Decide, and keep it."""
        self._next = self._found()
        return self._next

    def _found(self) -> int:
        decider, ran = self._decider, sorted(self._path)
        estimates = self._estimates(ran)
        if ran:
            self._answer = int(decider.best(estimates.qualities, ran)[0])
        among = decider.candidates(self._barred_models)
        if len(among.order) == len(ran):
            return STOP
        if self._pace is not None and self._pace.surcharge is not None:
            estimates = replace(estimates, costs=estimates.costs + self._pace.surcharge)
        position = int(decider.decide(estimates, ran, self._dearer, among).next_model[0])
        return position if position < 0 else int(among.order[position])

    def _best(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""
        if self._answer is None:
            ran = sorted(self._path)
            self._answer = int(self._decider.best(self._estimates(ran).qualities, ran)[0])
        return self._answer

    def _seen(self) -> Floats:
        """Return the signals of what has run, shape (len(_path), m)."""
        rows = np.empty((len(self._path), self._decider.n_signals))
        if rows.shape[1]:
            for row, signals in zip(rows, self._signals_seen, strict=True):
                row[:] = signals
        return rows

    def _estimates(self, ran: list[int]) -> Estimates:
        return self._decider.estimates(self._queries(), ran)
