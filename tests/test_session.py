"""Sessions decide as the router does, refuse misuse, and keep the fit that they began with."""

from __future__ import annotations

import copy
import json
import pickle
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import headrace as hr
import numpy as np
import oracle
import pytest
from headrace._samples import standard_normal_samples
from headrace._tensor_file import read_tensor_file, write_tensor_file
from hypothesis import given, settings
from hypothesis import strategies as st
from routers import Blend, Floats, Joint, Telling, changes_of_all, make_log
from test_estimators import simulated

STRATEGIES = ("cascade_routing", "cascade", "routing", "index", "threshold_cascade")
N_SAMPLES = 32


def precomputed(log: hr.QueryLog) -> hr.Estimator:
    before = 0.5 * log.quality + 0.1
    return hr.PrecomputedEstimator(
        before, log.cost, sigmas=np.full(log.n_models, 0.3), post=log.quality
    )


ESTIMATORS: dict[str, Callable[[hr.QueryLog], Any]] = {
    "certain": lambda log: Blend(None),
    "blend": lambda log: Blend(),
    "spread": lambda log: Blend(spread=True),
    "joint": lambda log: Joint(),
    "telling": lambda log: Telling(),
    "gaussian": lambda log: hr.GaussianEstimator(),
    "precomputed": precomputed,
}
LEARNED: dict[str, Callable[[hr.QueryLog], Any]] = {
    "gaussian": lambda log: hr.GaussianEstimator(own_features=np.arange(4)),
    "binary": lambda log: hr.BinaryEstimator(n_classes=2),
}


@cache
def fitted(
    kind: str, strategy: str, seed: int, k: int = 4, **options: Any
) -> tuple[hr.Router, hr.QueryLog]:
    """Return a router whose two policies differ, and its log."""
    log = make_log(40, k, seed, on_grid=seed % 2 == 1)
    router = hr.Router(
        ESTIMATORS[kind](log),
        strategy=strategy,
        n_samples=N_SAMPLES,
        n_threads=1,
        lookahead=0.7,
        **options,
    )
    return router.fit(log, budget=float(log.cost.mean())), log


def started(router: hr.Router, log: hr.QueryLog, row: int, **options: Any) -> hr.Session:
    known = log.queries
    return router.start(
        None if known.features is None else known.features[row],
        group=None if known.groups is None else known.groups[row],
        index=int(known.index[row]),
        **options,
    )


def signal_of(log: hr.QueryLog, row: int, model: int) -> Floats | None:
    return None if log.queries.signals is None else log.queries.signals[row, model]


def path_of(run: hr.Session, log: hr.QueryLog, row: int) -> list[str | None]:
    """Run a session to its end; return the models in turn, and the answer's."""
    while run.next_model is not None:
        run.observe(run.next_model, signal_of(log, row, run.next_index))
    return [*run.ran, run.answer]


def assert_equals_select(router: hr.Router, log: hr.QueryLog, row: int, dearer: bool) -> list[str]:
    run = started(router, log, row, dearer=dearer)
    one, ran = log.queries.rows([row]), np.zeros((1, log.n_models), dtype=bool)
    while True:
        expected = router.select(one, ran, dearer=[dearer])
        told = run.explain()
        assert run.next_index == expected.next_model[0]
        assert {*told.supermodel} == {log.models[i] for i in np.flatnonzero(expected.supermodel[0])}
        if ran.any():
            assert run.answer == log.models[int(router.answer(one, ran)[0])]
            assert told.tradeoff == expected.tradeoff[0]
        else:
            assert run.answer is None
        if run.next_model is None:
            return [*run.ran]
        assert run.next_model == log.models[run.next_index]
        ran[0, run.next_index] = True
        run.observe(run.next_index, signal_of(log, row, run.next_index))


# Decisions


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=12)
@given(seed=st.integers(0, 3), row=st.integers(0, 39), dearer=st.booleans())
def test_equal_to_select(kind: str, strategy: str, seed: int, row: int, dearer: bool) -> None:
    router, log = fitted(kind, strategy, seed)
    assert_equals_select(router, log, row, dearer)


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("strategy", ["cascade_routing", "index"])
def test_equal_to_select_of_a_loaded_router(tmp_path: Path, kind: str, strategy: str) -> None:
    log = simulated(120, 4, 3, d=1, groups=3, own=True)
    router = hr.Router(LEARNED[kind](log), strategy=strategy, n_samples=N_SAMPLES, n_threads=1)
    router.fit(log, budget=float(log.cost.mean()) * 1.5)
    router.save(tmp_path / "a")
    loaded = hr.load_router(tmp_path / "a")
    for row in range(0, 40, 2):
        assert_equals_select(loaded, log, row, bool(row % 4))
        assert path_of(started(router, log, row, dearer=True), log, row) == path_of(
            started(loaded, log, row, dearer=True), log, row
        )


@pytest.mark.parametrize("search", ["greedy", "exhaustive"])
def test_searches_depth_and_prices_by_step(search: str) -> None:
    router, log = fitted("gaussian", "cascade_routing", 0, search=search, max_depth=2)
    paths = [assert_equals_select(router, log, row, False) for row in range(40)]
    assert {len(path) for path in paths} == {1, 2}
    log = make_log(60, 3, 5)
    stepped = hr.Router(
        Blend(), strategy="cascade", lookahead=1.0, n_threads=1, n_samples=N_SAMPLES
    )
    stepped.fit(log, budget=float(log.cost.mean()))
    fit, estimator = stepped._learned[:2]
    factors = np.array([1.0, 0.01, 30.0])
    changed = copy.copy(fit)
    object.__setattr__(changed, "step_factors", factors)
    stepped._adopt(changed, estimator)
    for row in range(20):
        assert_equals_select(stepped, log, row, False)
    run = started(stepped, log, 0)
    first = run.explain().lambda_
    run.observe(run.next_index, signal_of(log, 0, run.next_index))
    assert run.explain().lambda_ == pytest.approx(0.01 * first)


def test_every_backend(backend: str) -> None:
    router, log = fitted("joint", "cascade_routing", 2)
    other = copy.deepcopy(router).set_params(backend=backend)
    for row in range(8):
        assert path_of(started(router, log, row, dearer=False), log, row) == path_of(
            started(other, log, row, dearer=False), log, row
        )


# Excluded models


def decided_without(
    router: hr.Router, log: hr.QueryLog, row: int, ran: list[int], barred: set[int], **known: Any
) -> oracle.Decision | None:
    """Decide by brute force among the other models; None where rounding decides."""
    order = [int(i) for i in router.order_ if i not in barred]
    one = log.queries.rows([row])
    estimates = router.estimator_.estimate(one, sorted(ran))
    covariance = estimates.covariance
    deviations = None if estimates.sigmas is None else 0.7 * estimates.sigmas[..., order].ravel()
    factor = None
    if covariance is not None and router.strategy == "index":
        deviations = 0.7 * np.sqrt(np.diag(covariance))[order]
    elif covariance is not None:
        factor = 0.7 * oracle.cholesky(covariance[np.ix_(order, order)])
    places = np.flatnonzero(~np.isin(router.order_, list(barred)))
    assert router.lambda_ is not None
    found = oracle.decide(
        estimates.qualities[0, order].tolist(),
        estimates.costs[0, order].tolist(),
        router.lambda_,
        deviations=None if deviations is None else deviations.tolist(),
        factor=factor,
        samples=standard_normal_samples(log.n_models, N_SAMPLES, 0)[places],
        ran=[order.index(i) for i in ran],
        strategy=router.strategy,
        **known,
    )
    if found["ambiguous"]:
        return None
    found["next_model"] = order[found["next_model"]] if found["next_model"] >= 0 else -1
    found["supermodel"] = {order[i] for i in found["supermodel"]}
    return found


@pytest.mark.parametrize("kind", ["certain", "blend", "joint"])
@pytest.mark.parametrize("strategy", ["cascade_routing", "cascade", "routing", "index"])
@settings(max_examples=20)
@given(data=st.data(), row=st.integers(0, 39), seed=st.sampled_from([0, 2]))
def test_excluded_models_are_in_no_supermodel(
    kind: str, strategy: str, data: st.DataObject, row: int, seed: int
) -> None:
    router, log = fitted(kind, strategy, seed, k=5)
    run = started(router, log, row, dearer=False)
    ran: list[int] = []
    barred: set[int] = set()
    for _ in range(9):
        left = [i for i in range(5) if i not in ran and i not in barred]
        if run.next_index < 0 or not left:
            break
        if data.draw(st.booleans()):
            failing = data.draw(st.sampled_from(left))
            run.exclude(log.models[failing], "down")
            barred.add(failing)
        else:
            run.observe(run.next_index, signal_of(log, row, run.next_index))
            ran.append(log.models.index(run.ran[-1]))
        if len(barred) + len(ran) == 5:
            assert run.next_index == -1
            continue
        expected = decided_without(router, log, row, ran, barred)
        if expected is None:
            break
        told = run.explain()
        assert run.next_index == expected["next_model"]
        assert {*told.supermodel} == {log.models[i] for i in expected["supermodel"]}
        assert told.tradeoff == pytest.approx(expected["tradeoff"], abs=1e-12)
        assert not {*told.supermodel} & {*told.excluded}
    assert run.excluded == {log.models[i]: "down" for i in barred}


def test_a_threshold_cascade_goes_by_what_is_left() -> None:
    router, log = fitted("blend", "threshold_cascade", 0)
    names = [log.models[i] for i in router.order_]
    run = started(router, log, 0, dearer=True)
    run.exclude(names[0])
    assert run.next_model == names[1]
    run.observe(names[1], -5.0)
    run.exclude(names[2])
    assert run.next_model == names[3]
    run.observe(names[3], -9.0)
    assert run.next_model is None
    assert run.answer == names[3]


def test_without_any_model() -> None:
    router, log = fitted("blend", "cascade_routing", 0)
    run = started(router, log, 0)
    for name in log.models:
        run.exclude(name)
    assert run.next_model is None
    assert run.answer is None
    told = run.explain()
    assert told.reason == "stops without an answer: no model is left to run"
    assert told.tradeoff is None
    assert json.loads(json.dumps(told.as_dict()))["excluded"] == dict.fromkeys(
        log.models, "excluded"
    )


@pytest.mark.parametrize("decides", ["reference", None])
def test_signals_of_every_kind_in_one_session(decides: str | None) -> None:
    log = hr.QueryLog(
        [[0.0, 0.5, 1.0], [1.0, 0.4, 1.0]] * 20,
        [0.1, 0.5, 2.0],
        signals=[[0.2, 0.5, 0.9], [0.8, 0.4, 0.9]] * 20,
    )
    router = hr.Router(hr.GaussianEstimator(), lambda_=0.01, backend=decides).fit(log)
    alike, run = router.start(dearer=False), router.start(dearer=False)
    kinds: list[Any] = [0.0, 0, np.float64(0.0), [0.0], np.zeros(1), np.float32(0.0)]
    for kind in kinds[: log.n_models]:
        if run.next_index < 0:
            break
        run.observe(run.next_index, kind)
        alike.observe(alike.next_index, 0.0)
        assert run.next_model == alike.next_model
    assert len(run.ran) >= 2
    assert run.explain().as_dict() == alike.explain().as_dict()


@pytest.mark.parametrize("decides", ["reference", None])
def test_what_an_interrupt_cut_off_can_be_done_again(decides: str | None) -> None:
    log = make_log(40, 4, 0)
    router = hr.Router(hr.GaussianEstimator(), lambda_=0.01, backend=decides).fit(log)
    run = started(router, log, 0, dearer=False, deadline=1e6, seconds=[1.0, 1.0, 1.0, 1e9])
    run._take_out(3, None, 0.0)  # as if interrupted while late models are taken out
    first = run.next_index
    run._take_out(first, None, 0.0)  # and while this one is
    run.exclude(first)
    assert run.next_index not in (-1, 3, first)
    assert list(run.excluded) == [log.models[3], log.models[first]]


# Misuse


def in_progress() -> tuple[hr.Session, hr.QueryLog]:
    """Return a session on which one model has run and that goes on, with one model excluded."""
    router, log = fitted("blend", "threshold_cascade", 0)
    run = started(router, log, 0, dearer=True)
    first = run.next_model
    assert first is not None
    run.observe(first, -5.0, cost=0.5, latency=1.0)
    run.exclude(log.models[router.order_[-1]], "no key")
    assert run.next_model == log.models[router.order_[1]]
    return run, log


MISUSE: list[tuple[str, Callable[[hr.Session], object], type[Exception], str]] = [
    ("twice", lambda run: run.observe(run.ran[0], 0.5), hr.SessionError, "observed already"),
    (
        "not asked for",
        lambda run: run.observe(next(iter(run.excluded)), 0.5),
        hr.SessionError,
        "was not asked for: next_model is",
    ),
    ("unknown", lambda run: run.observe("gpt", 0.5), hr.SessionError, "unknown model 'gpt'"),
    ("unknown column", lambda run: run.observe(4, 0.5), hr.SessionError, "unknown model 4"),
    ("column", lambda run: run.observe(-1, 0.5), hr.SessionError, "is no model"),
    ("no column", lambda run: run.observe(0.5, 0.5), TypeError, "an integer"),  # type: ignore[arg-type]
    ("NaN", lambda run: run.observe(run.next_index, np.nan), hr.SessionError, "must be finite"),
    ("inf", lambda run: run.observe(run.next_index, [np.inf]), hr.SessionError, "index 0"),
    ("none", lambda run: run.observe(run.next_index), hr.SessionError, "is missing"),
    ("two", lambda run: run.observe(run.next_index, [1.0, 2.0]), hr.SessionError, r"\(2,\)"),
    ("text", lambda run: run.observe(run.next_index, "good"), TypeError, "real numbers"),
    (
        "negative cost",
        lambda run: run.observe(run.next_index, 0.5, cost=-1.0),
        hr.SessionError,
        "cost must not be negative",
    ),
    (
        "NaN latency",
        lambda run: run.observe(run.next_index, 0.5, latency=float("nan")),
        hr.SessionError,
        "latency must be finite",
    ),
    ("exclude run", lambda run: run.exclude(run.ran[0]), hr.SessionError, "has run"),
    (
        "exclude twice",
        lambda run: run.exclude(next(iter(run.excluded))),
        hr.SessionError,
        "excluded already: no key",
    ),
    (
        "exclude at a negative cost",
        lambda run: run.exclude(run.next_index, cost=-1.0),
        hr.SessionError,
        "cost must not be negative",
    ),
    ("copy", copy.copy, TypeError, "a session is not copied or pickled: save the router"),
    ("deep copy", copy.deepcopy, TypeError, "a session is not copied or pickled"),
    ("pickle", pickle.dumps, TypeError, "a session is not copied or pickled"),
    ("exclude unknown", lambda run: run.exclude("gpt"), hr.SessionError, "unknown model"),
]


@pytest.mark.parametrize(
    ("act", "error", "message"), [row[1:] for row in MISUSE], ids=[row[0] for row in MISUSE]
)
def test_misuse_raises_and_changes_nothing(
    act: Callable[[hr.Session], object], error: type[Exception], message: str
) -> None:
    run, _ = in_progress()

    def state() -> tuple[object, ...]:
        return run.next_model, run.answer, run.ran, run.excluded, run.cost, run.seconds

    before = state()
    with pytest.raises(error, match=message):
        act(run)
    assert state() == before
    run.exclude(run.next_index, cost=0.25)
    run.observe(run.next_index, 9.0, cost=1, latency=2)
    assert run.next_model is None
    assert (run.cost, run.seconds) == (1.75, 3.0)


@pytest.mark.parametrize(
    "act", [lambda run, rest: run.observe(rest, 0.5), lambda run, rest: run.exclude(rest)]
)
def test_a_finished_session_is_finished(act: Callable[[hr.Session, str], None]) -> None:
    run, log = in_progress()
    last = run.next_model
    assert last is not None
    run.observe(last, 9.0)
    assert run.next_model is None
    rest = next(name for name in log.models if name not in {*run.ran, *run.excluded})
    with pytest.raises(hr.SessionError, match=f"finished, with the answer of '{last}'"):
        act(run, rest)
    assert run.answer == last


def test_signals_where_the_log_has_none() -> None:
    log = hr.QueryLog([[0.0, 1.0], [1.0, 1.0]] * 10, [0.1, 2.0])
    run = hr.Router(hr.GaussianEstimator(), lambda_=0.0).fit(log).start()
    with pytest.raises(hr.SessionError, match="without signals"):
        run.observe(run.next_index, 0.5)
    run.observe(run.next_index)
    assert len(run.ran) == 1


def test_faulty_starts() -> None:
    router, log = fitted("blend", "cascade_routing", 0)
    features = np.zeros(8)
    faults: list[tuple[dict[str, Any], str]] = [
        ({"features": None}, "features must have shape"),
        ({"features": np.zeros(7)}, r"must have shape \(d,\) = \(8,\), got \(7,\)"),
        ({"features": np.full(8, np.nan)}, "must be finite"),
        ({"features": [0.0] * 7}, r"must have shape \(d,\) = \(8,\), got \(7,\)"),
        ({"features": [0.0] * 7 + [np.nan]}, "features must be finite, got nan at index 7"),
        ({"features": [0.0, -np.inf] + [0.0] * 6}, "features must be finite, got -inf at index 1"),
        ({"features": [1e101] + [0.0] * 7}, r"not exceed 1e\+100 in magnitude, got 1e\+101 at"),
        ({"features": features, "seed": -1}, "seed must be at least 0"),
        ({"features": features, "index": -1}, "index must be at least 0"),
        ({"features": features, "index": 2**63}, "index must be at most 9223372036854775807, got"),
        (
            {"features": features, "latency_weight": 1e99, "seconds": [1.0, 20.0, 1.0, 1.0]},
            r"latency_weight \* seconds must not exceed 1e\+100 in magnitude, got 2e\+100 at",
        ),
        ({"features": features, "deadline": -1.0}, "deadline must not be negative"),
        ({"features": features, "latency_weight": np.nan}, "latency_weight must be finite"),
        ({"features": features, "deadline": 1.0, "seconds": [1.0]}, "seconds must have shape"),
        ({"features": features, "deadline": 1.0, "seconds": [-1.0] * 4}, "not be negative"),
    ]
    for options, message in faults:
        with pytest.raises(ValueError, match=message):
            router.start(**options)
    with pytest.raises(TypeError, match="dearer must be True or False"):
        router.start(features, dearer=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="features must hold real numbers"):
        router.start(["0.5"] * 8)
    with pytest.raises(ValueError, match="features must be exact in float64"):
        router.start([2**53 + 1] * 8)
    with pytest.raises(ValueError, match="not fitted yet"):
        hr.Router(Blend()).start(features)
    cascade, _ = fitted("blend", "threshold_cascade", 0)
    with pytest.raises(ValueError, match="threshold cascade ignores"):
        cascade.start(features, latency_weight=1.0)
    bare = hr.Router(hr.GaussianEstimator(), lambda_=0.1).fit(hr.QueryLog(log.quality, log.cost))
    with pytest.raises(ValueError, match="has none"):
        bare.start([1.0])
    with pytest.raises(ValueError, match="needs the expected seconds"):
        bare.start(deadline=1.0)


# The share of the dearer policy


def test_gamma_is_drawn_once_for_a_session() -> None:
    router, log = fitted("blend", "cascade_routing", 0)
    assert 0.05 < router.gamma_ < 0.95
    drawn = [started(router, log, 0, seed=seed).dearer for seed in range(2000)]
    expected = 1.0 - router.gamma_
    assert abs(np.mean(drawn) - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / 2000)
    assert drawn == [started(router, log, 0, seed=seed).dearer for seed in range(2000)]
    assert {started(router, log, 0).dearer for _ in range(2000)} == {False, True}
    differ = 0
    for row in range(40):
        paths = [path_of(started(router, log, row, dearer=it), log, row) for it in (False, True)]
        differ += paths[0] != paths[1]
    assert differ


# Time


def test_models_that_cannot_finish_are_no_candidates() -> None:
    router, log = fitted("blend", "threshold_cascade", 0)
    order = [int(i) for i in router.order_]
    seconds = np.zeros(4)
    seconds[order] = [1.0, 5.0, 2.0, 3.0]
    run = started(router, log, 0, dearer=True, deadline=4.0, seconds=seconds)
    assert run.next_index == order[0]
    run.observe(order[0], -5.0, latency=1.5)
    assert run.next_index == order[2]  # 2.5 seconds are left
    told = run.explain()
    assert [*told.excluded] == [log.models[i] for i in sorted((order[1], order[3]))]
    assert told.excluded[log.models[order[1]]].startswith("expected to take 5 s, and 2.")
    run.observe(order[2], -5.0, latency=2.4)
    assert run.next_index == -1
    assert run.answer == log.models[order[2]]
    assert run.explain().reason.endswith("no other model is left")


def test_the_clock_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("headrace._session.time", SimpleNamespace(monotonic=lambda: now[0]))
    router, log = fitted("blend", "threshold_cascade", 0)
    run = started(router, log, 0, dearer=True, deadline=4.0, seconds=[1.0] * 4)
    run.observe(run.next_index, -5.0)
    now[0] = 102.9
    late = started(router, log, 0, dearer=True, deadline=0.5, seconds=[1.0] * 4)
    assert late.next_model is None
    assert late.answer is None
    assert run.next_model is not None
    now[0] = 200.0
    asked = run.next_model  # stays as it was decided
    run.observe(asked, -5.0)
    assert run.next_model is None
    assert run.answer == asked


@pytest.mark.parametrize("strategy", ["cascade_routing", "cascade", "routing", "index"])
def test_a_second_is_worth_money(strategy: str) -> None:
    router, log = fitted("joint", strategy, 0)
    rng = np.random.default_rng(0)
    seconds, weight = rng.uniform(0.0, 4.0, 4), 0.3
    assert log.queries.features is not None
    changed = 0
    for row in range(40):
        features = log.queries.features[row].copy()
        plain = path_of(router.start(features, dearer=False), log, row)
        run = router.start(features, dearer=False, latency_weight=weight, seconds=seconds)
        assert run.explain().costs == tuple(features[4:] + weight * seconds)
        path = path_of(run, log, row)
        features[4:] += weight * seconds
        assert path == path_of(router.start(features, dearer=False), log, row)
        changed += path != plain
    assert changed


def test_seconds_are_learned_by_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    groups = np.where(np.arange(400) % 2, "slow", "fast")
    latency = np.where(groups[:, None] == "slow", [2.0, 6.0], [1.0, 3.0])
    latency = latency * rng.uniform(0.9, 1.1, (400, 2))
    log = hr.QueryLog(rng.random((400, 2)), [0.1, 2.0], latency=latency, groups=groups)
    router = hr.Router(hr.GaussianEstimator(), lambda_=0.0).fit(log)
    router.save(tmp_path / "a")
    for one in (router, hr.load_router(tmp_path / "a")):
        learned = one._learned[0].seconds
        assert learned is not None
        np.testing.assert_allclose(learned.of(np.array(["slow"])), [2.0, 6.0], rtol=0.02)
        np.testing.assert_allclose(learned.of(np.array(["fast"])), [1.0, 3.0], rtol=0.02)
        np.testing.assert_allclose(learned.of(None), [1.5, 4.5], rtol=0.02)
        run = one.start(group="slow", deadline=4.0)
        assert run.next_model == "model 0"
        assert [*run.excluded] == ["model 1"]
        assert not one.start(group="fast", deadline=4.0).excluded
    arrays, texts = read_tensor_file(tmp_path / "a")
    means: Any = arrays["fit.seconds.means"]
    for wrong in (-means, means[:-1], means[:, :1], np.full(means.shape, np.inf)):
        write_tensor_file(tmp_path / "b", {**arrays, "fit.seconds.means": wrong}, texts)
        with pytest.raises(ValueError, match="not a saved router that can be read"):
            hr.load_router(tmp_path / "b")


# Words


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [
        *product(["certain", "blend", "joint"], ["cascade_routing", "cascade", "index"]),
        *product(["telling"], ["cascade_routing", "cascade"]),
    ],
)
def test_the_alternative_is_the_best_on_the_other_side(kind: str, strategy: str) -> None:
    router, log = fitted(kind, strategy, 0, max_depth=None if strategy == "index" else 3)
    order = [int(i) for i in router.order_]
    stopped = went_on = 0
    for row in range(40):
        run = started(router, log, row, dearer=False)
        while True:
            told = run.explain()
            ran = [log.models.index(name) for name in run.ran]
            estimates = router.estimator_.estimate(log.queries.rows([row]), sorted(ran))
            qualities = estimates.qualities[0, order].tolist()
            costs = estimates.costs[0, order].tolist()
            deviations = (0.7 * estimates.deviations()[..., order]).ravel().tolist()
            factor = None
            if estimates.covariance is not None:
                factor = 0.7 * oracle.cholesky(estimates.covariance[np.ix_(order, order)])
            has_run = tuple(sorted(order.index(i) for i in ran))
            best = max((estimates.qualities[0, i] for i in ran), default=None)
            if run.next_model is not None:
                expected = best
                went_on += best is not None
            elif strategy == "index":
                reservations = (
                    oracle.reservation_value(qualities[i], deviations[i], told.lambda_ * costs[i])
                    for i in range(4)
                    if i not in has_run
                )
                expected = max(reservations, default=None)
            else:
                drawn = standard_normal_samples(4, N_SAMPLES, 0)
                if estimates.reveals is not None:
                    deviations = [1.0] * 4
                    reveals = estimates.reveals.scaled(0.7)
                    drawn = changes_of_all(reveals, 0, estimates.qualities[0], ran, drawn, order)
                outcomes = oracle.sample_outcomes(qualities, deviations, factor, drawn)
                values = [
                    oracle.expected_maximum(outcomes, members)
                    - told.lambda_ * oracle.total_cost(costs, set(members) - set(has_run))
                    for members in oracle.admissible(4, has_run, strategy, "exact", 3, False)
                    if members != has_run
                ]
                expected = max(values, default=None)
            assert told.alternative == (expected and pytest.approx(expected, abs=1e-9))
            if run.next_model is None:
                stopped += expected is not None
                break
            run.observe(run.next_index, signal_of(log, row, run.next_index))
    assert stopped
    assert went_on


def test_what_is_said() -> None:
    class Given:
        def fit(self, log: hr.QueryLog) -> Given:
            return self

        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            qualities = np.array([[0.5, 0.8, 0.9]])
            for i in ran:
                assert queries.signals is not None
                qualities[0, i] = queries.signals[0, i, 0]
            sigmas = np.array([0.5, 0.2, 0.1])
            sigmas[list(ran)] = 0.0
            return hr.Estimates(
                np.tile(qualities, (len(queries), 1)),
                np.tile([1.0, 2.0, 9.0], (len(queries), 1)),
                sigmas,
            )

    names = ["small", "medium", "large"]
    log = hr.QueryLog(np.ones((4, 3)), [1.0, 2.0, 9.0], signals=np.ones((4, 3)), models=names)
    router = hr.Router(Given(), lambda_=0.05, lookahead=1.0).fit(log)
    run = router.start()
    told = run.explain()
    assert str(told).splitlines()[0] == told.reason
    assert told.reason.startswith(
        "runs 'small' next, expected to cost 1: the set of 'small' and 'medium' has the best "
        "tradeoff, 0."
    )
    assert told.as_dict()["supermodel"] == ["small", "medium"]
    assert told.upper_bound is not None
    assert told.tradeoff is not None
    assert told.upper_bound >= told.tradeoff
    run.observe("small", 0.95)
    told = run.explain()
    assert told.reason.startswith(
        "stops with the answer of 'small', estimated at 0.95: no set of further models is worth "
        "its cost (best tradeoff 0."
    )
    assert told.reason.endswith(" against 0.95)")
    assert json.loads(json.dumps(told.as_dict()))["next_model"] is None
    assert "small      0.95" in str(told)

    capped = hr.Router(Given(), lambda_=0.0, lookahead=1.0, max_depth=1).fit(log).start()
    name = capped.next_model
    assert name is not None
    capped.observe(name, 0.1)
    assert capped.explain().reason.endswith("max_depth = 1 models have run")
    routed = hr.Router(Given(), lambda_=0.05, strategy="routing").fit(log).start()
    routed.observe("medium", 0.1)
    assert routed.explain().reason.endswith("routing runs one model")
    index = hr.Router(Given(), lambda_=0.05, strategy="index", lookahead=1.0).fit(log).start()
    assert "its reservation value" in index.explain().reason
    free = index.next_model
    assert free is not None
    index.observe(free, 2.0)
    assert "(best reservation value" in index.explain().reason
    assert repr(index) == f"<Session: {free} has run, 0 excluded>"


# A service


def test_a_session_keeps_the_fit_that_it_began_with() -> None:
    log, other = make_log(60, 4, 0), make_log(60, 4, 9)
    router = hr.Router(hr.GaussianEstimator(), n_threads=1, n_samples=N_SAMPLES, lookahead=1.0)
    router.fit(log, budget=float(log.cost.mean()) * 1.5)
    before = copy.deepcopy(router)
    open_ones = [started(router, log, row, dearer=False) for row in range(20)]
    for row, run in enumerate(open_ones):
        run.observe(run.next_index, signal_of(log, row, run.next_index))
    router.fit(other, budget=float(other.cost.mean()))
    router.set_params(strategy="routing")
    same = 0
    for row, run in enumerate(open_ones):
        path = path_of(run, log, row)
        assert path == path_of(started(before, log, row, dearer=False), log, row)
        same += path == path_of(started(router, log, row, dearer=False), log, row)
    assert same < 20


def test_remembered_sets_do_not_outlive_their_fit() -> None:
    log, other = make_log(60, 4, 0), make_log(60, 4, 9)
    one = hr.GaussianEstimator().fit(log)
    one.estimate(log.queries, [1, 2])
    copied = copy.deepcopy(one)
    one.fit(other)
    for estimator, expected in ((one, other), (copied, log)):
        fresh = hr.GaussianEstimator().fit(expected)
        for ran in ([], [1, 2]):
            found, right = (e.estimate(log.queries, ran) for e in (estimator, fresh))
            np.testing.assert_array_equal(found.qualities, right.qualities)
            assert found.covariance is not None
            assert right.covariance is not None
            np.testing.assert_array_equal(found.covariance, right.covariance)


def test_a_covariance_that_changes_is_factorised_anew() -> None:
    class Moody(Joint):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            self.scale = float(queries.index[0] + 1) / 10
            return super().estimate(queries, ran)

    log = make_log(12, 4, 0)
    router = hr.Router(Moody(), lambda_=0.1, lookahead=1.0, n_threads=1).fit(log)
    assert log.queries.features is not None
    chosen = []
    for index in (0, 9, 0, 9):
        run = router.start(log.queries.features[0], index=index)
        chosen.append((run.explain().tradeoff, run.next_model))
    assert chosen[:2] == chosen[2:]
    assert chosen[0] != chosen[1]


def test_many_threads_decide_as_one() -> None:
    log = make_log(60, 5, 0)
    budget = float(log.cost.mean()) * 1.5
    router = hr.Router(hr.GaussianEstimator(), n_threads=1, n_samples=N_SAMPLES, lookahead=1.0)
    router.fit(log, budget=budget)
    alone = copy.deepcopy(router)
    expected = [path_of(started(alone, log, row, dearer=False), log, row) for row in range(60)]
    found: dict[int, list[list[str | None]]] = {}
    together = threading.Barrier(8)

    def work(number: int) -> None:
        together.wait()
        rows = np.random.default_rng(number).permutation(60).tolist()
        paths = {row: path_of(started(router, log, row, dearer=False), log, row) for row in rows}
        found[number] = [paths[row] for row in range(60)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(8)] == [expected] * 8


@pytest.mark.parametrize(("kind", "number"), [("precomputed", 10_000), ("gaussian", 200)])
def test_memory_of_open_sessions(kind: str, number: int) -> None:
    log = make_log(100, 50, 0)
    router = hr.Router(
        ESTIMATORS[kind](log), strategy="index", lambda_=0.01, lookahead=1.0, n_threads=1
    ).fit(log)
    for row in range(20):  # what sessions share is there already
        path_of(started(router, log, row), log, row)
    tracemalloc.start()
    try:
        runs = []
        for i in range(number):
            run = started(router, log, i % 20)
            run.observe(run.next_index, signal_of(log, i % 20, run.next_index))
            assert run.answer == run.ran[0]
            runs.append(run)
        used = tracemalloc.get_traced_memory()[0] / len(runs)
    finally:
        tracemalloc.stop()
    assert used * 10_000 <= 100e6
    assert log.queries.features is not None
    kept = 8 * (50 + log.queries.features.shape[1])  # signals, and a copy of the features
    assert used - kept <= 1024


class Short(list[float]):
    """A list that says that it has eight entries."""

    def __len__(self) -> int:
        return 8


class Masked(list[float]):
    """A list that shows others than it has."""

    def __iter__(self) -> Iterator[float]:
        return iter([0.0] * 8)


class Shared(list[float]):
    """A list that hands itself out."""

    def copy(self) -> Shared:
        return self


def test_lists_with_a_will_of_their_own() -> None:
    log = make_log(60, 4, 0)
    assert log.queries.features is not None
    given = hr.PrecomputedEstimator(log.quality, log.cost)  # looks at no feature
    router = hr.Router(given, lambda_=0.1).fit(log, refit=False)
    with pytest.raises(ValueError, match="features must"):
        router.start(Short([0.1] * 9))
    shown = router.start(Masked([np.nan] * 8))._asked[0]
    assert shown == pytest.approx(np.zeros(8))
    told = Shared([0.5] * 8)
    run = router.start(told)
    told[:] = [99.0] * 8
    assert run._asked[0] == pytest.approx(np.full(8, 0.5))


class Other(float):
    """A number that shows another than it is."""

    def __float__(self) -> float:
        return 0.5


def test_numbers_with_a_will_of_their_own() -> None:
    log = make_log(60, 4, 0)
    router = hr.Router(hr.GaussianEstimator(), lambda_=0.1, n_threads=1).fit(log)
    odd, plain = (router.start([kind(0.9)] * 8, dearer=False) for kind in (Other, lambda _: 0.5))
    assert odd.explain().as_dict() == plain.explain().as_dict()


class GroupNames:
    """An estimator whose ``groups_`` are its own affair."""

    def fit(self, log: hr.QueryLog) -> GroupNames:
        assert log.queries.groups is not None
        self.groups_ = sorted(set(log.queries.groups.tolist()))
        return self

    def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
        shape = (len(queries), 1)
        return hr.Estimates(np.tile([0.5, 0.6], shape), np.tile([1.0, 5.0], shape))


def test_groups_of_an_estimator_of_ones_own() -> None:
    log = hr.QueryLog(np.eye(4)[:, :2], [1.0, 5.0], groups=["a", "b", "a", "b"])
    router = hr.Router(GroupNames(), strategy="routing", lambda_=0.0).fit(log)
    assert router.start(group="a", dearer=False).next_index == 1


@pytest.mark.parametrize("make", [np.array, list])
def test_what_the_caller_does_with_its_arrays_later_changes_nothing(
    make: Callable[[list[float]], Any],
) -> None:
    log = make_log(60, 3, 1)
    router = hr.Router(Blend(), n_threads=1, lookahead=1.0, lambda_=0.05).fit(log)
    joint = hr.Router(hr.GaussianEstimator(), n_threads=1, lookahead=1.0, lambda_=0.05).fit(log)
    for each in (router, joint):
        assert log.queries.features is not None
        told, other = make(log.queries.features[0].tolist()), log.queries.features[0].copy()
        run, judge = each.start(told, dearer=False), each.start(other, dearer=False)
        told[:] = [9.0] * len(told)
        while judge.next_model is not None:
            assert run.next_model == judge.next_model
            signal = np.array([0.4])
            run.observe(judge.next_model, signal)
            judge.observe(judge.next_model, 0.4)
            signal[:] = 9.0
        assert run.next_model is None
        assert run.explain().as_dict() == judge.explain().as_dict()
        with pytest.raises(hr.SessionError, match="finished"):
            run.observe(run.next_model, 0.4)  # type: ignore[arg-type]
        with pytest.raises(hr.SessionError, match="finished"):
            run.observe(run.next_index, 0.4)
