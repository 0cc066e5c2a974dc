"""One fitted router in many hands at once: threads, event loops, forked processes, reloads."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from routers import Blend, make_log

K, N = 5, 60
LOG = make_log(200, K, seed=3)
ESTIMATORS: dict[str, Callable[[], Any]] = {
    "gaussian": hr.GaussianEstimator,
    "binary": lambda: hr.BinaryEstimator(n_classes=2),
    "own": lambda: Blend(spread=True),
}
BINARY = hr.QueryLog(
    (LOG.quality > np.median(LOG.quality)).astype(float),
    LOG.cost,
    features=LOG.queries.features,
    signals=LOG.queries.signals,
    models=LOG.models,
    groups=LOG.queries.groups,
)
Walk = tuple[tuple[str, ...], str | None]


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    """Let threads take turns far more often than they would."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def fitted(kind: str = "gaussian", strategy: str = "cascade_routing", price: float = 0.2) -> Any:
    """Return a router that has not been used."""
    router = hr.Router(
        ESTIMATORS[kind](),
        strategy=strategy,
        lambda_=price,
        lookahead=1.0,
        n_samples=32,
        n_threads=1,
    )
    return router.fit(BINARY if kind == "binary" else LOG)


def single_decision(strategy: str, search: str, seed: int) -> list[bytes]:
    """Decide one query of six models, with options that a generator draws; return all fields."""
    rng = np.random.default_rng(seed)
    ran = rng.random((1, 6)) < 0.3
    ran[0, rng.integers(6)] = False
    root = rng.normal(size=(6, 6))
    given: list[dict[str, Any]] = [{"sigmas": rng.random(6)}, {"covariance": 0.1 * root @ root.T}]
    found = hr.batch_select(
        np.round(rng.random((1, 6)), 1),
        rng.random(6) * 10.0 ** rng.integers(-2, 3),
        rng.random() * 0.2,
        **given[seed % 2],
        ran=ran,
        strategy=strategy,
        search=search,
        max_depth=[None, 2, 4][rng.integers(3)],
        fixed_order=bool(rng.random() < 0.3),
        ties=["cheapest", "dearest"][rng.integers(2)],
        node_limit=1 if search == "exact" and rng.random() < 0.2 else None,
        n_samples=32,
        seed=int(rng.integers(3)),
        n_threads=1,
    )
    return [np.asarray(getattr(found, field.name)).tobytes() for field in fields(found)]


@pytest.mark.parametrize("search", ["exact", "greedy", "exhaustive"])
@pytest.mark.parametrize("strategy", ["cascade_routing", "cascade"])
def test_a_call_does_not_depend_on_those_before(strategy: str, search: str) -> None:
    here = [single_decision(strategy, search, seed) for seed in range(100)]
    for seed, found in enumerate(here):
        with ThreadPoolExecutor(1) as fresh:
            assert fresh.submit(single_decision, strategy, search, seed).result() == found, seed


def begin(router: hr.Router, row: int) -> hr.Session:
    known = LOG.queries
    assert known.features is not None
    assert known.groups is not None
    return router.start(known.features[row], group=known.groups[row])


def signal(row: int, model: str) -> float:
    assert LOG.queries.signals is not None
    return float(LOG.queries.signals[row, LOG.models.index(model), 0])


def finish(run: hr.Session, row: int) -> Walk:
    while (model := run.next_model) is not None:
        run.observe(model, signal(row, model))
    return run.ran, run.answer


def walks(router: hr.Router, rows: Any) -> dict[int, Walk]:
    return {int(row): finish(begin(router, int(row)), int(row)) for row in rows}


async def walks_on_a_loop(router: hr.Router, rows: Any) -> dict[int, Walk]:
    known = LOG.queries
    assert known.features is not None
    assert known.groups is not None

    async def one(row: int) -> Walk:
        async def call(model: str) -> tuple[str, float]:
            await asyncio.sleep(0)
            return model, signal(row, model)

        assert known.features is not None
        assert known.groups is not None
        done = await router.arun(known.features[row], call, group=known.groups[row])
        return done.ran, done.model

    return dict(zip(rows, await asyncio.gather(*map(one, rows)), strict=True))


@pytest.mark.parametrize("strategy", ["cascade_routing", "index"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_threads_and_event_loops_at_once_decide_as_one(kind: str, strategy: str) -> None:
    expected = walks(fitted(kind, strategy), range(N))
    assert len({len(ran) for ran, _ in expected.values()}) > 1
    router = fitted(kind, strategy)
    ran = np.random.default_rng(0).random((N, K)) < 0.4
    chosen = fitted(kind, strategy).select(LOG.queries.rows(np.arange(N)), ran).next_model
    together = threading.Barrier(7)

    def steps(number: int) -> dict[int, Walk]:
        together.wait()
        return walks(router, np.random.default_rng(number).permutation(N))

    def loop(_: int) -> dict[int, Walk]:
        together.wait()
        return asyncio.run(walks_on_a_loop(router, range(N)))

    def batches(_: int) -> list[Any]:
        together.wait()
        return [router.select(LOG.queries.rows(np.arange(N)), ran).next_model for _ in range(5)]

    with ThreadPoolExecutor(7) as pool:
        sessions = [pool.submit(steps, number) for number in range(4)]
        sessions += [pool.submit(loop, number) for number in range(2)]
        selections: Future[list[Any]] = pool.submit(batches, 0)
    for future in sessions:
        assert future.result() == expected
    for selection in selections.result():
        np.testing.assert_array_equal(selection, chosen)


@pytest.mark.parametrize("kind", ["gaussian", "own"])
def test_sessions_outlive_a_router_that_is_fitted_anew(kind: str) -> None:
    """Threads walk sessions that are open while the router is fitted, again and again."""
    expected = walks(fitted(kind), range(N))
    other = fitted(kind, price=2.0)
    assert walks(other, range(N)) != expected
    router = fitted(kind)
    opened = [begin(router, row) for row in range(N)]
    firsts = [run.next_model for run in opened]
    assert None not in firsts

    def work(number: int) -> dict[int, Walk]:
        return {row: finish(opened[row], row) for row in range(number, N, 3)}

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(work, number) for number in range(3)]
        while True:
            router.lambda_ = 2.0
            router.fit(LOG)
            if all(future.done() for future in futures):
                break
    found = {row: walk for future in futures for row, walk in future.result().items()}
    assert found == expected
    assert walks(router, range(N)) == walks(other, range(N))


def test_reload_while_serving_loses_no_session(tmp_path: Path) -> None:
    """Each session goes the way of the router that it was started with, old or new."""
    kinds = [fitted(price=price) for price in (0.05, 0.2, 2.0)]
    expected = [walks(router, range(N)) for router in kinds]
    assert expected[0] != expected[1] != expected[2]
    paths = [tmp_path / str(number) for number in range(3)]
    for router, path in zip(kinds, paths, strict=True):
        router.save(path)
    serving = (0, hr.load_router(paths[0]))
    over = threading.Event()

    def work(number: int) -> int:
        done = 0
        while not over.is_set() or not done:
            for row in range(number, N, 4):
                which, router = serving
                assert finish(begin(router, row), row) == expected[which][row]
                done += 1
        return done

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(work, number) for number in range(4)]
        try:
            for turn in range(30):
                serving = (turn % 3, hr.load_router(paths[turn % 3]))
        finally:
            over.set()
        assert sum(future.result() for future in futures) >= N


FORKS = """
import os, sys, threading
import test_concurrency as t

router = t.fitted(sys.argv[1])
expected = t.walks(router, range(t.N))
opened = [t.begin(router, row) for row in range(t.N)]
over = threading.Event()

def decide():
    while not over.is_set():
        t.walks(router, range(t.N))

busy = [threading.Thread(target=decide) for _ in range(2 if sys.argv[2] == "busy" else 0)]
for thread in busy:
    thread.start()
for turn in range(5):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        new = t.walks(router, range(t.N))
        old = {row: t.finish(opened[row], row) for row in range(t.N)}
        os.write(write, b"same" if new == old == expected else b"other")
        os._exit(0)
    os.close(write)
    assert os.read(read, 100) == b"same"
    assert os.waitpid(child, 0) == (child, 0)
over.set()
for thread in busy:
    thread.join()
assert {row: t.finish(opened[row], row) for row in range(t.N)} == expected
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("parent", ["idle", "busy"])
@pytest.mark.parametrize("kind", ["gaussian", "own"])
def test_forks_of_a_router_in_use(kind: str, parent: str) -> None:
    """Children walk new sessions and those open in the parent; the parent's stay as they were."""
    run = subprocess.run(
        [sys.executable, "-c", FORKS, kind, parent],
        cwd=Path(__file__).parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "same\n"), run.stderr
