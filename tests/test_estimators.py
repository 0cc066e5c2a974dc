"""Estimates are conditional means of the model that was fitted, and posterior means of the data."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._estimators._classes import Priors
from hypothesis import assume, given, settings
from hypothesis import strategies as st

Log = hr.QueryLog
MAKERS: dict[str, Callable[..., Any]] = {
    "gaussian": hr.GaussianEstimator,
    "logistic": lambda **options: hr.GaussianEstimator(calibration="logistic", **options),
    "binary": hr.BinaryEstimator,
}
EVERY = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
FEW = settings(max_examples=10, deadline=None)


def simulated(
    n: int = 300,
    k: int = 4,
    seed: int = 0,
    *,
    m: int = 1,
    d: int = 0,
    groups: int = 0,
    binary: bool = True,
    own: bool = False,
) -> Log:
    """Return a log drawn from what the estimators assume: relatives, with linear signals."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, k)) + np.linspace(-0.5, 0.8, k)
    features = rng.normal(size=(n, d)) if d else None
    if features is not None:
        level = level + 0.5 * features[:, :1]
    label = rng.integers(0, groups, n) if groups else None
    if label is not None:
        level = level + 0.4 * (label[:, None] - label.mean())
    quality = level
    if binary:
        quality = (rng.random((n, k)) < 1.0 / (1.0 + np.exp(-1.5 * level))).astype(float)
    signals = quality[:, :, None] + rng.normal(0.0, 0.6, (n, k, m))
    if own:
        early = quality + rng.normal(0.0, 1.0, (n, k))
        features = early if features is None else np.column_stack([early, features])
    cost = np.linspace(1.0, 3.0, k) * (1.0 + 0.2 * rng.random((n, k)))
    return Log(quality, cost, features=features, signals=signals, groups=label)


def unsure_of_hard_queries(n: int, k: int, seed: int = 0) -> Log:
    """Return a log of queries, easy and hard, with signals that tell of both and of quality."""
    rng = np.random.default_rng(seed)
    easy = rng.random((n, 1)) < 0.5
    quality = (rng.random((n, k)) < np.where(easy, 0.85, 0.4)).astype(float)
    signals = quality + 0.8 * easy + rng.normal(0.0, 0.7, (n, k))
    return Log(quality, np.linspace(1.0, 3.0, k), signals=signals)


# The Gaussian model


@FEW
@given(seed=st.integers(0, 100), m=st.integers(1, 3), own=st.booleans(), data=st.data())
def test_conditioning_is_the_textbook_formula(
    seed: int, m: int, own: bool, data: st.DataObject
) -> None:
    k = 4
    log = simulated(120, k, seed, m=m, own=own, d=2, binary=False)
    estimator = hr.GaussianEstimator(own_features=np.arange(k) if own else None).fit(log)
    ran = sorted(data.draw(st.sets(st.integers(0, k - 1), max_size=k)))
    estimates = estimator.estimate(log.queries, ran)

    known = log.queries
    assert known.features is not None
    assert known.signals is not None
    general = known.features[:, k:] if own else known.features
    everywhere = np.zeros(len(known), dtype=int)
    mean = estimator.mean_.predict(general, everywhere)
    blocks = [known.features[:, :k]] if own else []
    blocks += list(np.moveaxis(known.signals, 2, 0))
    expected = [
        noise.predict(general, everywhere) + slope * mean
        for noise, slope in zip(estimator.noise_means_, estimator.slopes_, strict=True)
    ]
    surprise = np.column_stack(blocks) - np.column_stack(expected)
    seen = list(range(k)) if own else []
    seen += [(block + own) * k + i for block in range(m) for i in ran]
    covariance = estimator.covariance_
    of_quality, of_evidence = covariance[:k, k:], covariance[k:, k:]
    gain = of_quality[:, seen] @ np.linalg.pinv(of_evidence[np.ix_(seen, seen)], rcond=1e-12)
    want = mean + surprise[:, seen] @ gain.T
    np.testing.assert_allclose(estimates.qualities, want, atol=1e-6)

    def explained(evidence: list[int]) -> Any:
        inner = np.linalg.pinv(of_evidence[np.ix_(evidence, evidence)], rcond=1e-12)
        return of_quality[:, evidence] @ inner @ of_quality[:, evidence].T

    change = np.zeros(k)
    for i in set(range(k)) - set(ran):
        more = seen + [(block + own) * k + i for block in range(m)]
        change[i] = (explained(more) - explained(seen))[i, i]
    np.testing.assert_allclose(estimates.deviations() ** 2, change, atol=1e-6)
    assert estimates.covariance is not None
    assert np.linalg.eigvalsh(estimates.covariance).min() > -1e-9


def test_a_regressor_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    log = simulated(400, d=3, groups=3)
    ours = hr.GaussianEstimator().fit(log)
    theirs = hr.GaussianEstimator(linear_model.Ridge(1.0)).fit(log)
    one, other = (e.estimate(log.queries, [1]).qualities for e in (ours, theirs))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


def test_shrinkage_is_one_at_most_and_takes_a_number() -> None:
    log = simulated(30, 8)
    fitted = hr.GaussianEstimator().fit(log).shrinkage_
    assert all(0.0 <= weight <= 1.0 for weight in fitted)
    assert hr.GaussianEstimator(shrinkage=0.3).fit(log).shrinkage_.tolist() == [0.3, 0.3]


# All of them


@EVERY
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000))
def test_permuting_models_permutes_everything(make: Any, seed: int) -> None:
    log = simulated(150, 4, seed, groups=2, own=True)
    order = np.random.default_rng(seed).permutation(4)
    permuted = log.subset(models=[int(i) for i in order])
    one = make(own_features=np.arange(4)).fit(log).estimate(log.queries, [0, 2])
    ran = sorted(int(np.flatnonzero(order == i)[0]) for i in (0, 2))
    other = make(own_features=order).fit(permuted).estimate(permuted.queries, ran)
    np.testing.assert_allclose(other.qualities, one.qualities[:, order], atol=1e-5)
    np.testing.assert_allclose(other.costs, one.costs[:, order], atol=1e-6)
    mine, theirs = one.deviations(), other.deviations()
    np.testing.assert_allclose(theirs, mine[..., order], atol=1e-4)


@EVERY
def test_the_order_of_arrival_does_not_matter(make: Any) -> None:
    log = simulated(200)
    estimator = make().fit(log)
    one, other = (estimator.estimate(log.queries, ran) for ran in ([0, 2, 3], [3, 0, 2]))
    np.testing.assert_array_equal(one.qualities, other.qualities)
    np.testing.assert_array_equal(one.deviations(), other.deviations())


@EVERY
def test_a_query_is_estimated_alike_whatever_comes_with_it(make: Any) -> None:
    log = simulated(200, d=2, groups=3, own=True)
    estimator = make(own_features=np.arange(4)).fit(log)
    rows = np.array([7, 150, 3])
    whole = estimator.estimate(log.queries, [1])
    part = estimator.estimate(log.queries.rows(rows), [1])
    np.testing.assert_allclose(part.qualities, whole.qualities[rows], rtol=1e-12, atol=1e-14)


@EVERY
def test_signals_of_models_that_have_not_run_are_not_looked_at(make: Any) -> None:
    log = simulated(200)
    estimator = make().fit(log)
    signals = log.queries.signals
    assert signals is not None
    hidden = np.where(np.arange(4)[:, None] == 1, signals, 99.0)
    other = log.with_observed(signals=hidden)
    np.testing.assert_array_equal(
        estimator.estimate(log.queries, [1]).qualities,
        estimator.estimate(other.queries, [1]).qualities,
    )


@pytest.mark.parametrize(
    ("make", "binary"),
    [(hr.GaussianEstimator, False), (hr.GaussianEstimator, True), (hr.BinaryEstimator, True)],
)
def test_estimates_are_posterior_means_with_the_stated_spread(make: Any, binary: bool) -> None:
    log = simulated(6000, 3, own=True, binary=binary)
    found = make(own_features=np.arange(3)).check(log)
    np.testing.assert_allclose(found.slope, 1.0, atol=0.1)
    np.testing.assert_allclose(found.bias, 0.0, atol=0.03)
    np.testing.assert_allclose(found.stated / found.realised, 1.0, atol=0.12)
    if not (binary and make is hr.GaussianEstimator):
        assert found.ok, str(found)


def test_the_check_says_what_is_wrong() -> None:
    class Boastful(hr.GaussianEstimator):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            told = super().estimate(queries, ran)
            raised = told.qualities + 0.3 * (len(ran) == 0)
            return hr.Estimates(raised, told.costs, sigmas=3.0 * told.deviations())

    found = Boastful().check(simulated(2000, binary=False))
    assert not found.ok
    words = " ".join(found.faults)
    assert "too high against the one after it, for all models" in words
    assert "the stated spread of the change is larger" in words
    assert all(fault in str(found) for fault in found.faults)


def test_the_check_looks_at_the_models_that_did_not_run() -> None:
    class Misled(hr.GaussianEstimator):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            told = super().estimate(queries, ran)
            if 0 in ran:
                told.qualities[:, 1] += 0.5
            return told

    log = simulated(2000, binary=False)
    found = Misled().check(log)
    assert [(one, other) for one, other in np.argwhere(np.abs(found.told) > 0.4)] == [(0, 1)]
    np.testing.assert_array_equal(found.told.diagonal(), found.bias)
    fault = f"running {log.models[0]} moves the estimate of {log.models[1]} by +0."
    assert any(fault in each for each in found.faults)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qualities": np.full((50, 2), np.nan)}, "qualities must be finite"),
        ({"qualities": np.zeros((50, 3))}, "qualities must have shape"),
        ({"costs": -np.ones((50, 2))}, "costs must not be negative"),
        ({"sigmas": np.ones(2)}, "sigmas must be 0 for models that have run"),
        ({"covariance": np.eye(2)}, "covariance must be 0 for models that have run"),
    ],
)
def test_the_check_refuses_what_a_router_refuses(change: dict[str, Any], message: str) -> None:
    class Faulty:
        def fit(self, log: hr.QueryLog) -> Faulty:
            return self

        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            good = hr.Estimates(np.zeros((50, 2)), np.ones((50, 2)))
            return replace(good, **change) if len(ran) else good

    quality = np.random.default_rng(0).uniform(size=(50, 2))
    log = hr.QueryLog(quality, [1.0, 2.0])
    with pytest.raises(ValueError, match=f"the estimator's {message}"):
        hr.check_estimator(Faulty(), log, refit=False)
    router = hr.Router(Faulty())
    with pytest.raises(ValueError, match=f"the estimator's {message}"):
        router.fit(log, budget=1.5)


@pytest.mark.parametrize("binary", [False, True])
def test_evidence_helps_the_models_that_have_not_run(binary: bool) -> None:
    log, held = simulated(4000, binary=binary).split(0.5)
    make = hr.BinaryEstimator if binary else hr.GaussianEstimator
    estimator = make().fit(log)
    error = [
        float(((estimator.estimate(held.queries, ran).qualities - held.quality)[:, 3] ** 2).mean())
        for ran in ([], [0], [0, 1], [0, 1, 2])
    ]
    assert error == sorted(error, reverse=True)
    assert error[-1] < 0.95 * error[0]


@FEW
@given(seed=st.integers(0, 100), own=st.booleans(), data=st.data())
def test_probabilities_of_being_right_are_those_of_bayes_rule(
    seed: int, own: bool, data: st.DataObject
) -> None:
    k = 3
    log = unsure_of_hard_queries(150, k, seed)
    if own:
        log = log.with_observed(features=log.queries.signals[:, ::-1, 0])  # type: ignore[index]
    estimator = hr.BinaryEstimator(own_features=np.arange(k) if own else None).fit(log)
    assume(any(shifts.slope_.any() for shifts in estimator.shifts_))
    ran = sorted(data.draw(st.sets(st.integers(0, k - 1), max_size=k)))
    found = estimator.estimate(log.queries, ran).qualities[:5]

    known, everywhere = log.queries, np.zeros(5, dtype=int)
    mean = estimator.mean_.predict(np.zeros((5, 0)), everywhere).clip(0.005, 0.995)
    priors = Priors(mean)
    chances = estimator.classes_.chances(priors)
    kinds = [(known.features[:5, :, None], list(range(k)))] if own else []  # type: ignore[index]
    kinds += [(known.signals[:5], ran)]  # type: ignore[index]
    for row in range(5):
        right, total = np.zeros(k), 0.0
        for which, weight in enumerate(estimator.classes_.weights_):
            chance = chances[priors.place[row], which]
            for pattern in itertools.product([0, 1], repeat=k):
                likelihood = weight * np.prod(np.where(pattern, chance, 1.0 - chance))
                for (values, models), ratios, shifts in zip(
                    kinds, estimator.ratios_, estimator.shifts_, strict=True
                ):
                    x = ratios.log_ratios(values, everywhere, np.arange(k))[row]
                    wrong = np.exp(shifts.slope_[which] * x + shifts.level_[which])
                    ratio = np.exp(shifts.scale_ * x + shifts.odds_[which])
                    likelihood *= np.prod((wrong * np.where(pattern, ratio, 1.0))[models])
                right += likelihood * np.array(pattern)
                total += likelihood
        np.testing.assert_allclose(found[row], right / total, atol=1e-9)


def test_signals_that_tell_how_hard_a_query_is_move_the_other_models_enough() -> None:
    k = 12
    log, held = unsure_of_hard_queries(6000, k).split(0.5)

    def slope(estimator: hr.BinaryEstimator) -> float:
        before = estimator.estimate(held.queries, []).qualities[:, 1:]
        change = estimator.estimate(held.queries, [0]).qualities[:, 1:] - before
        return float((change * (held.quality[:, 1:] - before)).sum() / (change**2).sum())

    estimator = hr.BinaryEstimator().fit(log)
    assert slope(estimator) == pytest.approx(1.0, abs=0.15)
    assert hr.BinaryEstimator().check(log).ok
    for shifts in estimator.shifts_:  # as if a signal told of its own answer alone
        shifts.scale_ = np.ones(k)
        shifts.odds_, shifts.slope_, shifts.level_ = np.zeros((3, *shifts.odds_.shape))
    assert slope(estimator) > 1.5


@pytest.mark.parametrize("hint", [0.003, 0.05, 0.1])
@pytest.mark.parametrize("flipped", [0.0, 0.01])
def test_signals_that_tell_all_are_believed(hint: float, flipped: float) -> None:
    easy = np.random.default_rng(1).random((600, 1)) < 0.5
    rng = np.random.default_rng(2)
    quality = (rng.random((600, 6)) < np.where(easy, 0.9, 0.3)).astype(float)
    verdict = np.where(rng.random((600, 6)) < flipped, 1.0 - quality, quality)
    noisy = easy + rng.normal(0.0, 1.0, (600, 6))
    for signals in (
        np.stack([verdict, np.broadcast_to(hint * easy, verdict.shape)], axis=2),
        np.stack([verdict, noisy], axis=2),
        verdict + hint * easy,
    ):
        log, held = hr.QueryLog(quality, np.arange(1.0, 7.0), signals=signals).split(0.5)
        estimator = hr.BinaryEstimator().fit(log)
        for ran in ([0], [0, 2, 5], range(6)):
            found = estimator.estimate(held.queries, list(ran)).qualities[:, list(ran)]
            missed = np.abs(found - held.quality[:, list(ran)]) > 0.5
            assert missed.mean() <= 3.0 * flipped, (hint, ran)


def test_independent_signals_have_no_shifts() -> None:
    rng = np.random.default_rng(0)
    quality = (rng.random((500, 3)) < np.where(rng.random((500, 1)) < 0.5, 0.9, 0.3)).astype(float)
    log = hr.QueryLog(quality, [1.0, 2.0, 3.0], signals=quality + rng.normal(0.0, 0.7, (500, 3)))
    (shifts,) = hr.BinaryEstimator().fit(log).shifts_
    assert np.abs(shifts.slope_).max() < 0.1
    np.testing.assert_allclose(shifts.scale_, 1.0, atol=0.05)


def test_reservation_values_solve_their_equation() -> None:
    log = simulated(500, groups=2)
    estimator = hr.BinaryEstimator().fit(log)
    price = 0.03
    values = estimator.reservation_values(log.queries, [0], price)
    belief = estimator.estimate(log.queries, [0]).qualities
    np.testing.assert_array_equal(values[:, 0], belief[:, 0])
    codes = estimator.groups_.codes(log.queries.groups, len(log.queries))
    p = belief[:, 1:, None]
    assert estimator.reveals_ is not None
    right, wrong = (
        table[codes, 1:] for table in (estimator.reveals_.right, estimator.reveals_.wrong)
    )
    chance = p * right + (1.0 - p) * wrong
    np.testing.assert_allclose(chance.sum(axis=2), 1.0)
    np.testing.assert_allclose(p * right.sum(axis=2, keepdims=True), p)
    excess = np.maximum(p * right / chance - values[:, 1:, None], 0.0)
    np.testing.assert_allclose((chance * excess).sum(axis=2), price, atol=1e-12)


# What may go wrong


@EVERY
@pytest.mark.parametrize("seed", range(3))
def test_degenerate_logs(make: Any, seed: int) -> None:
    log = simulated(40, 6, seed, d=2, groups=3)
    known = log.queries
    assert known.signals is not None
    assert known.features is not None
    quality, signals, features = log.quality.copy(), known.signals.copy(), known.features.copy()
    quality[:, 0] = 1.0  # always right
    signals[:, 1] = 2.5  # says nothing
    quality[:, 3], signals[:, 3] = quality[:, 2], signals[:, 2]  # the same model twice
    quality[:, 4], signals[:, 4] = quality[:, 2], signals[:, 2] + 1e-9
    features[:, 1] = 7.0
    cases = [
        Log(quality, log.cost, features=features, signals=signals, groups=known.groups),
        Log(quality, log.cost, signals=signals),
        Log(quality, log.cost, features=features),
        Log(quality, log.cost),
        Log(quality[:4], log.cost[:4], signals=signals[:4]),  # fewer queries than models
        Log(quality[:1], log.cost[:1], signals=signals[:1]),
        Log(quality[:, :1], log.cost[:, :1], signals=signals[:, :1]),
        Log(quality, log.cost, signals=np.zeros((40, 6))),
    ]
    for case in cases:
        estimator = make().fit(case)
        for ran in ([], [0], list(range(case.n_models))):
            estimates = estimator.estimate(case.queries, ran)
            assert np.isfinite(estimates.qualities).all()
            assert np.abs(estimates.qualities).max() < 10.0
            assert (estimates.costs >= 0.0).all()
            deviations = estimates.deviations()
            assert np.isfinite(deviations).all()
            assert (deviations >= 0.0).all()
            assert not deviations[..., ran].any()


@EVERY
def test_missing_cells_are_left_out(make: Any) -> None:
    log = simulated(800, d=2, groups=2)
    gone = np.random.default_rng(1).random(log.quality.shape) < 0.2
    signals = log.queries.signals
    assert signals is not None
    holes = Log(
        np.where(gone, np.nan, log.quality),
        np.where(gone, np.nan, log.cost),
        features=log.queries.features,
        signals=np.where(gone[:, :, None], np.nan, signals),
        groups=log.queries.groups,
    )
    one, other = (make().fit(case).estimate(log.queries, [1]) for case in (log, holes))
    assert np.abs(one.qualities - other.qualities).mean() < 0.05
    assert np.abs(one.costs - other.costs).max() < 0.2
    with pytest.raises(ValueError, match=r"NaN for model 1, which has run"):
        make().fit(holes).estimate(holes.queries, [1])
    with pytest.raises(ValueError, match="no quality of 'model 2'"):
        make().fit(Log(np.where(np.arange(4) == 2, np.nan, log.quality), log.cost))


@EVERY
def test_bad_input(make: Any) -> None:
    log = simulated(60, d=1)
    with pytest.raises(ValueError, match="not fitted yet"):
        make().estimate(log.queries, [])
    estimator = make().fit(log)
    with pytest.raises(ValueError, match="fitted on 4 models, got queries of 2"):
        estimator.estimate(log.subset(models=[0, 1]).queries, [])
    with pytest.raises(ValueError, match="fitted on 1 features, got queries with 0"):
        estimator.estimate(Log(log.quality, log.cost).queries, [])
    with pytest.raises(ValueError, match="fitted on 1 signals"):
        estimator.estimate(Log(log.quality, log.cost, features=log.queries.features).queries, [0])
    with pytest.raises(ValueError, match="ran must be different columns below 4"):
        estimator.estimate(log.queries, [4])
    with pytest.raises(TypeError, match="ran must be a sequence"):
        estimator.estimate(log.queries, [0.5])
    with pytest.raises(ValueError, match="own_features must have shape"):
        make(own_features=[0]).fit(log)
    with pytest.raises(ValueError, match="own_features must be columns below 1"):
        make(own_features=[0, 1, 2, 3]).fit(log)


def test_bad_parameters() -> None:
    log = simulated(60)
    other = simulated(60, binary=False)
    for estimator, where, words in (
        (hr.GaussianEstimator(shrinkage=2.0), log, "shrinkage must be"),
        (hr.GaussianEstimator(calibration="cubic"), log, "unknown calibration"),
        (hr.GaussianEstimator(calibration="logistic"), other, "between 0 and 1"),
        (hr.BinaryEstimator(), other, "needs qualities 0 and 1"),
        (hr.BinaryEstimator(n_classes=0), log, "n_classes must be at least 1"),
        (hr.BinaryEstimator(signal_model="cubic"), log, "unknown signal_model"),
        (hr.BinaryEstimator(signal_model="normal"), simulated(60, m=2), "takes one signal"),
    ):
        with pytest.raises(ValueError, match=words):
            estimator.fit(where)
    with pytest.raises(ValueError, match="unknown parameter 'colour'"):
        hr.GaussianEstimator().set_params(colour=1)


@EVERY
def test_the_conventions_of_scikit_learn(make: Any) -> None:
    estimator = make(own_features=[0, 1, 2, 3])
    assert estimator.get_params()["own_features"] == [0, 1, 2, 3]
    assert "own_features=[0, 1, 2, 3]" in repr(estimator)
    assert estimator.set_params(own_features=None) is estimator
    assert isinstance(make(), hr.Estimator)
    before = estimator.get_params()
    assert estimator.fit(simulated(60)) is estimator
    assert estimator.get_params() == before
    sklearn = pytest.importorskip("sklearn")
    assert not hasattr(sklearn.clone(estimator), "n_models_")


def test_hundreds_of_models() -> None:
    rng = np.random.default_rng(0)
    n, k = 150, 200
    quality = rng.normal(size=(n, 1)) + rng.normal(size=(n, k))
    log = Log(quality, np.ones(k), signals=quality + rng.normal(size=(n, k)))
    estimates = hr.GaussianEstimator().fit(log).estimate(log.queries, list(range(0, 200, 2)))
    assert np.corrcoef(estimates.qualities[:, 1::2].mean(axis=1), quality.mean(axis=1))[0, 1] > 0.9


def test_importing_takes_neither_scipy_nor_scikit_learn() -> None:
    code = (
        "import sys, headrace; "
        "sys.exit(any(name.partition('.')[0] in ('scipy', 'sklearn') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("scale", [1e-7, 1e6])
def test_the_unit_of_quality_does_not_matter(scale: float) -> None:
    log = simulated(200, 3, binary=False)
    scaled = Log(log.quality * scale, log.cost, signals=log.queries.signals)
    plain = Log(log.quality, log.cost, signals=log.queries.signals)
    one, other = (
        hr.GaussianEstimator().fit(each).estimate(each.queries, [1]) for each in (plain, scaled)
    )
    np.testing.assert_allclose(other.qualities / scale, one.qualities, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.deviations() / scale, one.deviations(), rtol=1e-6)


def test_chance_is_no_fault() -> None:
    rng = np.random.default_rng(0)

    def drawn(n: int) -> Log:
        quality = rng.normal(size=(n, 1)) + rng.normal(size=(n, 2))
        return Log(quality, [1.0, 2.0], signals=quality + rng.normal(size=(n, 2)))

    estimator = hr.GaussianEstimator().fit(drawn(20_000))
    faults = [hr.check_estimator(estimator, drawn(30), refit=False).faults for _ in range(60)]
    assert sum(map(bool, faults)) <= 3


def test_a_constant_estimate_has_no_slope() -> None:
    rng = np.random.default_rng(0)
    quality = rng.normal(size=(400, 2))
    log = Log(quality, [1.0, 2.0], signals=quality + rng.normal(size=(400, 2)))
    found = hr.GaussianEstimator().check(log)
    assert np.isnan(found.slope).all()
    assert found.ok
    assert "nan" not in str(found)
    assert str(found).count("unknown") == 2
    quality[2:, 1] = np.nan
    few = Log(quality, [1.0, 2.0], signals=np.where(np.isnan(quality), np.nan, quality))
    fitted = hr.GaussianEstimator().fit(log)
    for rows, n_unknown in ((few, 2), (few.rows(np.arange(2, 400)), 6)):
        found = hr.check_estimator(fitted, rows, refit=False)
        assert "nan" not in str(found)
        assert str(found).count("unknown") == n_unknown


@pytest.mark.parametrize("k", [9, 30])
@pytest.mark.parametrize("apart", [0.0, 1e-8, 1e-6, 1e-5])
def test_copies_of_one_model(k: int, apart: float) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        right = rng.integers(0, 2, (150, 1)).astype(float)
        told = right + rng.normal(0.0, 0.5, (150, 1))
        signals = np.tile(told, k) + apart * rng.normal(size=(150, k))
        log = Log(np.tile(right, k), np.linspace(1.0, 1.5, k), signals=signals)
        router = hr.Router(hr.GaussianEstimator(), lookahead=1.0, lambda_=0.01).fit(log)
        for row in range(5):
            run = router.start()  # compiled
            while run.next_model is not None:
                run.observe(run.next_model, signals[row, run.next_index])
            assert len(run.ran) == 1  # the others know nothing more


@pytest.mark.parametrize("n_groups", [2, 3])
def test_signals_that_say_it_all(n_groups: int) -> None:
    for seed in range(100, 150):
        rng = np.random.default_rng(seed)
        quality = (rng.random((200, 2)) < 0.55).astype(float)
        log = Log(quality, [1.0, 2.0], signals=quality, groups=rng.integers(0, n_groups, 200))
        known = hr.GaussianEstimator().fit(log).estimate(log.queries, [0, 1]).qualities
        np.testing.assert_allclose(known, quality, atol=1e-3)


def test_a_model_that_is_always_right_can_be_checked() -> None:
    log = Log(np.column_stack([np.ones(100), np.arange(100) % 2]), [1.0, 2.0])
    assert hr.GaussianEstimator().check(log).ok


def test_every_estimator_of_the_package_has_the_check() -> None:
    log = simulated(300, 3)
    noisy = hr.add_noise(log, "low")
    assert hr.NoisyEstimator(fuse=True).check(noisy).n_queries == 150
    given = hr.PrecomputedEstimator(log.quality, log.cost, sigmas=np.full(3, 0.1))
    assert not given.check(log).ok  # nothing changes when a model runs


@EVERY
def test_labels_of_another_kind_are_refused(make: Any) -> None:
    log = simulated(60, 3, groups=2)
    estimator = make().fit(log)
    assert log.queries.groups is not None
    other = "0" if log.queries.groups.dtype.kind != "U" else 0
    queries = Log(log.quality, log.cost, signals=log.queries.signals, groups=[other] * 60).queries
    with pytest.raises(TypeError, match="groups must be labels of the kind that was fitted on"):
        estimator.estimate(queries, [])
