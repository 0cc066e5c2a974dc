"""The driver: what fails is excluded, what is cancelled is cancelled, thousands run at once."""

from __future__ import annotations

import asyncio
import gc
import pickle
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

import headrace as hr
import numpy as np
import pytest
from routers import make_log
from test_session import path_of, signal_of, started

Call = Callable[[str], Awaitable[Any]]


@cache
def fitted(strategy: str = "threshold_cascade") -> tuple[hr.Router, hr.QueryLog]:
    log = make_log(40, 4, 0)
    router = hr.Router(
        hr.GaussianEstimator(), strategy=strategy, n_threads=1, n_samples=32, lookahead=1.0
    )
    return router.fit(log, budget=float(log.cost.mean())), log


def answering(log: hr.QueryLog, row: int, **instead: Callable[[], Awaitable[Any]]) -> Call:
    """Return calls that answer as the log does; models by their last letter do something else."""

    async def call(model: str) -> Any:
        if model[-1] in instead:
            return await instead[model[-1]]()
        await asyncio.sleep(0)
        column = log.models.index(model)
        return hr.Answer(f"{model} says {row}", signal_of(log, row, column), 0.25)

    return call


def arun(
    router: hr.Router, log: hr.QueryLog, row: int, call: Call, **options: Any
) -> Coroutine[Any, Any, hr.Run]:
    assert log.queries.features is not None
    assert log.queries.groups is not None
    options = {"group": log.queries.groups[row], "dearer": True} | options
    return router.arun(log.queries.features[row], call, **options)


def in_order(router: hr.Router) -> list[str]:
    return [router.models_[i] for i in router.order_]


async def forever() -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("strategy", ["cascade_routing", "index", "threshold_cascade"])
def test_a_thousand_at_once_go_as_sessions_do(strategy: str) -> None:
    router, log = fitted(strategy)

    async def together() -> list[hr.Run]:
        return await asyncio.gather(
            *(arun(router, log, row % 40, answering(log, row % 40)) for row in range(1000))
        )

    runs = asyncio.run(together())
    expected = [path_of(started(router, log, row, dearer=True), log, row) for row in range(40)]
    for number, run in enumerate(runs):
        row = number % 40
        assert [*run.ran, run.model] == expected[row]
        assert run.answer == f"{run.model} says {row}"
        assert run.cost == 0.25 * len(run.ran)
        assert not run.failures
        assert run.seconds > 0.0
    assert runs[0].explanation.answer == runs[0].model
    assert max(len(run.ran) for run in runs) > 1


def test_plain_tuples() -> None:
    router, log = fitted()

    async def call(model: str) -> tuple[Any, ...]:
        return ("pair", 0.0) if model == in_order(router)[0] else ("triple", [9.0], 2.0)

    run = asyncio.run(arun(router, log, 0, call))
    assert (run.answer, run.cost, len(run.ran)) == ("triple", 2.0, 2)


# Faults


async def raising() -> Any:
    raise ConnectionError("no route")


async def silent() -> Any:
    raise ValueError


async def cancelled() -> Any:
    raise asyncio.CancelledError


async def own_timeout() -> Any:
    raise asyncio.TimeoutError("of its own")


def giving(answer: Any) -> Callable[[], Awaitable[Any]]:
    async def give() -> Any:
        return answer

    return give


FAULTS: dict[str, tuple[Callable[[], Awaitable[Any]], str]] = {
    "raises": (raising, "ConnectionError: no route"),
    "raises without a word": (silent, "ValueError"),
    "hangs": (forever, "no answer within 0.05 s"),
    "is cancelled": (cancelled, "RuntimeError: the call was cancelled"),
    "has a timeout": (own_timeout, "TimeoutError: of its own"),
    "NaN": (giving(("a", np.nan)), "must be finite, got nan"),
    "inf": (giving(("a", [np.inf])), "must be finite, got inf"),
    "wrong shape": (giving(("a", [0.1, 0.2])), "got (2,)"),
    "no signal": (giving(("a",)), "is missing"),
    "text": (giving(("a", "good")), "real numbers"),
    "cost": (giving(("a", 0.5, -1.0)), "cost must not be negative"),
    "no tuple": (giving("a"), "must return (answer, signal)"),
    "too long": (giving(("a", 0.5, 1.0, 2)), "must return (answer, signal)"),
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_failing_model_is_excluded(fault: Callable[[], Awaitable[Any]], reason: str) -> None:
    router, log = fitted()
    first, second = in_order(router)[:2]
    call = answering(log, 3, **{first[-1]: fault, second[-1]: giving(("fine", 99.0, 1.0))})
    run = asyncio.run(arun(router, log, 3, call, timeout=0.05 if fault is forever else 30.0))
    assert run.ran == (second,)
    assert (run.answer, run.model, run.cost) == ("fine", second, 1.0)
    assert [*run.failures] == [first]
    assert reason in run.failures[first]
    assert run.explanation.excluded == run.failures


def test_the_cost_of_a_refused_answer_counts() -> None:
    router, log = fitted()
    first, second = in_order(router)[:2]
    for given, spent in (
        (("a", np.nan, 0.5), 0.5),
        (("a", "good", 0.5), 0.5),
        (("a", np.nan, np.nan), 0.0),
        (("a", np.nan, "free"), 0.0),
        (("a", 0.5, 1.0, 2.0), 0.0),
    ):
        call = answering(log, 0, **{first[-1]: giving(given), second[-1]: giving(("b", 9.0, 1.0))})
        run = asyncio.run(arun(router, log, 0, call))
        assert [*run.failures] == [first]
        assert run.cost == run.session.cost == 1.0 + spent


def test_a_call_that_raises_at_once() -> None:
    router, log = fitted()
    inner = answering(log, 0)

    def call(model: str) -> Awaitable[Any]:
        if model == in_order(router)[0]:
            raise KeyError("no key")
        return inner(model)

    run = asyncio.run(arun(router, log, 0, call))
    assert run.failures == {in_order(router)[0]: "KeyError: 'no key'"}


def test_decided_anew_as_a_session_does() -> None:
    router, log = fitted("cascade_routing")
    for row in range(20):
        run = started(router, log, row, dearer=True)
        failing = run.next_model
        assert failing is not None
        run.exclude(failing)
        expected = path_of(run, log, row)
        done = asyncio.run(arun(router, log, row, answering(log, row, **{failing[-1]: raising})))
        assert [*done.ran, done.model] == expected


def test_all_models_fail() -> None:
    router, log = fitted()
    names = in_order(router)
    faults = dict(
        zip((name[-1] for name in names), (raising, silent, forever, cancelled), strict=True)
    )
    with pytest.raises(hr.AllModelsFailed, match="no route") as caught:
        asyncio.run(arun(router, log, 0, answering(log, 0, **faults), timeout=0.05))
    reasons = ["ConnectionError: no route", "ValueError", "no answer within 0.05 s"]
    assert [*caught.value.failures] == names
    assert [*caught.value.failures.values()][:3] == reasons
    assert caught.value.excluded == caught.value.failures
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.failures == caught.value.failures
    assert str(again) == str(caught.value)


def test_faults_of_the_caller() -> None:
    router, log = fitted()
    with pytest.raises(TypeError, match="call must be a coroutine function"):
        asyncio.run(arun(router, log, 0, lambda model: ("answer", 0.5)))  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="timeout must not be negative"):
        asyncio.run(arun(router, log, 0, answering(log, 0), timeout=-1.0))
    with pytest.raises(ValueError, match="features must have shape"):
        asyncio.run(router.arun(None, answering(log, 0)))


# Time


def test_the_deadline_ends_it() -> None:
    router, log = fitted()
    first, second, third, last = in_order(router)
    seconds = np.zeros(4)
    seconds[log.models.index(third)] = 100.0
    low = giving(("poor", -9.0))
    call = answering(log, 0, **{first[-1]: low, second[-1]: low, last[-1]: forever})
    began = time.monotonic()
    run = asyncio.run(arun(router, log, 0, call, deadline=0.3, seconds=seconds))
    assert time.monotonic() - began >= 0.3
    assert run.ran == (first, second)  # the third would take too long
    assert run.answer == "poor"
    assert run.failures == {last: "no answer by the deadline of 0.3 s"}
    assert set(run.explanation.excluded) == {third, last}
    assert run.seconds >= 0.3


def test_no_model_is_fast_enough() -> None:
    router, log = fitted()
    with pytest.raises(hr.AllModelsFailed, match="expected to take 5 s") as caught:
        asyncio.run(arun(router, log, 0, answering(log, 0), deadline=1.0, seconds=[5.0] * 4))
    assert not caught.value.failures
    assert [*caught.value.excluded] == [*log.models]


def test_one_that_does_not_let_itself_be_cancelled_is_left_behind() -> None:
    router, log = fitted()
    first = in_order(router)[0]

    async def main() -> None:
        release = asyncio.Event()
        ended = asyncio.Event()

        async def stubborn() -> Any:
            try:
                await forever()
            except asyncio.CancelledError:
                await release.wait()
            ended.set()
            raise OSError("too late to matter")

        call = answering(log, 0, **{first[-1]: stubborn})
        run = await arun(router, log, 0, call, timeout=0.2)
        assert run.failures == {first: "no answer within 0.2 s"}
        release.set()
        await ended.wait()
        await asyncio.sleep(0)

    asyncio.run(quiet(main()))


async def quiet(work: Coroutine[Any, Any, None]) -> None:
    """Await something; fail if the loop has to report what nobody looked at."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    await work
    gc.collect()
    await asyncio.sleep(0)
    assert not reported


# Cancellation


def test_cancelling_cancels_the_call_in_flight() -> None:
    router, log = fitted()
    seen: list[str] = []

    async def main() -> None:
        async def hanging() -> Any:
            try:
                seen.append("began")
                await forever()
            finally:
                await asyncio.sleep(0)
                seen.append("cleaned up")

        call = answering(log, 0, **{in_order(router)[0][-1]: hanging})
        task = asyncio.ensure_future(arun(router, log, 0, call, timeout=30.0))
        while not seen:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["began", "cleaned up"]

    asyncio.run(quiet(main()))


@pytest.mark.parametrize("timeout", [0.1, None])
def test_a_cancelled_driver_does_not_wait_for_ever(timeout: float | None) -> None:
    """Until the call is late, or until it is cancelled once more."""
    router, log = fitted()

    async def main() -> None:
        began, refused, release, ended = (asyncio.Event() for _ in range(4))

        async def stubborn() -> Any:
            began.set()
            with suppress(asyncio.CancelledError):
                await forever()
            refused.set()
            await release.wait()
            ended.set()

        call = answering(log, 0, **{in_order(router)[0][-1]: stubborn})
        task = asyncio.ensure_future(arun(router, log, 0, call, timeout=timeout))
        await began.wait()
        task.cancel()
        await refused.wait()
        if timeout is None:
            await asyncio.sleep(0.03)
            assert not task.done()
            task.cancel()
        await asyncio.wait({task}, timeout=30.0)
        assert task.cancelled()
        assert not ended.is_set()
        release.set()
        await ended.wait()
        await asyncio.sleep(0)

    asyncio.run(quiet(main()))


def test_ten_thousand_cancelled_at_random() -> None:
    router, log = fitted()
    draw = random.Random(0)
    began = ended = 0
    failed: list[int] = []

    async def call(model: str) -> Any:
        nonlocal began, ended
        began += 1
        try:
            for _ in range(draw.randrange(6)):
                await asyncio.sleep(0)
            if draw.random() < 0.2:
                raise ConnectionError("no route")
            return model, draw.gauss(0.5, 0.5)
        finally:
            ended += 1

    async def one(row: int) -> hr.Run | None:
        task = asyncio.ensure_future(arun(router, log, row % 40, call))
        for _ in range(draw.randrange(30)):
            await asyncio.sleep(0)
        task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None
        except hr.AllModelsFailed as error:
            failed.append(len(error.failures))
            return None

    async def main() -> None:
        done = await asyncio.gather(*(one(row) for row in range(10_000)))
        finished = [run for run in done if run is not None]
        assert 0 < len(finished) < 10_000
        assert all(run.answer == run.model for run in finished)
        assert set(failed) <= {4}
        assert began == ended
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def n_sessions() -> int:
        gc.collect()
        return sum(type(one) is hr.Session for one in gc.get_objects())

    before = n_sessions()
    asyncio.run(quiet(main()))
    assert n_sessions() == before


def test_two_loops_in_two_threads_share_a_router() -> None:
    router, log = fitted("cascade_routing")

    def work(_: int) -> list[tuple[str, ...]]:
        async def main() -> list[hr.Run]:
            return await asyncio.gather(
                *(arun(router, log, row, answering(log, row)) for row in range(40))
            )

        return [run.ran for run in asyncio.run(main())]

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(work, range(2))
    assert one == other


def test_an_answer_beyond_all_estimates_loses_none_before_it() -> None:
    rng = np.random.default_rng(0)
    quality = rng.random((200, 2))
    signals = 0.01 * (quality + rng.normal(0.0, 0.1, quality.shape))
    log = hr.QueryLog(quality, [1.0, 2.0], signals=signals, models=["a", "b"])
    router = hr.Router(hr.GaussianEstimator(), lambda_=1e-9, lookahead=1.0).fit(log)

    async def call(model: str) -> hr.Answer:
        return hr.Answer(model, signal=0.005 if model == first else 1e99)

    first = router.start().next_model
    done = asyncio.run(router.arun(None, call))
    assert done.answer == done.model == first
    assert list(done.failures) == [model for model in ("a", "b") if model != first]
