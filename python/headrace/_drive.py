"""Drive a session on an event loop: run what it asks for until it stops."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import ArrayLike

from headrace._explanation import Explanation
from headrace._session import Session

if TYPE_CHECKING:
    import asyncio


class Answer(NamedTuple):
    """What a call of a model returns; a plain tuple in this order does as well.

    Attributes
    ----------
    answer : object
        Whatever the caller of the driver wants to have.
    signal : float, or array-like of shape (m,)
        As in the log that the router was fitted on; None if that has none.
    cost : float, optional
        What the call cost; counts even if the answer is refused.
    """

    answer: Any
    signal: ArrayLike | None = None
    cost: float | None = None


Call = Callable[[str], Awaitable["Answer | tuple[Any, ...]"]]


class AllModelsFailed(RuntimeError):  # noqa: N818  it says what happened
    """No model gave an answer.

    Attributes
    ----------
    failures : dict of str to str
        Models that were called and failed, and why.
    excluded : dict of str to str
        All that could not be called any more, and why: failed, or too slow for the deadline.
    """

    def __init__(self, failures: dict[str, str], excluded: dict[str, str]) -> None:
        self.failures = failures
        self.excluded = excluded
        reasons = "; ".join(f"{model!r}: {why}" for model, why in excluded.items())
        super().__init__(f"no model gave an answer ({reasons})")

    def __reduce__(self) -> tuple[type[AllModelsFailed], tuple[dict[str, str], dict[str, str]]]:
        return type(self), (self.failures, self.excluded)


@dataclass(frozen=True, eq=False)
class Run:
    """What became of one query.

    Attributes
    ----------
    answer : object
        The answer of the model that was chosen in the end.
    model : str
        Its name.
    ran : tuple of str
        Models that have answered, in turn.
    cost : float
        Money spent, as the calls told.
    failures : dict of str to str
        Models that failed, and why.
    seconds : float
        From start to end.
    session : Session
        The finished session.
    """

    answer: Any
    model: str
    ran: tuple[str, ...]
    cost: float
    failures: dict[str, str]
    seconds: float
    session: Session

    @property
    def explanation(self) -> Explanation:
        """Why the session stopped."""
        return self.session.explain()


class _TimedOutError(Exception):
    """A call took longer than it may."""


async def drive(
    session: Session, call: Call, *, timeout: float | None, deadline: float | None
) -> Run:
    """Call the models that a session asks for; see :meth:`headrace.Router.arun`."""
    started = time.monotonic()
    answers: dict[str, Any] = {}
    failures: dict[str, str] = {}
    best: str | None = None
    last: str | None = None
    while True:
        try:
            model, best = session.next_model, session.answer
        except ValueError as error:  # what the last answer says is beyond all estimates
            if last is None:
                raise
            failures[last] = _reason(error)
            break
        if model is None:
            break
        given: Answer | None = None
        began = time.monotonic()
        limits = [] if timeout is None else [(timeout, f"no answer within {timeout:g} s")]
        if deadline is not None:
            left = max(deadline - (began - started), 0.0)
            limits.append((left, f"no answer by the deadline of {deadline:g} s"))
        within, too_late = min(limits, default=(None, ""))
        try:
            pending = call(model)
            if not inspect.isawaitable(pending):
                raise _NoCoroutineError(
                    f"call must be a coroutine function, got {pending!r} from it"
                )
            given = _answer_of(await _result(pending, within))
            session.observe(model, given.signal, cost=given.cost, latency=time.monotonic() - began)
        except _NoCoroutineError:
            raise
        except Exception as error:
            failures[model] = too_late if isinstance(error, _TimedOutError) else _reason(error)
            _exclude(session, model, failures[model], given)
        else:
            answers[model] = given.answer
            last = model
    if best is None:
        raise AllModelsFailed(failures, session.excluded)
    return Run(
        answer=answers[best],
        model=best,
        ran=session.ran,
        cost=session.cost,
        failures=failures,
        seconds=time.monotonic() - started,
        session=session,
    )


def _exclude(session: Session, model: str, reason: str, given: Answer | None) -> None:
    """Exclude a model that failed, with the cost of its answer if that is a number."""
    try:
        session.exclude(model, reason, cost=None if given is None else given.cost)
    except (ValueError, TypeError):
        session.exclude(model, reason)


class _NoCoroutineError(TypeError):
    """The caller's function is not one that can be awaited, whatever the model."""


async def _result(pending: Awaitable[Any], seconds: float | None) -> Any:
    """Await a call for so long at the most.

    One that is late is cancelled and not waited for: it may not let itself be cancelled. If the
    caller is cancelled, so is the call, and its end is waited for, until it is late.
    """
    import asyncio  # not above: whoever awaits has it, and others need not wait for it

    began = time.monotonic()
    task = asyncio.ensure_future(pending)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(_look)
        left = None if seconds is None else max(began + seconds - time.monotonic(), 0.0)
        await asyncio.wait({task}, timeout=left)
        raise
    if not task.done():
        task.cancel()
        task.add_done_callback(_look)
        raise _TimedOutError
    if task.cancelled():
        raise RuntimeError("the call was cancelled")
    return task.result()


def _look(task: asyncio.Future[Any]) -> None:
    """Take note of what a task raised, which nobody waits for, so that it is not reported."""
    if not task.cancelled():
        task.exception()


def _answer_of(given: object) -> Answer:
    if isinstance(given, tuple) and 1 <= len(given) <= 3:
        return Answer(*given)
    raise TypeError(f"a call must return (answer, signal) or (answer, signal, cost), got {given!r}")


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
