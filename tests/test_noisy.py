"""The paper's noise and its estimator: reproducible, fitted as stated, leaks only where asked."""

from __future__ import annotations

from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._estimators.noisy import LEVELS
from headrace._estimators.protocol import Estimator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def binary_log(n: int = 400, k: int = 3, seed: int = 0) -> hr.QueryLog:
    """Return a log of right and wrong answers whose costs vary."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(size=(n, k)) < np.linspace(0.4, 0.9, k)
    return hr.QueryLog(quality, rng.uniform(1e-4, 1e-3, size=(n, k)))


def line(x: Floats, y: Floats) -> Floats:
    """Least squares by the textbook: the fitted values."""
    slope = np.cov(x, y, bias=True)[0, 1] / x.var()
    fitted: Floats = y.mean() + slope * (x - x.mean())
    return fitted


# Noise


@pytest.mark.parametrize("level", LEVELS)
def test_noise_has_the_deviations_of_the_level(level: str) -> None:
    log = binary_log(20_000, 2)
    noisy = hr.add_noise(log, level, seed=3)
    before, after, price = LEVELS[level]
    known = noisy.queries
    assert known.features is not None
    assert known.signals is not None
    draws = [
        (known.features[:, :2] - log.quality) / before,
        (known.features[:, 2:] - log.cost) / price,
        (known.signals[..., 0] - log.quality) / after,
    ]
    columns = np.hstack(draws)
    np.testing.assert_allclose(columns.mean(axis=0), 0.0, atol=0.04)
    np.testing.assert_allclose(np.cov(columns.T), np.eye(6), atol=0.05)
    np.testing.assert_array_equal(noisy.quality, log.quality)


def test_explicit_deviations() -> None:
    log = binary_log()
    named, told = hr.add_noise(log, "low"), hr.add_noise(log, (0.6, 0.3, 2e-4))
    np.testing.assert_array_equal(named.queries.features, told.queries.features)
    exact = hr.add_noise(log, (0.0, 0.0, 0.0)).queries
    np.testing.assert_array_equal(exact.features, np.hstack([log.quality, log.cost]))


def test_noise_of_a_cell_depends_on_seed_name_and_row_alone() -> None:
    log = binary_log()
    whole = hr.add_noise(log, "medium", seed=1)
    np.testing.assert_array_equal(
        whole.queries.features, hr.add_noise(log, "medium", seed=1).queries.features
    )
    part = hr.add_noise(log.rows([7, 300]).subset(models=[2, 0]), "medium", seed=1).queries
    other = hr.add_noise(log, "medium", seed=2).queries
    assert whole.queries.features is not None
    assert whole.queries.signals is not None
    np.testing.assert_array_equal(part.features, whole.queries.features[[7, 300]][:, [2, 0, 5, 3]])
    np.testing.assert_array_equal(part.signals, whole.queries.signals[[7, 300]][:, [2, 0]])
    assert not np.any(other.features == whole.queries.features)


@pytest.mark.parametrize(
    ("level", "seed", "error", "message"),
    [
        ("loud", 0, ValueError, "unknown level 'loud': choose one of"),
        ((0.1, 0.2), 0, ValueError, "or three finite deviations"),
        ((0.1, 0.2, float("nan")), 0, ValueError, "or three finite deviations"),
        ((0.1, -0.2, 0.3), 0, ValueError, "level must not be negative, got -0.2 at index 1"),
        ("low", -1, ValueError, "seed must be at least 0"),
    ],
)
def test_bad_noise(level: Any, seed: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hr.add_noise(binary_log(), level, seed=seed)


# Estimator


def test_maps_are_least_squares_of_the_training_rows() -> None:
    log = hr.add_noise(binary_log(), "low")
    estimator = hr.NoisyEstimator()
    assert isinstance(estimator, Estimator)
    assert estimator.fit(log) is estimator
    known = log.queries
    assert known.features is not None
    assert known.signals is not None
    before = estimator.estimate(known, [])
    some = estimator.estimate(known, [0, 2])
    assert before.sigmas is not None
    assert some.sigmas is not None
    for model in range(3):
        ante = line(known.features[:, model], log.quality[:, model])
        post = line(known.signals[:, model, 0], log.quality[:, model])
        np.testing.assert_allclose(before.qualities[:, model], ante)
        np.testing.assert_allclose(some.qualities[:, model], ante if model == 1 else post)
        price = line(known.features[:, 3 + model], log.cost[:, model])
        np.testing.assert_allclose(before.costs[:, model], np.maximum(price, 0.0))
        np.testing.assert_allclose(before.sigmas[model], (post - ante).std())
    np.testing.assert_array_equal(some.sigmas, before.sigmas * [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(some.costs, before.costs)


def change_given_before(estimator: hr.NoisyEstimator, log: hr.QueryLog) -> tuple[Floats, Floats]:
    """Return slopes of the change on the estimate before it, and its spread over the stated."""
    before = estimator.estimate(log.queries, [])
    assert before.sigmas is not None
    change = estimator.estimate(log.queries, range(log.n_models)).qualities - before.qualities
    centred = before.qualities - before.qualities.mean(axis=0)
    slopes = (centred * change).sum(axis=0) / (centred**2).sum(axis=0)
    return slopes, change.std(axis=0) / before.sigmas


@pytest.mark.parametrize("level", LEVELS)
def test_fused_estimates_are_posterior_means_on_new_rows(level: str) -> None:
    train = hr.add_noise(binary_log(5_000), level)
    fresh = hr.add_noise(binary_log(5_000, seed=1), level, seed=9)
    slopes, spread = change_given_before(hr.NoisyEstimator(fuse=True).fit(train), fresh)
    assert np.all(np.abs(slopes) < 0.25)
    np.testing.assert_allclose(spread, 1.0, atol=0.1)
    slopes, _ = change_given_before(hr.NoisyEstimator().fit(train), fresh)
    assert np.all(slopes < -0.2), "the paper's estimate after a run forgets the one before it"


def test_fused_change_has_mean_zero_given_the_estimate_before() -> None:
    train = hr.add_noise(binary_log(), "low")
    slopes, spread = change_given_before(hr.NoisyEstimator(fuse=True).fit(train), train)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-9)
    np.testing.assert_allclose(spread, 1.0)


def test_variance_as_deviation() -> None:
    log = hr.add_noise(binary_log(), "low")
    right = hr.NoisyEstimator().fit(log).estimate(log.queries, [1])
    wrong = hr.NoisyEstimator(variance_as_deviation=True).fit(log).estimate(log.queries, [1])
    assert right.sigmas is not None
    np.testing.assert_array_equal(wrong.sigmas, right.sigmas**2)
    np.testing.assert_array_equal(wrong.qualities, right.qualities)


def test_only_the_leak_sees_rows_outside_of_training() -> None:
    log = hr.add_noise(binary_log(), "low")
    train, test = log.split(0.25)
    quality = log.quality.copy()
    quality[test.queries.index] = 1.0 - quality[test.queries.index]
    flipped = hr.QueryLog(
        quality,
        log.cost,
        features=log.queries.features,
        signals=log.queries.signals,
        models=log.models,
    )
    for leak in (False, True):
        one, other = (
            hr.NoisyEstimator(calibrate_on=each if leak else None)
            .fit(each.rows(train.queries.index))
            .estimate(train.queries, [0])
            for each in (log, flipped)
        )
        assert np.array_equal(one.qualities, other.qualities) is not leak
        assert one.sigmas is not None
        assert other.sigmas is not None
        assert np.array_equal(one.sigmas, other.sigmas) is not leak


@pytest.mark.parametrize("fuse", [False, True])
def test_estimates_of_a_query_do_not_depend_on_others_nor_on_answers_not_given(fuse: bool) -> None:
    log = hr.add_noise(binary_log(), "medium")
    estimator = hr.NoisyEstimator(fuse=fuse).fit(log)
    together = estimator.estimate(log.queries, [1])
    alone = estimator.estimate(log.queries.rows([5]), [1])
    np.testing.assert_array_equal(alone.qualities, together.qualities[[5]])
    assert log.queries.signals is not None
    hidden = np.full_like(log.queries.signals, 7.0)
    hidden[:, 1] = log.queries.signals[:, 1]
    unseen = estimator.estimate(log.with_observed(signals=hidden).queries, [1])
    np.testing.assert_array_equal(unseen.qualities, together.qualities)


def test_permuting_models_permutes_everything() -> None:
    log, order = binary_log(), [2, 0, 1]
    permuted = hr.add_noise(log.subset(models=order), "low")
    log = hr.add_noise(log, "low")
    one = hr.NoisyEstimator(fuse=True).fit(log).estimate(log.queries, [2])
    two = hr.NoisyEstimator(fuse=True).fit(permuted).estimate(permuted.queries, [0])
    np.testing.assert_allclose(two.qualities, one.qualities[:, order])
    np.testing.assert_allclose(two.costs, one.costs[:, order])
    assert one.sigmas is not None
    assert two.sigmas is not None
    np.testing.assert_allclose(two.sigmas, one.sigmas[order])


def test_constant_columns_and_a_single_row() -> None:
    log = hr.QueryLog([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]], [0.1, 0.2])
    levels: list[Any] = ["low", (0.0, 0.0, 0.0)]
    for level in levels:
        noisy = hr.add_noise(log, level)
        for rows in ([0, 1, 2], [1]):
            train = noisy.rows(rows)
            estimates = hr.NoisyEstimator(fuse=True).fit(train).estimate(noisy.queries, [0])
            assert np.isfinite(estimates.qualities).all()
            np.testing.assert_allclose(estimates.qualities[:, 0], 1.0)
            np.testing.assert_allclose(estimates.costs, [[0.1, 0.2]] * 3)


def test_costs_are_not_negative() -> None:
    log = hr.QueryLog(np.ones((3, 1)), [[0.0], [0.1], [5.0]])
    train = hr.add_noise(log, (0.0, 0.0, 0.0))
    far = train.with_observed(features=[[1.0, -9.0]] * 3)
    assert np.all(hr.NoisyEstimator().fit(train).estimate(far.queries, []).costs == 0.0)


def test_bad_logs() -> None:
    log = binary_log()
    noisy = hr.add_noise(log, "low")
    hole = hr.QueryLog([[0.0, float("nan")]], [1.0, 2.0], models=["a", "b"])
    with pytest.raises(ValueError, match=r"add_noise needs every quality, .* 'b' is missing"):
        hr.add_noise(hole)
    with pytest.raises(ValueError, match="NoisyEstimator needs every quality"):
        hr.NoisyEstimator().fit(hole)
    with pytest.raises(ValueError, match=r"needs the 6 features .*, got None"):
        hr.NoisyEstimator().fit(log)
    with pytest.raises(ValueError, match=r"4 features .* got 6: choose models first"):
        hr.NoisyEstimator().fit(noisy.subset(models=[0, 1]))
    with pytest.raises(ValueError, match="signals of add_noise"):
        hr.NoisyEstimator().fit(noisy.with_observed(signals=np.zeros((log.n_queries, 3, 2))))
    with pytest.raises(ValueError, match="calibrate_on must have the models of the log"):
        hr.NoisyEstimator(calibrate_on=hr.add_noise(log.subset(models=[1, 0, 2]))).fit(noisy)
    with pytest.raises(ValueError, match="not fitted yet"):
        hr.NoisyEstimator().estimate(noisy.queries, [])
    with pytest.raises(ValueError, match="fitted on 3 models, got 2"):
        hr.NoisyEstimator().fit(noisy).estimate(noisy.subset(models=[0, 1]).queries, [])
    with pytest.raises(ValueError, match="different columns below 3, got"):
        hr.NoisyEstimator().fit(noisy).estimate(noisy.queries, [3])
    with pytest.raises(TypeError, match="fuse must be True or False"):
        hr.NoisyEstimator(fuse="yes").fit(noisy)  # type: ignore[arg-type]
