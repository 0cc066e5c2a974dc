"""A session: one query on its way through the models."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import LARGEST, check_floats, check_integer, check_number
from headrace._decider import Decider
from headrace._explanation import Explanation, explain
from headrace._problem import Floats
from headrace._query_state import Asked, QueryState, queries_of

STOP = -1
EXCLUDED = "excluded"


class SessionError(ValueError):
    """What a session was told does not fit what it asked for, or is no number that it can use."""


class Pace:
    """What time is worth to a session.

    Parameters
    ----------
    seconds : float64 array of shape (k,)
        Expected of each model.
    weight : float
        Money for a second.
    deadline : float
        Seconds from now until the answer is due; infinite where there is none.
    """

    __slots__ = ("_deadline", "_seconds", "_started", "surcharge")

    def __init__(self, seconds: Floats, weight: float, deadline: float) -> None:
        self._seconds = seconds
        self._deadline = deadline
        self._started = time.monotonic()
        self.surcharge = weight * seconds if weight else None

    def too_slow(self, told: float) -> dict[int, str]:
        """Return the models that would miss the deadline, and why; ``told`` seconds have passed."""
        left = self._deadline - max(told, time.monotonic() - self._started)
        return {
            model: f"expected to take {self._seconds[model]:.3g} s, and {max(left, 0.0):.3g} s left"
            for model in np.flatnonzero(self._seconds > left).tolist()
        }


class Session:
    """One query on its way: which model runs next, and whose answer to give in the end.

    Made by :meth:`headrace.Router.start`. A session keeps the fit that it began with, whatever
    becomes of the router. It belongs to one query: threads may share a router, not a session. Two
    that use one at once break nothing but its decision, and may be told so by a RuntimeError. It
    is not copied and not pickled.

    A decision is taken when it is first asked for after a change, and stays until the next one.

    Attributes
    ----------
    next_model : str or None
        Name of the model to run next; None says stop and give `answer`.
    next_index : int
        Its column in the router's ``models_``; -1 says stop.
    answer : str or None
        Name of the model whose answer to give: the best so far, so that one may stop at any time.
        None if no model has run.
    ran : tuple of str
        Models that have run, in turn.
    excluded : dict of str to str
        Models that are no candidates, and why.
    cost : float
        Money spent, as told to `observe` and `exclude`.
    seconds : float
        Time spent, as told to `observe`.
    dearer : bool
        Whether the session takes the dearer of the router's two policies.

    Examples
    --------
    >>> import headrace as hr
    >>> log = hr.QueryLog(
    ...     [[0.0, 1.0], [1.0, 1.0]] * 20, [0.1, 2.0], models=["small", "large"],
    ...     signals=[[0.2, 0.9], [0.8, 0.9]] * 20,
    ... )
    >>> router = hr.Router(hr.GaussianEstimator(), lambda_=0.2).fit(log)
    >>> run = router.start()
    >>> run.next_model
    'small'
    >>> run.observe("small", 0.2, cost=0.1)  # a poor answer
    >>> run.next_model
    'large'
    >>> run.observe("large", 0.9, cost=2.0)
    >>> run.next_model is None, run.answer, run.cost
    (True, 'large', 2.1)
    >>> print(str(run.explain()).splitlines()[0])
    stops with the answer of 'large', estimated at 1: no other model is left
    """

    __slots__ = (
        "_asked",
        "_cost",
        "_decider",
        "_excluded",
        "_late",
        "_next",
        "_pace",
        "_seconds",
        "_state",
        "dearer",
    )

    def __init__(
        self, decider: Decider, asked: Asked, state: QueryState, dearer: bool, pace: Pace | None
    ) -> None:
        self.dearer = dearer
        self._decider = decider
        self._asked = asked
        self._state = state
        self._pace = pace
        self._cost = 0.0
        self._seconds = 0.0
        self._next: int | None = None
        self._excluded: dict[int, str] | None = None
        self._late: dict[int, str] | None = None  # at the last decision

    @property
    def next_model(self) -> str | None:
        """Name of the model to run next; None says stop and give `answer`."""
        column = self._decide() if self._next is None else self._next
        return self._decider.models[column] if column >= 0 else None

    @property
    def next_index(self) -> int:
        """Column of the model to run next in the router's ``models_``; -1 says stop."""
        return self._decide() if self._next is None else self._next

    @property
    def answer(self) -> str | None:
        """Name of the model whose answer to give: the best so far; None if no model has run."""
        column = self._state.answer()
        return self._decider.models[column] if column >= 0 else None

    @property
    def ran(self) -> tuple[str, ...]:
        """Names of the models that have run, in turn."""
        return self._names(self._state.ran)

    @property
    def excluded(self) -> dict[str, str]:
        """Models that are no candidates, and why."""
        return {self._decider.models[column]: why for column, why in self._barred.items()}

    @property
    def cost(self) -> float:
        """Money spent, as told to `observe` and `exclude`."""
        return self._cost

    @property
    def seconds(self) -> float:
        """Time spent, as told to `observe`."""
        return self._seconds

    def observe(
        self,
        model: str | int,
        signal: ArrayLike | None = None,
        *,
        cost: float | None = None,
        latency: float | None = None,
    ) -> None:
        """Tell that a model has run, and what is known of its answer.

        Parameters
        ----------
        model : str or int
            The one that `next_model` asked for; its name or column.
        signal : float, or array-like of shape (m,)
            As in the log that the router was fitted on; left out if that has none.
        cost : float, optional
            What the run cost; counts in `cost` alone.
        latency : float, optional
            Seconds that the run took. A deadline counts them if the clock shows less, as it does
            when a log is replayed.

        Raises
        ------
        SessionError
            A model that has been observed already or was not asked for, an unknown one, a session
            that is finished, a signal of a wrong shape or with NaN in it, or a negative cost. The
            session stays as it was.
        """
        column = self._decider.columns.get(model) if type(model) is str else None
        if column is None or column != self._next:
            column = self._column(model)
            self._refuse_unasked(column)
        n_signals = self._decider.n_signals
        if type(signal) is float and n_signals == 1 and abs(signal) <= LARGEST:
            seen: Floats | float | None = signal  # as most are
        else:
            seen = None if signal is None and not n_signals else self._signals(column, signal)
        spent = 0.0 if cost is None else self._amount("cost", cost)
        passed = 0.0 if latency is None else self._amount("latency", latency)
        self._next = None  # before anything that an interrupt may cut off
        self._state.observe(column, seen)
        self._cost += spent
        self._seconds += passed

    def exclude(
        self, model: str | int, reason: str = EXCLUDED, *, cost: float | None = None
    ) -> None:
        """Take a model that fails out of the candidates, and decide anew.

        Parameters
        ----------
        model : str or int
            One that has not run; its name or column.
        reason : str
            For `excluded` and `explain`.
        cost : float, optional
            What a run that failed cost; counts in `cost` alone.

        Raises
        ------
        SessionError
            A model that has run or is excluded already, an unknown one, a session that is
            finished, or a negative cost. The session stays as it was.
        """
        column = self._column(model)
        name = self._decider.models[column]
        if column in self._state.ran:
            raise SessionError(f"{name!r} has run, so it cannot be excluded")
        if self._excluded is not None and column in self._excluded:
            raise SessionError(f"{name!r} is excluded already: {self._excluded[column]}")
        if self._next == STOP:
            self._refuse_finished()
        spent = 0.0 if cost is None else self._amount("cost", cost)
        self._next = None
        self._state.exclude(column)
        self._cost += spent
        self._excluded = {**(self._excluded or {}), column: reason}

    def explain(self) -> Explanation:
        """Say what was decided, and why: the estimates are asked for once more."""
        next_index = self.next_index
        return explain(
            self._decider,
            queries_of(self._decider, self._asked, self._state),
            self._state.ran,
            next_index,
            dearer=self.dearer,
            barred=self._barred,
            surcharge=None if self._pace is None else self._pace.surcharge,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a session is not copied or pickled: save the router, and start a session where it is "
            "needed"
        )

    def __repr__(self) -> str:
        ran = ", ".join(self.ran) or "nothing"
        return f"<Session: {ran} has run, {len(self._excluded or ())} excluded>"

    def _decide(self) -> int:
        if self._pace is not None:
            self._bar_late(self._pace)
        column = self._next = self._state.next_model()
        return column

    @property
    def _barred(self) -> dict[int, str]:
        return {**(self._late or {}), **(self._excluded or {})}

    def _bar_late(self, pace: Pace) -> None:
        ran = self._state.ran
        late = {i: why for i, why in pace.too_slow(self._seconds).items() if i not in ran}
        for column in late:
            self._state.exclude(column)  # for good, as time only goes on
        self._late = late

    def _names(self, columns: Iterable[int]) -> tuple[str, ...]:
        return tuple(self._decider.models[column] for column in columns)

    def _column(self, model: str | int) -> int:
        column = self._decider.columns.get(model) if isinstance(model, str) else None
        if column is not None:
            return column
        models = self._decider.models
        if model in (None, STOP):
            self._refuse_finished()
            raise SessionError(f"{model!r} is no model: next_model is {self.next_model!r}")
        if not isinstance(model, str):
            column = check_integer("model", model, 0)
            if column < len(models):
                return column
        raise SessionError(f"unknown model {model!r}: the router has {list(models)}")

    def _refuse_finished(self) -> None:
        if self.next_index == STOP:
            raise SessionError(
                f"this session is finished, with the answer of {self.answer!r}: start another"
            )

    def _refuse_unasked(self, column: int) -> None:
        if column == self.next_index:
            return
        name = self._decider.models[column]
        if column in self._state.ran:
            raise SessionError(f"{name!r} has been observed already")
        self._refuse_finished()
        raise SessionError(f"{name!r} was not asked for: next_model is {self.next_model!r}")

    def _signals(self, column: int, signal: ArrayLike | None) -> Floats:
        n_signals = self._decider.n_signals
        name = f"signal of {self._decider.models[column]!r}"
        if not n_signals:
            raise SessionError(f"{name}: the router was fitted on a log without signals")
        if signal is None:
            raise SessionError(f"{name} is missing: the router was fitted on {n_signals} a model")
        shapes: dict[str, tuple[int, ...]] = {"(m,)": (n_signals,)}
        if n_signals == 1:
            shapes["a number"] = ()
        try:
            return np.array(check_floats(name, signal, shapes), ndmin=1)  # not the user's own
        except ValueError as error:
            raise SessionError(str(error)) from None

    def _amount(self, what: str, given: float) -> float:
        if type(given) is float and 0.0 <= given <= LARGEST:
            return given  # as most are
        try:
            return check_number(what, given)
        except ValueError as error:
            raise SessionError(str(error)) from None
