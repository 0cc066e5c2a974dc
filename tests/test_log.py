"""A log keeps what it is given, refuses what cannot be meant, and splits fairly."""

from __future__ import annotations

from typing import Any

import headrace as hr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

N, K = 4, 3
NAN, INF = float("nan"), float("inf")


def good() -> dict[str, Any]:
    """Return every argument for 4 queries of 3 models."""
    rng = np.random.default_rng(0)
    return {
        "quality": rng.uniform(size=(N, K)),
        "cost": rng.uniform(size=(N, K)),
        "features": rng.normal(size=(N, 2)),
        "signals": rng.normal(size=(N, K, 2)),
        "latency": rng.uniform(0.5, 1.0, size=(N, K)),
        "first_token_latency": rng.uniform(0.0, 0.5, size=(N, K)),
        "models": ["a", "b", "c"],
        "groups": ["x", "y", "x", "y"],
    }


def at(shape: tuple[int, ...], index: tuple[int, ...], value: float) -> Any:
    """Return an array of halves with one entry of its own."""
    array = np.full(shape, 0.5)
    array[index] = value
    return array


def log_of(n: int, groups: Any = None) -> hr.QueryLog:
    """Return a log whose quality tells rows and models apart."""
    return hr.QueryLog(np.arange(2.0 * n).reshape(n, 2), [1.0, 2.0], groups=groups)


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("quality 1d", {"quality": [0.5]}, ValueError, r"quality .*2 dimensions, got shape \(1,\)"),
    ("quality ragged", {"quality": [[1.0], [1.0, 2.0]]}, ValueError, "quality "),
    ("no queries", {"quality": np.zeros((0, K))}, ValueError, r"at least one query.*\(0, 3\)"),
    ("no models", {"quality": np.zeros((N, 0))}, ValueError, r"one query and model, got \(4, 0\)"),
    ("quality infinite", {"quality": at((N, K), (1, 2), INF)}, ValueError, r"inf at .*\(1, 2\)"),
    (
        "cost large",
        {"cost": [1.0, 2e100, 1.0]},
        ValueError,
        r"cost must not exceed 1e\+100 .*2e\+100",
    ),
    (
        "features large",
        {"features": at((N, 1), (3, 0), -1e200)},
        ValueError,
        r"features must not exceed .* got -1e\+200 at index \(3, 0\)",
    ),
    ("quality str", {"quality": [["a"] * K] * N}, TypeError, "quality .*dtype <U1"),
    ("quality object", {"quality": np.full((N, K), None)}, TypeError, "quality .*dtype object"),
    ("quality complex", {"quality": np.ones((N, K), complex)}, TypeError, "quality .*complex128"),
    (
        "quality masked",
        {"quality": np.ma.masked_equal(at((N, K), (2, 1), 7.0), 7.0)},
        ValueError,
        r"quality has a masked entry at index \(2, 1\)",
    ),
    ("cost short", {"cost": [1.0, 2.0]}, ValueError, r"cost .*\(4, 3\), got \(2,\)"),
    ("cost of one", {"cost": 1.0}, ValueError, r"cost must have 1 or 2 dimensions, got shape \(\)"),
    ("cost by query", {"cost": np.ones((N, 1))}, ValueError, r"cost .*\(4, 3\), got \(4, 1\)"),
    ("cost NaN", {"cost": at((N, K), (3, 0), NAN)}, ValueError, r"cost is NaN at index \(3, 0\)"),
    ("cost NaN, shared", {"cost": [1.0, NAN, 1.0]}, ValueError, r"cost is NaN at index \(0, 1\)"),
    ("cost negative", {"cost": at((N, K), (0, 2), -1.0)}, ValueError, r"cost .*-1.0 .*\(0, 2\)"),
    ("latency 1d", {"latency": np.ones(K)}, ValueError, "latency must have 2 dimensions"),
    ("latency shape", {"latency": np.ones((K, N))}, ValueError, r"latency .*got \(3, 4\)"),
    ("latency NaN", {"latency": at((N, K), (1, 1), NAN)}, ValueError, r"latency is NaN .*\(1, 1\)"),
    ("latency negative", {"latency": at((N, K), (1, 1), -2.0)}, ValueError, "latency .*negative"),
    (
        "first token late",
        {"first_token_latency": at((N, K), (2, 1), 3.0)},
        ValueError,
        r"must not be above the latency, got 3.0 above 0.\d+ at index \(2, 1\)",
    ),
    ("first token alone", {"latency": None}, ValueError, "needs the latency of the whole"),
    ("features 1d", {"features": np.ones(N)}, ValueError, "features must have 2 dimensions"),
    ("features short", {"features": np.ones((K, 2))}, ValueError, r"\(4, d\), got \(3, 2\)"),
    ("features NaN", {"features": at((N, 2), (2, 0), NAN)}, ValueError, r"nan at index \(2, 0\)"),
    ("signals 1d", {"signals": np.ones(N)}, ValueError, "signals must have 2 or 3 dimensions"),
    ("signals shape", {"signals": np.ones((N, 2))}, ValueError, r"\(4, 3, m\), got \(4, 2\)"),
    (
        "signals NaN",
        {"signals": at((N, K, 2), (1, 2, 0), NAN)},
        ValueError,
        r"signals is NaN at index \(1, 2\)",
    ),
    ("groups short", {"groups": ["x"]}, ValueError, r"groups .*\(4,\), got \(1,\)"),
    ("groups 2d", {"groups": [["x"]] * N}, ValueError, r"groups .*got \(4, 1\)"),
    ("groups empty", {"groups": ["x", "y", " ", "y"]}, ValueError, "an empty label at index 2"),
    ("groups None", {"groups": ["x", None, "x", "x"]}, ValueError, "no label at index 1"),
    ("groups NaN", {"groups": [0.0, 1.0, NAN, 1.0]}, ValueError, "no label at index 2"),
    (
        "groups mixed",
        {"groups": np.array(["x", 1, "y", 2], dtype=object)},
        TypeError,
        "groups must hold labels of one kind",
    ),
    ("one name", {"models": "abc"}, TypeError, "got the name 'abc'"),
    ("names short", {"models": ["a", "b"]}, ValueError, "models must name 3 models, got 2"),
    ("empty bytes", {"groups": [b"x", b"", b"y", b"y"]}, ValueError, "an empty label at index 1"),
    (
        "unsigned beyond",
        {"groups": np.array([0, 2**63, 1, 1], dtype=np.uint64)},
        ValueError,
        r"below 2\*\*63, got 9223372036854775808 at index 1",
    ),
    ("no name", {"models": ["a", " ", "c"]}, ValueError, "names that are not empty"),
    ("names twice", {"models": ["a", "b", "a"]}, ValueError, "different names, got 'a' twice"),
    ("names of numbers", {"models": [1, 2, 3]}, TypeError, "models must be names, got 1"),
]


@pytest.mark.parametrize(("change", "error", "message"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_bad_input(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hr.QueryLog(**good() | change)


def test_arguments_are_kept() -> None:
    given = good()
    log = hr.QueryLog(**given)
    assert (log.n_queries, log.n_models, log.models) == (N, K, ("a", "b", "c"))
    assert log.complete
    for name in ("quality", "cost", "latency", "first_token_latency"):
        np.testing.assert_array_equal(getattr(log, name), given[name])
    known = log.queries
    assert len(known) == N
    np.testing.assert_array_equal(known.index, np.arange(N))
    for name in ("features", "signals", "groups"):
        np.testing.assert_array_equal(getattr(known, name), given[name])


def test_shared_costs_one_signal_and_default_names() -> None:
    log = hr.QueryLog(np.ones((2, 3), dtype=bool), [1, 2, 3], signals=np.zeros((2, 3)))
    assert log.cost.tolist() == [[1.0, 2.0, 3.0]] * 2
    assert log.quality.dtype == np.float64
    assert log.models == ("model 0", "model 1", "model 2")
    assert log.queries.signals is not None
    assert log.queries.signals.shape == (2, 3, 1)


def test_the_log_does_not_change_with_the_arrays_it_was_made_of() -> None:
    given = good() | {"groups": np.array(["x", "y", "x", "y"])}
    log = hr.QueryLog(**given)
    whole = hr.QueryLog(**good())
    parts = log.rows([0, 1, 2, 3]), log.subset(models=["a", "b", "c"]), log.with_observed()
    for name in (
        "quality",
        "cost",
        "features",
        "signals",
        "latency",
        "first_token_latency",
        "groups",
    ):
        given[name][...] = "z" if name == "groups" else -9.0
    given["models"][0] = "z"
    with pytest.raises(ValueError, match="read-only"):
        log.quality[...] = -9.0
    for part in parts:
        np.testing.assert_array_equal(part.quality, whole.quality)
    for name in ("cost", "latency", "first_token_latency"):
        np.testing.assert_array_equal(getattr(log, name), getattr(whole, name))
    for name in ("features", "signals", "groups"):
        np.testing.assert_array_equal(getattr(log.queries, name), getattr(whole.queries, name))
    assert log.models == whole.models


def test_missing_cells() -> None:
    hole = at((N, K), (1, 2), NAN)
    log = hr.QueryLog(hole, hole, latency=hole, signals=hole)
    assert not log.complete
    assert log.rows([0, 2, 3]).complete
    assert log.subset(models=[0, 1]).complete


def test_rows() -> None:
    log = hr.QueryLog(**good())
    assert log.rows([2, 0, 2]).queries.index.tolist() == [2, 0, 2]
    masked = log.rows(np.array([False, True, False, True])).rows([1])
    assert masked.queries.index.tolist() == [3]
    np.testing.assert_array_equal(masked.quality, log.quality[[3]])
    assert masked.queries.groups is not None
    assert masked.queries.groups.tolist() == ["y"]
    assert log.queries.rows([1, 3]).rows([False, True]).index.tolist() == [3]


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        ([], ValueError, r"one or more positions, got shape \(0,\)"),
        (1, ValueError, r"got shape \(\)"),
        ([0, N], ValueError, r"rows must be in 0 to 3, got 4 at index 1"),
        ([-1], ValueError, "rows must be in 0 to 3, got -1"),
        ([0.0], TypeError, "positions or a mask, got dtype float64"),
        ([True], ValueError, r"mask must have shape \(4,\), got \(1,\)"),
        ([False] * N, ValueError, "one or more positions"),
    ],
)
def test_bad_rows(chosen: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hr.QueryLog(**good()).rows(chosen)


def test_subset_by_names_and_columns() -> None:
    log = hr.QueryLog(**good())
    part = log.subset(models=["c", 0])
    assert part.models == ("c", "a")
    assert part.queries.n_models == 2
    for name in ("quality", "cost", "latency", "first_token_latency"):
        np.testing.assert_array_equal(getattr(part, name), getattr(log, name)[:, [2, 0]])
    assert part.queries.signals is not None
    assert log.queries.signals is not None
    np.testing.assert_array_equal(part.queries.signals, log.queries.signals[:, [2, 0]])
    np.testing.assert_array_equal(part.queries.features, log.queries.features)
    assert log.model_index("b") == log.model_index(1) == 1


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        (["d"], ValueError, r"unknown model 'd': the log has \['a', 'b', 'c'\]"),
        ([3], ValueError, "model 3 is not in a log of 3 models"),
        ([-1], ValueError, "model must be at least 0, got -1"),
        ([True], TypeError, "model must be an integer"),
        ([], ValueError, r"at least one, got \[\]"),
        (["a", 0], ValueError, "must be different ones"),
        ("a", TypeError, "got the name 'a'"),
    ],
)
def test_bad_subset(models: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hr.QueryLog(**good()).subset(models=models)


@given(
    groups=st.lists(st.sampled_from("abc"), min_size=2, max_size=60),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_split(groups: list[str], share: float, seed: int) -> None:
    log = log_of(len(groups), groups)
    parts = log.split(share, seed=seed)
    rows = [part.queries.index.tolist() for part in parts]
    assert sorted(rows[0] + rows[1]) == list(range(len(groups)))
    assert all(part == sorted(part) and part for part in rows)
    assert abs(len(rows[0]) - share * len(groups)) <= 1.0
    for group in set(groups):
        members = [row for row, label in enumerate(groups) if label == group]
        assert abs(len(set(members) & set(rows[0])) - share * len(members)) < 2.0
    again = log.split(share, seed=seed)
    assert [part.queries.index.tolist() for part in again] == rows


def test_split_is_random_with_and_without_groups() -> None:
    for groups in (None, ["a", "b"] * 20):
        log = log_of(40, groups)
        first = {tuple(log.split(0.5, seed=seed)[0].queries.index) for seed in range(5)}
        assert len(first) == 5


def test_bad_split() -> None:
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="share must be between 0 and 1"):
            log_of(4).split(share)
    for other, words in (
        (-0.5, "not be negative"),
        (NAN, "be finite"),
        ("half", "hold real numbers"),
    ):
        with pytest.raises((ValueError, TypeError), match=f"share must {words}"):
            log_of(4).split(other)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one query cannot be split"):
        log_of(1).split(0.5)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        log_of(4).split(0.5, seed=-1)


def test_with_observed_keeps_where_rows_come_from() -> None:
    log = hr.QueryLog(**good()).rows([3, 1]).with_observed(features=[[1.0], [2.0]])
    assert log.queries.index.tolist() == [3, 1]
    assert log.queries.features is not None
    assert log.queries.features.tolist() == [[1.0], [2.0]]
    assert log.queries.signals is not None
    with pytest.raises(ValueError, match="signals"):
        log.with_observed(signals=np.ones((2, 9)))


def test_repr() -> None:
    assert repr(log_of(4)) == "<QueryLog: 4 queries, 2 models>"
    assert repr(hr.QueryLog(**good())) == (
        "<QueryLog: 4 queries, 3 models, 2 features, 2 signals, 2 groups>"
    )
