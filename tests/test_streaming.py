"""Routing and index decide rows as they come from memory, and check their values on the way."""

from __future__ import annotations

from typing import Any

import headrace
import numpy as np
import pytest
from cases import ANSWERS

N, K = 700, 37

LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 261]
"""Models around the ends of vectors and blocks."""


def batch(rng: np.random.Generator, n: int, k: int, on_grid: bool) -> dict[str, Any]:
    """Return a random batch; on a grid of eighths everything ties."""

    def numbers(*shape: int) -> Any:
        drawn = rng.random(shape)
        return np.round(8.0 * drawn) / 8.0 if on_grid else drawn

    return {
        "qualities": numbers(n, k),
        "costs": numbers(n, k),
        "lambda_": numbers(n),
        "sigmas": 0.3 * numbers(n, k),
        "ran": (rng.random((n, k)) < 0.1) & (np.arange(k) > 0),
    }


@pytest.mark.parametrize("strategy", ["routing", "index"])
@pytest.mark.parametrize("ties", ["cheapest", "dearest"])
@pytest.mark.parametrize("on_grid", [False, True])
def test_rows_of_every_length(strategy: str, ties: str, on_grid: bool, backend: str) -> None:
    rng = np.random.default_rng(7)
    for k in LENGTHS:
        given = batch(rng, 12, k, on_grid)
        for left_out in ({}, {"ran": None}, {"ran": None, "sigmas": None}):
            arguments: dict[str, Any] = given | left_out | {"strategy": strategy, "ties": ties}
            expected = headrace.batch_select(**arguments, backend="reference")
            selection = headrace.batch_select(**arguments, backend=backend)
            for name in ANSWERS:
                if name == "upper_bound":
                    bound, least = getattr(selection, name), getattr(expected, name)
                    np.testing.assert_allclose(bound, least, rtol=1e-11, atol=1e-11)
                else:
                    np.testing.assert_array_equal(
                        getattr(selection, name), getattr(expected, name), name
                    )


@pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e9, 1e100])
def test_extreme_scales(scale: float, backend: str) -> None:
    rng = np.random.default_rng(8)
    given = batch(rng, 50, K, False)
    for name in ("qualities", "costs", "sigmas"):
        given[name] *= scale
    for strategy in ("routing", "index"):
        expected = headrace.batch_select(**given, strategy=strategy, backend="reference")
        selection = headrace.batch_select(**given, strategy=strategy, backend=backend)
        np.testing.assert_array_equal(selection.supermodel, expected.supermodel)
        np.testing.assert_array_equal(selection.tradeoff, expected.tradeoff)


FAULTS: list[tuple[str, tuple[int, ...], float, str]] = [
    ("qualities", (N - 1, K - 1), float("nan"), rf"qualities .*finite, got nan .*\({N - 1}, 36\)"),
    ("qualities", (300, 0), float("-inf"), r"qualities .*finite, got -inf .*\(300, 0\)"),
    ("qualities", (0, 16), -1e101, r"qualities .*1e\+100.*\(0, 16\)"),
    ("costs", (N - 1, 33), float("nan"), rf"costs .*finite, got nan .*\({N - 1}, 33\)"),
    ("costs", (5, 36), -5e-324, r"costs .*not be negative, got -5e-324 .*\(5, 36\)"),
    ("costs", (5, 7), 1e101, r"costs .*1e\+100.*\(5, 7\)"),
    ("lambda_", (N - 2,), -1.0, rf"lambda_ .*not be negative.* {N - 2}"),
    ("lambda_", (N - 2,), float("nan"), rf"lambda_ .*finite.* {N - 2}"),
    ("sigmas", (N - 1, 2), -0.5, rf"sigmas .*not be negative.*\({N - 1}, 2\)"),
    ("sigmas", (1, 2), float("inf"), r"sigmas .*finite.*\(1, 2\)"),
]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("name", "index", "value", "message"), FAULTS)
def test_a_fault_anywhere(
    name: str,
    index: tuple[int, ...],
    value: float,
    message: str,
    n_threads: int,
    backend: str,
    plan: tuple[str, str],
) -> None:
    given = batch(np.random.default_rng(9), N, K, False)
    given[name][index] = value
    strategy, search = plan
    for left_out in ({}, {"ran": None}):
        with pytest.raises(ValueError, match=message):
            headrace.batch_select(
                **(given | left_out),
                strategy=strategy,
                search=search,
                n_samples=8,
                n_threads=n_threads,
                backend=backend,
            )


def test_all_run_in_a_late_row(backend: str, plan: tuple[str, str]) -> None:
    given = batch(np.random.default_rng(10), N, K, False)
    given["ran"][N - 3] = True
    with pytest.raises(ValueError, match=rf"ran: all {K} models have run in row {N - 3}"):
        headrace.batch_select(
            **given, strategy=plan[0], search=plan[1], n_samples=8, backend=backend
        )


def test_negative_zero_is_not_negative(backend: str) -> None:
    selection = headrace.batch_select(
        [[0.5, 0.25]], [-0.0, 1.0], -0.0, sigmas=[-0.0, 0.0], strategy="index", backend=backend
    )
    assert selection.next_model[0] == 0


@pytest.mark.parametrize(
    "later",
    [
        {"strategy": "rooting"},
        {"sigmas": np.ones(3)},
        {"max_depth": 0},
        {"covariance": np.eye(K)},
        {"n_samples": 7.5},
        {"search": "exhaustive"},
        {"ran": np.ones((N, K), bool)},
    ],
)
def test_faults_come_in_the_order_of_the_signature(later: dict[str, Any], backend: str) -> None:
    """A number in the costs comes before what is wrong with an option, and after a shape."""
    given = batch(np.random.default_rng(11), N, K, False) | later | {"backend": backend}
    given["costs"][3, 4] = -1.0
    with pytest.raises(ValueError, match=r"costs .*not be negative, got -1.0 at index \(3, 4\)"):
        headrace.batch_select(**given)
    given["qualities"] = given["qualities"][:, :-1]
    with pytest.raises(ValueError, match=r"costs must have shape"):
        headrace.batch_select(**given)
    given["qualities"][2, 1] = np.nan
    with pytest.raises(ValueError, match=r"qualities must be finite, got nan at index \(2, 1\)"):
        headrace.batch_select(**given)
