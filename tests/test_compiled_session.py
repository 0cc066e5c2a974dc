"""Compiled sessions decide as the router does: every estimator with every strategy."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import random
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._plain_session import PlainSession
from headrace._tensor_file import read_tensor_file, write_tensor_file
from test_estimators import simulated

core = pytest.importorskip("headrace._core")

K = 5
STATES = 1000
"""Compared for every estimator and strategy, at least."""
CLOSE = 1e-9
"""Tradeoffs that differ by less may be decided either way; and few may."""

Maker = Callable[[hr.QueryLog], Any]
ESTIMATORS: dict[str, tuple[Maker, dict[str, Any]]] = {
    "gaussian": (lambda log: hr.GaussianEstimator(), {"d": 2}),
    "gaussian groups": (
        lambda log: hr.GaussianEstimator(own_features=np.arange(K)),
        {"groups": 3, "own": True, "d": 1, "m": 2},
    ),
    "gaussian signals": (
        lambda log: hr.GaussianEstimator(
            own_features=np.arange(K), cost_features=np.arange(K)[::-1]
        ),
        {"own": True, "m": 3},
    ),
    "gaussian logistic": (
        lambda log: hr.GaussianEstimator(calibration="logistic"),
        {"groups": 3, "m": 2, "binary": True},
    ),
    "binary": (lambda log: hr.BinaryEstimator(n_classes=3), {"groups": 2, "binary": True}),
    "binary own": (
        lambda log: hr.BinaryEstimator(n_classes=2, own_features=np.arange(K)),
        {"own": True, "d": 2, "binary": True},
    ),
    "binary logistic": (
        lambda log: hr.BinaryEstimator(n_classes=1, signal_model="logistic"),
        {"m": 2, "groups": 3, "binary": True},
    ),
    "precomputed": (
        lambda log: hr.PrecomputedEstimator(
            log.quality * 0.6, log.cost, sigmas=np.linspace(0.1, 0.4, K), post=log.quality
        ),
        {},
    ),
    "precomputed covariance": (
        lambda log: hr.PrecomputedEstimator(
            log.quality * 0.6, log.cost[0], covariance=0.04 * (np.eye(K) + 0.5), post=log.quality
        ),
        {"d": 2, "m": 2},  # which it does not look at
    ),
    "precomputed certain": (
        lambda log: hr.PrecomputedEstimator(log.quality * 0.6, log.cost, post=log.quality),
        {},
    ),
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "cascade_routing": {},
    "greedy": {"search": "greedy", "max_depth": 3},
    "exhaustive": {"search": "exhaustive"},
    "cascade": {"strategy": "cascade", "max_depth": 4},
    "routing": {"strategy": "routing"},
    "index": {"strategy": "index"},
    "threshold_cascade": {"strategy": "threshold_cascade"},
}


def noisy(fuse: bool) -> tuple[hr.QueryLog, Any]:
    log = simulated(150, K, 3)
    return hr.add_noise(log, (0.8, 0.3, 0.1)), hr.NoisyEstimator(fuse=fuse)


def router_of(kind: str, **options: Any) -> tuple[hr.Router, hr.QueryLog]:
    if kind.startswith("noisy"):
        log, estimator = noisy(kind == "noisy fused")
    else:
        make, shape = ESTIMATORS[kind]
        log = simulated(150, K, 3, **{"binary": False, **shape})
        estimator = make(log)
    options = {"lookahead": 0.7, "n_samples": 32, "n_threads": 1, **options}
    router = hr.Router(estimator, **options)
    return router.fit(log, budget=float(log.cost.mean())), log


def content_of(router: hr.Router) -> bytes:
    return router._content(router._decider())


def begun(compiled: Any, *query: Any) -> Any:
    """Return a session of the compiled router without what Python keeps in it."""
    return compiled.start(*query, None, None, None)


class Comparison:
    """Counts how often sessions and the router agree, and where they need not."""

    def __init__(self, router: hr.Router, log: hr.QueryLog) -> None:
        self.router, self.log = router, log
        self.compiled = core.read_router(content_of(router))
        self.states = self.close = 0

    def run(self, rows: np.ndarray[Any, Any], rng: np.random.Generator) -> None:
        """Follow queries from their start to their end, all at once in the router."""
        known = self.log.queries
        k = self.log.n_models
        n = len(rows)
        dearer = rng.random(n) < 0.5
        groups = None if known.groups is None else known.groups[rows].copy()
        if groups is not None:
            groups[rng.random(n) < 0.1] = 99  # that no fit has seen
        # What queries are known by is made up, so that they are as many as wanted.
        features = signals = None
        if known.features is not None:
            features = known.features[rows] + rng.normal(0.0, 0.05, known.features[rows].shape)
        if known.signals is not None:
            signals = known.signals[rows] + rng.normal(0.0, 0.05, known.signals[rows].shape)
        queries = hr.Queries(rows, k, features, signals, groups)
        sessions = [
            begun(
                self.compiled,
                None if features is None else np.ascontiguousarray(features[i]),
                None if groups is None else groups[i].item(),
                bool(dearer[i]),
                int(rows[i]),
                None,
            )
            for i in range(n)
        ]
        ran = np.zeros((n, k), dtype=bool)
        going = np.arange(n)
        while len(going):
            part = queries.rows(going)
            selection = self.router.select(part, ran[going], dearer=dearer[going])
            began = np.asarray(ran[going].any(axis=1))
            answers = np.full(len(going), -1)
            if began.any():
                answers[began] = self.router.answer(part.rows(began), ran[going][began])
            ahead = []
            for at, i in enumerate(going):
                next_model = sessions[i]._choose()
                self.compare(selection, at, sessions[i], next_model)
                if bool(np.atleast_1d(began)[at]):
                    assert sessions[i]._best() == answers[at]
                chosen = int(selection.next_model[at])
                if chosen < 0 or next_model != chosen:
                    continue
                told = None if signals is None else np.ascontiguousarray(signals[i, chosen])
                sessions[i]._take_in(chosen, told, 0.0, 0.0)
                ran[i, chosen] = True
                ahead.append(i)
            going = np.array(ahead, dtype=np.int64)

    def compare(self, selection: hr.Selection, at: int, session: Any, next_model: int) -> None:
        self.states += 1
        supermodel, tradeoff, quality, cost, bound, optimal, _ = session._choice()
        chosen = selection.supermodel[at].tolist()
        if next_model != selection.next_model[at] or list(supermodel) != chosen:
            assert abs(tradeoff - selection.tradeoff[at]) < CLOSE
            self.close += 1
            return
        for ours, theirs in (
            (tradeoff, selection.tradeoff[at]),
            (quality, selection.quality[at]),
            (cost, selection.cost[at]),
            (bound, selection.upper_bound[at]),
        ):
            assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-9)
        assert optimal == selection.optimal[at]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", [*ESTIMATORS, "noisy", "noisy fused"])
def test_the_same_decisions(kind: str, strategy: str) -> None:
    router, log = router_of(kind, **STRATEGIES[strategy])
    comparison = Comparison(router, log)
    rng = np.random.default_rng(5)
    while comparison.states < STATES:
        comparison.run(rng.integers(0, log.n_queries, 200), rng)
    assert comparison.close < 1e-3 * comparison.states


@pytest.mark.parametrize("k", [1, 2, 70])
def test_few_and_many_models(k: int) -> None:
    log = simulated(60, k, 2, d=1, binary=False)
    router = hr.Router(hr.GaussianEstimator(), lambda_=0.01, lookahead=1.0).fit(log)
    comparison = Comparison(router, log)
    comparison.run(np.arange(60), np.random.default_rng(0))
    assert comparison.close == 0


def test_prices_by_step() -> None:
    log = simulated(150, 4, 1)
    router = hr.Router(hr.GaussianEstimator(), lambda_=0.02, lookahead=1.0).fit(log)
    fit, estimator = router._learned[:2]
    stepped = copy.replace(fit) if hasattr(copy, "replace") else copy.copy(fit)
    object.__setattr__(stepped, "step_factors", np.array([1.0, 0.25, 4.0]))
    router._adopt(stepped, estimator)
    comparison = Comparison(router, log)
    comparison.run(np.arange(150), np.random.default_rng(0))
    assert comparison.close == 0


# Sessions of a router


def followed(router: hr.Router, log: hr.QueryLog, row: int, fail: int = -1, **options: Any) -> Any:
    """Return what a session does, explained; the model at step ``fail`` fails."""
    known = log.queries
    run = router.start(
        None if known.features is None else known.features[row],
        group=None if known.groups is None else known.groups[row],
        index=row,
        **options,
    )
    seen = []
    step = 0
    while (i := run.next_index) >= 0:
        seen.append((run.next_model, run.answer, run.explain().as_dict()))
        if step == fail:
            run.exclude(i, "it failed")
        else:
            run.observe(i, None if known.signals is None else known.signals[row, i])
        step += 1
    return [*seen, (run.answer, run.ran, run.excluded, run.explain().as_dict())], run


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["gaussian groups", "binary", "noisy", "precomputed covariance"])
def test_a_session_is_the_same_either_way(
    kind: str, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    router, log = router_of(kind, **STRATEGIES[strategy])
    rng = np.random.default_rng(0)
    options: list[dict[str, Any]] = [{"dearer": False}, {"dearer": True}]
    if strategy != "threshold_cascade":
        seconds = rng.random(K)
        options.append({"dearer": False, "latency_weight": 0.5, "seconds": seconds})
    for row in range(8):
        for fail in (-1, 0, 1):
            for given in options:
                compiled, run = followed(router, log, row, fail, **given)
                assert isinstance(run, core.Session)
                with monkeypatch.context() as patch:
                    patch.setattr(router._decider(), "compiled", None)
                    plain, run = followed(router, log, row, fail, **given)
                assert isinstance(run, PlainSession)
                assert compiled == plain


def test_models_that_would_be_late() -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    run = router.start(
        log.queries.features[0], dearer=False, deadline=10.0, seconds=[1.0, 1.0, 20.0, 1.0, 30.0]
    )
    assert isinstance(run, core.Session)
    assert log.queries.signals is not None
    while (i := run.next_index) >= 0:
        assert i not in (2, 4)
        run.observe(i, log.queries.signals[0, i], latency=9.5)
    assert len(run.ran) == 1  # no time for a second
    assert run.answer == run.ran[0]


def test_every_model_may_fail() -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    run = router.start(log.queries.features[0])
    for _ in range(K):
        run.exclude(run.next_index)
    assert (run.next_model, run.answer) == (None, None)


def test_what_is_not_compiled() -> None:
    router, log = router_of("gaussian", backend="reference")
    assert log.queries.features is not None
    assert isinstance(router.start(log.queries.features[0]), PlainSession)

    class Own:
        def fit(self, log: hr.QueryLog) -> Own:
            return self

        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            n = len(queries)
            return hr.Estimates(np.full((n, K), 0.5), np.ones((n, K)))

    own = hr.Router(Own(), lambda_=0.1).fit(log)
    assert isinstance(own.start(log.queries.features[0]), PlainSession)
    grouped, log = router_of("gaussian groups")
    assert log.queries.features is not None
    run = grouped.start(log.queries.features[0], group=b"bytes")
    assert isinstance(run, PlainSession)


def test_labels_of_groups() -> None:
    base = simulated(60, 3, groups=2)
    for labels, unseen in (
        (["\xe4", "b\U0001f600"] * 30, "\ud800"),
        ([3, -1] * 30, 2),
        ([0.5, 2.5] * 30, 3),
        ([True, False] * 30, 7),
    ):
        log = hr.QueryLog(base.quality, base.cost, signals=base.queries.signals, groups=labels)
        router = hr.Router(hr.GaussianEstimator(), lambda_=0.05).fit(log)
        compiled = core.read_router(content_of(router))
        codes = []
        for label in (labels[0], labels[1], unseen, None):
            session = begun(compiled, None, label, False, 0, None)
            groups = None if label is None else np.array([label])
            queries = hr.Queries(np.zeros(1, dtype=int), 3, None, log.queries.signals[:1], groups)  # type: ignore[index]
            expected = router.estimator_.estimate(queries, [])
            np.testing.assert_allclose(session._estimates()[0], expected.qualities[0], atol=1e-12)
            codes.append(tuple(session._estimates()[0]))
        assert codes[0] != codes[1]
        assert codes[2] == codes[3]


def test_copies_and_new_fits_start_afresh() -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    features = log.queries.features[0]
    run = router.start(features, dearer=False)
    for copied in (copy.deepcopy(router), pickle.loads(pickle.dumps(router))):
        other = copied.start(features, dearer=False)
        assert isinstance(other, core.Session)
        assert other.next_model == run.next_model
    before = router._decider()
    assert router._decider() is before
    router.n_threads = 2
    assert router._decider() is not before
    assert isinstance(router.start(features), core.Session)


def test_the_first_session_of_a_fit_settles_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    features = log.queries.features[0]
    other, _ = router_of("gaussian")
    monkeypatch.setenv("HEADRACE_BACKEND", "gpu")
    with pytest.raises(ValueError, match="unknown backend 'gpu'"):
        other.start(features)
    monkeypatch.setenv("HEADRACE_BACKEND", "reference")
    plain = other.start(features, dearer=False)
    monkeypatch.delenv("HEADRACE_BACKEND")
    assert isinstance(plain, PlainSession)
    assert isinstance(other.start(features), PlainSession)
    assert plain.next_model == router.start(features, dearer=False).next_model
    again = other.fit(log, budget=float(log.cost.mean()))
    assert isinstance(again.start(features), core.Session)


# The compiled router by itself


def test_the_draws_are_in_the_file(tmp_path: Path) -> None:
    from headrace._samples import standard_normal_samples

    for kind, options, due in (
        ("gaussian", {}, True),
        ("noisy", {"strategy": "cascade"}, True),
        ("gaussian", {"lookahead": 0.0}, False),
        ("gaussian", {"strategy": "index"}, False),
        ("gaussian", {"strategy": "threshold_cascade"}, False),
    ):
        router, _ = router_of(kind, seed=7, **options)
        router.save(tmp_path / "a")
        arrays, texts = read_tensor_file(tmp_path / "a")
        assert ("policy.samples" in arrays) == due
        if due:
            np.testing.assert_array_equal(
                arrays.pop("policy.samples"), standard_normal_samples(K, 32, 7)
            )
            write_tensor_file(tmp_path / "b", arrays, texts)
            with pytest.raises(ValueError, match=r"there is no array 'policy\.samples'"):
                hr.load_router(tmp_path / "b")
            with pytest.raises(ValueError, match="the draws that it decides by are not there"):
                core.read_router((tmp_path / "b").read_bytes())


def test_misuse_and_bad_files() -> None:
    router, log = router_of("gaussian")
    content = content_of(router)
    compiled = core.read_router(content)
    assert compiled.models == log.models
    assert compiled.n_rows == 0
    with pytest.raises(ValueError, match=r"'content' is not a saved router .* is cut"):
        core.read_router(content[:-1])
    with pytest.raises(ValueError, match="features must be 2 numbers, got 3"):
        begun(compiled, np.zeros(3), None, False, 0, None)
    with pytest.raises(ValueError, match="features must be finite, got nan at index 1"):
        begun(compiled, np.array([0.0, np.nan]), None, False, 0, None)
    with pytest.raises(ValueError, match="surcharge must not be negative"):
        begun(compiled, np.zeros(2), None, False, 0, np.full(K, -1.0))
    session = begun(compiled, np.zeros(2), None, False, 0, None)
    assert (session._best(), session._path, session._seen()) == (-1, (), ())
    with pytest.raises(RuntimeError, match="nothing is decided yet"):
        session._choice()
    first = session._choose()
    with pytest.raises(RuntimeError, match="was not asked for"):
        session._take_in((first + 1) % K, np.zeros(1), 0.0, 0.0)
    with pytest.raises(ValueError, match="signals must be 1 numbers, got 0"):
        session._take_in(first, None, 0.0, 0.0)
    with pytest.raises(RuntimeError, match="there is no model 5 among 5"):
        session._take_out(K, None, 0.0)
    session._take_in(first, np.zeros(1), 0.0, 0.0)
    with pytest.raises(RuntimeError, match="has been observed already"):
        session._take_in(first, np.zeros(1), 0.0, 0.0)
    with pytest.raises(RuntimeError, match="has run, so it cannot be excluded"):
        session._take_out(first, None, 0.0)
    own, log = router_of("precomputed")
    with pytest.raises(ValueError, match="row 150 of its log, and there are estimates of 150 rows"):
        begun(core.read_router(content_of(own)), None, None, False, 150, None)


@pytest.mark.parametrize("kind", [core.Router, core.Session])
def test_python_makes_no_objects_of_its_own(kind: Any) -> None:
    for make in (kind, lambda: kind.__new__(kind), lambda: kind.__base__.__new__(kind)):
        with pytest.raises(TypeError, match=r"headrace\._core\."):
            make()


def test_a_long_decision_lets_others_run_but_not_in_its_session() -> None:
    k = 18
    ante = np.full((1, k), 0.5)
    log = hr.QueryLog(ante, np.full(k, 0.01))
    router = hr.Router(
        hr.PrecomputedEstimator(ante, log.cost, sigmas=np.full(k, 0.3), post=ante),
        search="exhaustive",
        lambda_=0.5,
        lookahead=1.0,
    ).fit(log, refit=False)
    session = begun(core.read_router(content_of(router)), None, None, False, 0, None)
    with ThreadPoolExecutor(1) as pool:
        decision = pool.submit(session._choose)
        with pytest.raises(RuntimeError, match="this session is in use by another call"):
            any(session._path for _ in iter(decision.done, True))
    assert decision.result() == session._choose() >= 0
    assert session._path == ()


@pytest.mark.parametrize("kind", ["gaussian groups", "gaussian logistic", "binary own"])
def test_any_numbers_are_harmless(kind: str, tmp_path: Path) -> None:
    router, _ = router_of(kind, n_samples=4)
    router.save(tmp_path / "a")
    arrays, texts = read_tensor_file(tmp_path / "a")
    names = sorted(name for name, array in arrays.items() if array.size)
    rng = np.random.default_rng(0)
    extremes = [np.nan, np.inf, -np.inf, 1e308, -1e99, -1.0, 0.0, 1e-300]
    made = 0
    for _ in range(300):
        changed = {name: array.copy() for name, array in arrays.items()}
        cells = changed[names[rng.integers(len(names))]].reshape(-1)
        at = rng.integers(cells.size)
        if cells.dtype.kind == "f":
            cells[at] = extremes[rng.integers(len(extremes))]
        elif cells.dtype.kind == "i":
            cells[at] = rng.integers(-(2**62), 2**62) >> rng.integers(0, 62)
        write_tensor_file(tmp_path / "b", changed, texts)
        with suppress(ValueError):  # whatever else is raised fails
            compiled = core.read_router((tmp_path / "b").read_bytes())
            made += 1
            n_features, n_signals = router._learned[0].n_features, router._learned[0].n_signals
            session = begun(compiled, np.full(n_features, 0.5), 1, False, 0, None)
            while (i := session._choose()) >= 0:
                session._take_in(i, np.full(n_signals, 0.5), 0.0, 0.0)
            assert 0 <= session._best() < K
    assert made > 50


# What a session does by itself, against what Python does

STARTS: dict[str, Callable[[hr.Router, list[float]], hr.Session]] = {
    "list": lambda router, known: router.start(known),
    "by name": lambda router, known: router.start(features=known),
    "unbound": lambda router, known: hr.Router.start(router, known),
    "tuple": lambda router, known: router.start(tuple(known)),
    "array": lambda router, known: router.start(np.array(known)),
    "integers": lambda router, known: router.start([1, 2]),
    "bools": lambda router, known: router.start([True, 0.5]),
    "NumPy's": lambda router, known: router.start([np.float64(x) for x in known]),
    "none": lambda router, known: router.start(),
    "empty": lambda router, known: router.start([]),
    "three": lambda router, known: router.start([*known, 0.0]),
    "nan": lambda router, known: router.start([known[0], np.nan]),
    "infinite": lambda router, known: router.start([known[0], -np.inf]),
    "huge": lambda router, known: router.start([known[0], 1e101]),
    "text": lambda router, known: router.start("ab"),
    "all": lambda router, known: router.start(
        known, group=None, index=1, dearer=True, seed=None, deadline=None, seconds=None
    ),
    "group": lambda router, known: router.start(known, group="unseen"),
    "seed": lambda router, known: router.start(known, seed=5),
    "bad seed": lambda router, known: router.start(known, seed=-1),
    "dearer": lambda router, known: router.start(known, dearer=True),
    "NumPy's dearer": lambda router, known: router.start(known, dearer=np.bool_(True)),  # type: ignore[arg-type]
    "bad dearer": lambda router, known: router.start(known, dearer=1),  # type: ignore[arg-type]
    "last index": lambda router, known: router.start(known, index=2**63 - 1),
    "index too large": lambda router, known: router.start(known, index=2**63),
    "huge index": lambda router, known: router.start(known, index=2**70),
    "negative index": lambda router, known: router.start(known, index=-1),
    "truth as index": lambda router, known: router.start(known, index=True),
    "no index": lambda router, known: router.start(known, index=None),  # type: ignore[arg-type]
    "NumPy's index": lambda router, known: router.start(known, index=np.int64(3)),  # type: ignore[arg-type]
    "deadline": lambda router, known: router.start(known, deadline=5.0, seconds=[1.0] * K),
    "no seconds": lambda router, known: router.start(known, deadline=5.0),
    "weight": lambda router, known: router.start(known, latency_weight=1.0, seconds=[1.0] * K),
    "no weight": lambda router, known: router.start(known, latency_weight=0.0),
    "unknown name": lambda router, known: router.start(known, grup=None),  # type: ignore[call-arg]
    "twice": lambda router, known: router.start(known, features=known),  # type: ignore[misc]
    "too many": lambda router, known: router.start(known, None),  # type: ignore[call-arg]
    "no router": lambda router, known: hr.Router.start(known),  # type: ignore[arg-type]
    "without self": lambda router, known: hr.Router.start(),  # type: ignore[call-arg]
    "not fitted": lambda router, known: hr.Router(hr.GaussianEstimator()).start(known),
}


@cache
def fitted(kind: str, backend: str | None = None) -> tuple[hr.Router, hr.QueryLog]:
    """Return a router that no test changes."""
    return router_of(kind, backend=backend)


def told_of(call: Callable[[], hr.Session]) -> Any:
    """Return what a session explains, or the error in its place."""
    try:
        run = call()
        return run.next_model, run.dearer, run.explain().as_dict()
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("estimator", ["gaussian", "gaussian signals", "precomputed covariance"])
def test_a_start_is_that_of_python(estimator: str, kind: str) -> None:
    router, log = fitted(estimator)
    assert log.queries.features is not None
    known = log.queries.features[0].tolist()
    router.start(log.queries.features[0])
    results = []
    checked = hr.Router.start.__wrapped__  # type: ignore[attr-defined]
    for start in (hr.Router.start, checked):
        random.seed(7)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hr.Router, "start", start)
            results.append((told_of(lambda: STARTS[kind](router, known)), random.random()))
    assert results[0] == results[1]


def test_a_start_looks_like_that_of_python() -> None:
    start = hr.Router.start
    assert inspect.isroutine(start)
    assert "latency_weight" in inspect.signature(start).parameters
    assert (start.__doc__ or "").startswith("Begin a session")
    assert repr(start).startswith("<function Router.start at")
    for copied in (copy.copy(start), copy.deepcopy(start), pickle.loads(pickle.dumps(start))):
        assert copied is start
    router, log = router_of("gaussian")
    assert next(iter(inspect.signature(router.start).parameters)) == "features"
    assert log.queries.features is not None
    bound = router.start
    assert (
        bound(log.queries.features[0].tolist()).next_model
        == bound(log.queries.features[0]).next_model
    )


def test_a_start_follows_the_router() -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    known = log.queries.features[0].tolist()
    assert isinstance(router.start(known), core.Session)
    before = router.start(known, dearer=False).next_model
    router.backend = "reference"
    assert isinstance(router.start(known), PlainSession)
    router.backend = None
    assert isinstance(router.start(known), core.Session)
    router.lambda_ = 1e9
    assert router.start(known, dearer=False).next_model == before  # until the next fit
    router.fit(log)
    dearest = log.models[int(np.argmax(log.cost.mean(axis=0)))]
    assert router.start(known, dearer=False).next_model != dearest
    assert router.start(known, dearer=False)._decider is router._decider()
    with pytest.raises(ValueError, match="not fitted"):
        copy.copy(hr.Router(hr.GaussianEstimator())).start(known)


def test_which_policy_is_drawn_as_python_draws_it() -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    known = log.queries.features[0]
    assert 0.0 < router.gamma_ < 1.0
    drawn = []
    for features in (known, known.tolist()):
        random.seed(3)
        drawn.append([router.start(features).dearer for _ in range(200)])
    assert drawn[0] == drawn[1]
    assert 0 < sum(drawn[0]) < 200


class Text(str):
    """A text that is not quite one."""


OBSERVATIONS: dict[str, Callable[[hr.Session, str], None]] = {
    "float": lambda run, name: run.observe(name, 0.5),
    "by name": lambda run, name: run.observe(model=name, signal=0.5),
    "signal by name": lambda run, name: run.observe(name, signal=0.5, cost=1.0, latency=2.0),
    "column": lambda run, name: run.observe(run.next_index, 0.5, cost=0.25),
    "NumPy's column": lambda run, name: run.observe(np.int64(run.next_index), 0.5),  # type: ignore[arg-type]
    "other text": lambda run, name: run.observe("".join(list(name)), 0.5, cost=3.0),
    "kind of text": lambda run, name: run.observe(Text(name), 0.5),
    "array": lambda run, name: run.observe(name, np.array([0.5])),
    "integer": lambda run, name: run.observe(name, 1, cost=2),
    "truth": lambda run, name: run.observe(name, True),
    "NumPy's": lambda run, name: run.observe(name, np.float64(0.5), cost=np.float64(1.0)),
    "no cost": lambda run, name: run.observe(name, 0.5, cost=None, latency=None),
    "negative zero": lambda run, name: run.observe(name, -0.0, cost=-0.0),
    "missing": lambda run, name: run.observe(name),
    "nan": lambda run, name: run.observe(name, np.nan),
    "infinite": lambda run, name: run.observe(name, np.inf),
    "huge": lambda run, name: run.observe(name, 1e101),
    "large": lambda run, name: run.observe(name, -1e100),
    "two": lambda run, name: run.observe(name, [0.5, 0.5]),
    "negative cost": lambda run, name: run.observe(name, 0.5, cost=-1.0),
    "cost of nan": lambda run, name: run.observe(name, 0.5, cost=np.nan),
    "huge cost": lambda run, name: run.observe(name, 0.5, cost=1e101),
    "infinite latency": lambda run, name: run.observe(name, 0.5, latency=np.inf),
    "text as cost": lambda run, name: run.observe(name, 0.5, cost="1"),  # type: ignore[arg-type]
    "unknown": lambda run, name: run.observe("gpt", 0.5),
    "no model": lambda run, name: run.observe(None, 0.5),  # type: ignore[arg-type]
    "not asked": lambda run, name: run.observe((run.next_index + 1) % K, 0.5),
    "twice": lambda run, name: (run.observe(name, 0.5), run.observe(name, 0.5))[0],  # type: ignore[func-returns-value]
    "at once": lambda run, name: (run.exclude(name), run.observe(name, 0.5))[0],  # type: ignore[func-returns-value]
    "unknown name": lambda run, name: run.observe(name, 0.5, price=1.0),  # type: ignore[call-arg]
    "signal twice": lambda run, name: run.observe(name, 0.5, signal=0.5),  # type: ignore[misc]
    "too many": lambda run, name: run.observe(name, 0.5, 1.0),  # type: ignore[call-arg]
    "nothing": lambda run, name: run.observe(),  # type: ignore[call-arg]
}


@pytest.mark.parametrize("kind", OBSERVATIONS)
@pytest.mark.parametrize("estimator", ["gaussian", "gaussian signals", "precomputed"])
def test_an_observation_is_that_of_python(estimator: str, kind: str) -> None:
    results = []
    for backend in (None, "reference"):
        router, log = fitted(estimator, backend)
        known = log.queries.features
        run = router.start(None if known is None else known[0], dearer=False)
        assert isinstance(run, PlainSession) == (backend == "reference")
        name = run.next_model
        assert name is not None
        try:
            OBSERVATIONS[kind](run, name)
            error = None
        except Exception as raised:
            error = type(raised), str(raised)
        results.append(
            (error, run.ran, run.cost, run.seconds, run.next_model, run.answer, repr(run))
        )
    assert results[0] == results[1]


def test_sessions_are_neither_copied_nor_kept() -> None:
    router, log = router_of("gaussian")
    assert log.queries.features is not None
    known = log.queries.features[0].tolist()
    run = router.start(known)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a session is not copied or pickled"):
            copied(run)
    with pytest.raises(AttributeError):
        run.cost = 1.0  # type: ignore[misc]
    for make in (
        type(run),
        lambda: type(run).__new__(type(run)),
        lambda: object.__new__(type(run)),
    ):
        with pytest.raises(TypeError):
            make()

    held = weakref.WeakSet[hr.Router]()
    again = hr.Router(hr.GaussianEstimator(), lambda_=0.1).fit(log)
    again.mine = again.start(known)  # type: ignore[attr-defined]
    again.estimator_.mine = again.mine  # type: ignore[attr-defined]
    held.add(again)
    del again
    gc.collect()
    assert not held
