"""The user's own estimates are found by row, and refused where they do not reach."""

from __future__ import annotations

from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._estimators.protocol import Estimator

N, K = 5, 3
NAN = float("nan")


def log() -> hr.QueryLog:
    """Return 5 queries of 3 models."""
    return hr.QueryLog(np.zeros((N, K)), np.ones(K))


def good() -> dict[str, Any]:
    """Return valid arguments."""
    rng = np.random.default_rng(0)
    return {
        "qualities": rng.uniform(size=(N, K)),
        "costs": rng.uniform(size=(N, K)),
        "sigmas": rng.uniform(size=K),
        "post": rng.uniform(size=(N, K)),
    }


def test_rows_are_found_by_where_they_come_from() -> None:
    given = good()
    estimator = hr.PrecomputedEstimator(**given)
    assert isinstance(estimator, Estimator)
    assert estimator.fit(log()) is estimator
    part = log().rows([4, 1, 3]).rows([2, 0])
    estimates = estimator.estimate(part.queries, [1])
    rows = [3, 4]
    expected = given["qualities"][rows]
    expected[:, 1] = given["post"][rows, 1]
    np.testing.assert_array_equal(estimates.qualities, expected)
    np.testing.assert_array_equal(estimates.costs, given["costs"][rows])
    np.testing.assert_array_equal(estimates.sigmas, given["sigmas"] * [1.0, 0.0, 1.0])
    assert estimates.covariance is None


def test_shared_costs_own_sigmas_and_no_post() -> None:
    given = good() | {"costs": [1.0, 2.0, 3.0], "sigmas": np.full((N, K), 0.3), "post": None}
    estimates = hr.PrecomputedEstimator(**given).estimate(log().queries.rows([2]), [0, 2])
    assert estimates.costs.tolist() == [[1.0, 2.0, 3.0]]
    assert estimates.sigmas is not None
    assert estimates.sigmas.tolist() == [[0.0, 0.3, 0.0]]
    np.testing.assert_array_equal(estimates.qualities, given["qualities"][[2]])


def test_covariance() -> None:
    covariance = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.1, 1.0]])
    estimator = hr.PrecomputedEstimator(**good() | {"sigmas": None, "covariance": covariance})
    estimates = estimator.estimate(log().queries, [1])
    assert estimates.sigmas is None
    assert estimates.covariance is not None
    assert estimates.covariance.tolist() == [[1.0, 0.0, 0.2], [0.0, 0.0, 0.0], [0.2, 0.0, 1.0]]
    certain = hr.PrecomputedEstimator(**good() | {"sigmas": None}).estimate(log().queries, [])
    assert certain.sigmas is None
    assert certain.covariance is None


def test_neither_side_changes_the_arrays_of_the_other() -> None:
    given = good()
    estimator = hr.PrecomputedEstimator(**given)
    before = [array.copy() for array in given.values()]
    for field in vars(estimator.estimate(log().queries, [0])).values():
        if field is not None:
            field[...] = -1.0
    for array, copy in zip(given.values(), before, strict=True):
        np.testing.assert_array_equal(array, copy)
        array[...] = -1.0
    again = estimator.estimate(log().queries, [])
    np.testing.assert_array_equal(again.qualities, before[0])


def test_post_of_a_model_that_never_ran() -> None:
    post = good()["post"]
    post[3, 1] = NAN
    estimator = hr.PrecomputedEstimator(**good() | {"post": post})
    assert np.isfinite(estimator.estimate(log().queries, [0, 2]).qualities).all()
    with pytest.raises(ValueError, match=r"post is NaN at index \(3, 1\), where it is needed"):
        estimator.estimate(log().queries, [0, 1])


def test_logs_that_do_not_fit() -> None:
    estimator = hr.PrecomputedEstimator(**good())
    longer = hr.QueryLog(np.zeros((N + 2, K)), np.ones(K))
    with pytest.raises(ValueError, match=r"query 5 comes from row 5 of its log, .* of 5 rows"):
        estimator.fit(longer)
    with pytest.raises(ValueError, match="query 1 comes from row 6"):
        estimator.estimate(longer.queries.rows([0, 6]), [])
    with pytest.raises(ValueError, match="estimates of 3 models, got 2"):
        estimator.fit(log().subset(models=[0, 1]))
    with pytest.raises(ValueError, match="different columns below 3, got"):
        estimator.estimate(log().queries, [-1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"qualities": np.ones(K)}, ValueError, r"qualities must have shape \(n, k\).*\(3,\)"),
        ({"qualities": np.ones((0, K))}, ValueError, r"at least \(1, 1\), got \(0, 3\)"),
        ({"qualities": [["a"] * K] * N}, TypeError, "qualities must hold real numbers"),
        ({"costs": np.ones(N)}, ValueError, r"costs must have shape .*got \(5,\)"),
        ({"costs": [1.0, -1.0, 1.0]}, ValueError, "costs must not be negative, got -1.0"),
        ({"costs": [1.0, NAN, 1.0]}, ValueError, "costs must be finite, got nan at index 1"),
        ({"sigmas": np.ones(N)}, ValueError, "sigmas must have shape"),
        ({"sigmas": [0.1, 0.1, -0.1]}, ValueError, "sigmas must not be negative"),
        ({"covariance": np.eye(K)}, ValueError, "sigmas and covariance exclude each other"),
        ({"sigmas": None, "covariance": -np.eye(K)}, ValueError, "positive semi-definite"),
        ({"sigmas": None, "covariance": np.ones(K)}, ValueError, r"\(k, k\) = \(3, 3\)"),
        ({"post": np.ones((K, N))}, ValueError, "post must have shape"),
        ({"post": np.full((N, K), np.inf)}, ValueError, "post must be finite"),
        ({"post": [["a"] * K] * N}, TypeError, "post must hold real numbers"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hr.PrecomputedEstimator(**good() | change)
