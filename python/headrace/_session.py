"""A session: one query on its way through the models."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headrace._check import check_floats, check_integer, check_number
from headrace._decider import Decider
from headrace._explanation import Explanation, explain
from headrace._log import Queries
from headrace._problem import Floats, Numbers

STOP = -1
EXCLUDED = "excluded"

Asked: TypeAlias = tuple[Numbers | None, NDArray[np.generic] | None, int]
"""What is known of a query before any model runs: its features, its group in an array, its row."""


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

    Attributes
    ----------
    surcharge : float64 array of shape (k,), or None
        What the expected seconds are worth, to be added to the expected costs.
    late : dict of int to str
        Models that would have missed the deadline at the last decision, and why.
    """

    __slots__ = ("_deadline", "_seconds", "_started", "late", "surcharge")

    def __init__(self, seconds: Floats, weight: float, deadline: float) -> None:
        self._seconds = seconds
        self._deadline = deadline
        self._started = time.monotonic()
        self.surcharge = weight * seconds if weight else None
        self.late: dict[int, str] = {}

    def too_slow(self, told: float) -> dict[int, str]:
        """Return the models that would miss the deadline, and why; ``told`` seconds have passed."""
        left = self._deadline - max(told, time.monotonic() - self._started)
        return {
            model: f"expected to take {self._seconds[model]:.3g} s, and {max(left, 0.0):.3g} s left"
            for model in np.flatnonzero(self._seconds > left).tolist()
        }


class Session(ABC):
    """One query on its way: which model runs next, and whose answer to give in the end.

    Made by :meth:`headrace.Router.start`. A session keeps the fit that it began with, whatever
    becomes of the router. It belongs to one query: threads may share a router, not a session. Two
    that use one at once break nothing but its decision, and may be told so by a RuntimeError. It
    is not copied and not pickled.

    A decision is taken when it is first asked for after a change, and stays until the next one.

    All that a user says is checked and worded here. What a kind of session is told and asked has
    names that begin with an underscore, and it may trust its arguments; models are columns of the
    log that the router was fitted on. It may take over more where that changes nothing.

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

    __slots__ = ()

    _decider: Decider
    _asked: Asked
    _pace: Pace | None
    _next: int | None  # the last decision, unless more is known since
    _path: tuple[int, ...]  # models that have run, in turn
    _excluded: dict[int, str] | None  # but for those that would be late

    @abstractmethod
    def _choose(self) -> int:
        """Decide, and keep it in `_next`."""

    @abstractmethod
    def _best(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""

    @abstractmethod
    def _take_in(self, model: int, signals: Floats | None, spent: float, passed: float, /) -> None:
        """Take in that a model has run.

        ``signals`` have shape (m,), or are None where m is 0; ``spent`` and ``passed`` are added to
        `cost` and `seconds`.
        """

    @abstractmethod
    def _take_out(self, model: int, reason: str | None, spent: float, /) -> None:
        """Take a model that has not run out of the candidates; once more changes nothing else.

        The reason is for `_excluded`, if there is one.
        """

    @abstractmethod
    def _seen(self) -> Floats | tuple[tuple[float, ...], ...]:
        """Return the signals of what has run, shape (len(_path), m)."""

    @property
    @abstractmethod
    def cost(self) -> float:
        """Money spent, as told to `observe` and `exclude`."""

    @property
    @abstractmethod
    def seconds(self) -> float:
        """Time spent, as told to `observe`."""

    @property
    @abstractmethod
    def dearer(self) -> bool:
        """Whether the session takes the dearer of the router's two policies."""

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
        column = self._best()
        return self._decider.models[column] if column >= 0 else None

    @property
    def ran(self) -> tuple[str, ...]:
        """Names of the models that have run, in turn."""
        return self._names(self._path)

    @property
    def excluded(self) -> dict[str, str]:
        """Models that are no candidates, and why."""
        return {self._decider.models[column]: why for column, why in self._barred.items()}

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
        column = self._column(model)
        self._refuse_unasked(column)
        none_due = signal is None and not self._decider.n_signals
        self._take_in(
            column,
            None if none_due else self._signals(column, signal),
            self._amount("cost", cost),
            self._amount("latency", latency),
        )

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
        if column in self._path:
            raise SessionError(f"{name!r} has run, so it cannot be excluded")
        if self._excluded is not None and column in self._excluded:
            raise SessionError(f"{name!r} is excluded already: {self._excluded[column]}")
        if self._next == STOP:
            self._refuse_finished()
        self._take_out(column, reason, self._amount("cost", cost))

    def explain(self) -> Explanation:
        """Say what was decided, and why: the estimates are asked for once more."""
        next_index = self.next_index
        return explain(
            self._decider,
            self._queries(),
            self._path,
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
        pace = self._pace
        if pace is not None:
            late = pace.too_slow(self.seconds)
            pace.late = {model: why for model, why in late.items() if model not in self._path}
            for model in pace.late:
                self._take_out(model, None, 0.0)  # for good, as time only goes on
        return self._choose()

    @property
    def _barred(self) -> dict[int, str]:
        late = {} if self._pace is None else self._pace.late
        return {**late, **(self._excluded or {})}

    def _queries(self) -> Queries:
        """Return the query, with the signals so far; it counts as one of a log."""
        features, groups, index = self._asked
        decider, ran = self._decider, self._path
        signals = decider.no_signals() if ran else decider.unseen
        if ran and signals is not None:
            signals[0, list(ran)] = self._seen()
        return Queries(
            index=np.array([index]),
            n_models=decider.n_models,
            features=None if features is None else np.array(features, ndmin=2),
            signals=signals,
            groups=groups,
        )

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
        if column in self._path:
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

    def _amount(self, what: str, given: float | None) -> float:
        if given is None:
            return 0.0
        try:
            return check_number(what, given)
        except ValueError as error:
            raise SessionError(str(error)) from None
