"""Every faulty argument raises before any work, and the message says what and where."""

from __future__ import annotations

import copy
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import headrace
import numpy as np
import pytest
from headrace import _check

N, K = 3, 4

INFINITE = float("inf")
MISSING = float("nan")


def good() -> dict[str, Any]:
    """Return valid arguments for 3 queries of 4 models."""
    rng = np.random.default_rng(0)
    return {
        "qualities": rng.uniform(size=(N, K)),
        "costs": rng.uniform(size=K),
        "lambda_": 0.1,
        "sigmas": np.full(K, 0.2),
        "n_samples": 16,
        "backend": "reference",
    }


def at(shape: tuple[int, ...], index: tuple[int, ...], value: float, fill: float = 0.5) -> Any:
    """Return an array with one entry of its own."""
    array = np.full(shape, fill)
    array[index] = value
    return array


def matrix(index: tuple[int, int], value: float, both: bool = True) -> Any:
    """Return the identity with an entry (and its mirror image) changed."""
    array = np.eye(K)
    array[index] = value
    if both:
        array[index[::-1]] = value
    return array


ROW_1_RUN = np.array([[False] * K, [True] * K, [True] * K])
INDEFINITE = matrix((1, 0), 2.0)
LOPSIDED = matrix((2, 1), 0.25, both=False)

# A name, the arguments in place of the good ones, the exception and its message.
Row = tuple[str, dict[str, Any], type[Exception], str]

SHAPES: list[Row] = [
    ("qualities 1d", {"qualities": np.zeros(K)}, ValueError, r"qualities .*shape \(n, k\).*\(4,\)"),
    ("qualities 0d", {"qualities": 0.5}, ValueError, r"qualities .*shape \(n, k\).*\(\)"),
    ("qualities 3d", {"qualities": np.zeros((1, 2, 3))}, ValueError, r"qualities .*\(1, 2, 3\)"),
    ("qualities ragged", {"qualities": [[1.0, 2.0], [1.0]]}, ValueError, "qualities "),
    ("no models", {"qualities": np.zeros((N, 0))}, ValueError, "qualities .*got 0"),
    (
        "no models at all",
        {"qualities": np.zeros((0, 0)), "costs": np.zeros(0), "sigmas": None},
        ValueError,
        "qualities .*got 0",
    ),
    ("too many models", {"qualities": np.zeros((1, 4097))}, ValueError, "4096 .*4097"),
    (
        "costs short",
        {"costs": np.ones(K - 1)},
        ValueError,
        r"costs .*shape .*\(3, 4\) or .*\(4,\), got \(3,\)",
    ),
    ("costs (n, 1)", {"costs": np.ones((N, 1))}, ValueError, r"costs .*\(3, 4\).*got \(3, 1\)"),
    ("costs (1, k)", {"costs": np.ones((1, K))}, ValueError, r"costs .*\(3, 4\).*got \(1, 4\)"),
    ("costs transposed", {"costs": np.ones((K, N))}, ValueError, r"costs .*got \(4, 3\)"),
    ("costs 0d", {"costs": 1.0}, ValueError, r"costs .*got \(\)"),
    ("lambda_ long", {"lambda_": np.ones(K)}, ValueError, r"lambda_ .*\(3,\), got \(4,\)"),
    ("lambda_ 2d", {"lambda_": np.ones((N, 1))}, ValueError, r"lambda_ .*got \(3, 1\)"),
    ("sigmas short", {"sigmas": np.ones(N)}, ValueError, r"sigmas .*\(4,\) .*got \(3,\)"),
    ("sigmas 0d", {"sigmas": 0.1}, ValueError, r"sigmas .*got \(\)"),
    (
        "covariance 1d",
        {"sigmas": None, "covariance": np.ones(K)},
        ValueError,
        r"covariance .*\(4, 4\) or .*\(3, 4, 4\), got \(4,\)",
    ),
    (
        "covariance of other queries",
        {"sigmas": None, "covariance": np.broadcast_to(np.eye(K), (2, K, K))},
        ValueError,
        r"covariance .*got \(2, 4, 4\)",
    ),
    ("ran (k,)", {"ran": np.zeros(K, bool)}, ValueError, r"ran .*\(3, 4\), got \(4,\)"),
    ("ran other", {"ran": np.zeros((N, 2), bool)}, ValueError, r"ran .*\(3, 4\), got \(3, 2\)"),
    ("samples transposed", {"samples": np.zeros((16, K))}, ValueError, r"samples .*got \(16, 4\)"),
    ("samples 1d", {"samples": np.zeros(K)}, ValueError, r"samples .*got \(4,\)"),
    ("samples none", {"samples": np.zeros((K, 0))}, ValueError, r"samples .*got \(4, 0\)"),
    (
        "too many samples",
        {"samples": np.broadcast_to(0.0, (K, 2**16 + 1))},
        ValueError,
        r"samples .*65536.*got \(4, 65537\)",
    ),
    (
        "size overflows",
        {
            "qualities": np.broadcast_to(np.int8(0), (2**50, 4096)),
            "costs": np.ones(4096),
            "sigmas": None,
        },
        ValueError,
        "qualities .*too large",
    ),
]

TYPES: list[Row] = [
    ("qualities str", {"qualities": [["a"] * K] * N}, TypeError, "qualities .*dtype <U1"),
    ("qualities object", {"qualities": np.full((N, K), None)}, TypeError, "qualities .*object"),
    ("qualities bool", {"qualities": np.ones((N, K), bool)}, TypeError, "qualities .*dtype bool"),
    (
        "qualities complex",
        {"qualities": np.ones((N, K), complex)},
        TypeError,
        "qualities .*dtype complex128",
    ),
    (
        "qualities longdouble",
        {"qualities": np.ones((N, K), np.longdouble)},
        TypeError,
        "qualities .*dtype (float128|float96|longdouble)",
    ),
    (
        "qualities datetime",
        {"qualities": np.zeros((N, K), "datetime64[s]")},
        TypeError,
        "qualities .*dtype datetime64",
    ),
    ("costs str", {"costs": ["1"] * K}, TypeError, "costs .*dtype <U1"),
    ("costs complex", {"costs": np.ones(K) * 1j}, TypeError, "costs .*complex128"),
    ("costs bool", {"costs": [True] * K}, TypeError, "costs .*dtype bool"),
    ("costs None", {"costs": None}, TypeError, "costs .*dtype object"),
    ("lambda_ str", {"lambda_": "0.1"}, TypeError, "lambda_ .*dtype <U3"),
    ("lambda_ None", {"lambda_": None}, TypeError, "lambda_ .*dtype object"),
    ("lambda_ bool", {"lambda_": True}, TypeError, "lambda_ .*dtype bool"),
    ("sigmas object", {"sigmas": np.full(K, None)}, TypeError, "sigmas .*dtype object"),
    ("sigmas longdouble", {"sigmas": np.ones(K, np.longdouble)}, TypeError, "sigmas .*dtype"),
    (
        "covariance complex",
        {"sigmas": None, "covariance": np.eye(K) + 0j},
        TypeError,
        "covariance .*complex128",
    ),
    ("samples int str", {"samples": [["0"]] * K}, TypeError, "samples .*dtype <U1"),
    ("samples complex", {"samples": np.ones((K, 8)) + 0j}, TypeError, "samples .*complex128"),
    ("ran int", {"ran": np.zeros((N, K), int)}, TypeError, "ran .*bool.*dtype int"),
    ("ran float", {"ran": np.zeros((N, K))}, TypeError, "ran .*bool.*dtype float64"),
    ("max_depth float", {"max_depth": 2.0}, TypeError, "max_depth .*integer.*2.0"),
    ("max_depth bool", {"max_depth": True}, TypeError, "max_depth .*integer.*True"),
    ("fixed_order int", {"fixed_order": 1}, TypeError, "fixed_order .*True or False.*1"),
    ("fixed_order None", {"fixed_order": None}, TypeError, "fixed_order .*None"),
    ("n_samples float", {"n_samples": 16.0}, TypeError, "n_samples .*integer.*16.0"),
    ("n_samples None", {"n_samples": None}, TypeError, "n_samples .*integer.*None"),
    ("seed float", {"seed": 1.5}, TypeError, "seed .*integer.*1.5"),
    ("seed None", {"seed": None}, TypeError, "seed .*integer.*None"),
    ("node_limit float", {"node_limit": 1e3}, TypeError, "node_limit .*integer"),
    ("time_limit str", {"time_limit": "1"}, TypeError, "time_limit .*dtype <U1"),
    ("time_limit 2**70", {"time_limit": 2**70}, TypeError, "time_limit .*dtype object"),
    ("qualities 2**70", {"qualities": [[2**70] * K] * N}, TypeError, "qualities .*dtype object"),
    ("time_limit bool", {"time_limit": True}, TypeError, "time_limit .*bool"),
    ("n_threads float", {"n_threads": 2.0}, TypeError, "n_threads .*integer"),
    ("n_threads bool", {"n_threads": True}, TypeError, "n_threads .*integer"),
    ("strategy None", {"strategy": None}, TypeError, "strategy .*'cascade_routing'.*None"),
    ("search int", {"search": 3}, TypeError, "search .*'exact'.*3"),
    ("ties None", {"ties": None}, TypeError, "ties .*'cheapest'.*None"),
]

VALUES: list[Row] = [
    (
        "qualities nan",
        {"qualities": at((N, K), (1, 2), MISSING)},
        ValueError,
        r"qualities .*finite.*nan .*\(1, 2\)",
    ),
    (
        "qualities inf",
        {"qualities": at((N, K), (2, 3), -INFINITE)},
        ValueError,
        r"qualities .*finite.*-inf .*\(2, 3\)",
    ),
    (
        "first of two faults",
        {"qualities": at((N, K), (slice(1, 3), 1), INFINITE)},  # type: ignore[arg-type]
        ValueError,
        r"qualities .*\(1, 1\)",
    ),
    (
        "qualities huge",
        {"qualities": at((N, K), (0, 1), -1e101)},
        ValueError,
        r"qualities .*1e\+100.*-1e\+101 .*\(0, 1\)",
    ),
    (
        "qualities float32 inf",
        {"qualities": at((N, K), (0, 1), INFINITE).astype(np.float32)},
        ValueError,
        r"qualities .*finite.*\(0, 1\)",
    ),
    (
        "qualities masked",
        {"qualities": np.ma.masked_greater(at((N, K), (1, 3), 9.0), 1.0)},
        ValueError,
        r"qualities .*mask.*\(1, 3\)",
    ),
    (
        "qualities inexact",
        {"qualities": np.array([[1, 2, 3, 2**53 + 1]] * N)},
        ValueError,
        r"qualities .*exact.*\(0, 3\)",
    ),
    ("costs nan", {"costs": at((K,), (2,), MISSING)}, ValueError, "costs .*finite.*nan .*index 2"),
    (
        "costs inf",
        {"costs": at((N, K), (1, 2), INFINITE)},
        ValueError,
        r"costs .*finite.*inf .*\(1, 2\)",
    ),
    (
        "costs negative",
        {"costs": at((K,), (3,), -1.0)},
        ValueError,
        "costs .*not be negative.*-1.0 .*index 3",
    ),
    (
        "cost negative in a row",
        {"costs": at((N, K), (2, 1), -0.25)},
        ValueError,
        r"costs .*not be negative.*-0.25 .*\(2, 1\)",
    ),
    ("lambda_ nan", {"lambda_": MISSING}, ValueError, "lambda_ .*finite.*nan"),
    (
        "lambda_ inf",
        {"lambda_": at((N,), (1,), INFINITE)},
        ValueError,
        "lambda_ .*finite.*index 1",
    ),
    ("lambda_ negative", {"lambda_": -0.5}, ValueError, "lambda_ .*not be negative.*-0.5"),
    (
        "lambda_ negative in a row",
        {"lambda_": at((N,), (2,), -0.5)},
        ValueError,
        "lambda_ .*not be negative.*-0.5 .*index 2",
    ),
    ("lambda_ huge", {"lambda_": 1e101}, ValueError, r"lambda_ .*1e\+100"),
    (
        "sigmas negative",
        {"sigmas": at((K,), (1,), -0.5)},
        ValueError,
        "sigmas .*not be negative.*-0.5 .*index 1",
    ),
    (
        "sigmas nan",
        {"sigmas": at((N, K), (0, 3), MISSING)},
        ValueError,
        r"sigmas .*finite.*\(0, 3\)",
    ),
    (
        "covariance nan",
        {"sigmas": None, "covariance": matrix((2, 0), MISSING)},
        ValueError,
        r"covariance .*finite.*\(0, 2\)",
    ),
    (
        "covariance asymmetric",
        {"sigmas": None, "covariance": LOPSIDED},
        ValueError,
        r"covariance .*symmetric.*(0.25 at \(2, 1\)|\(1, 2\).*0.25)",
    ),
    (
        "covariance asymmetric in a row",
        {"sigmas": None, "covariance": np.stack([np.eye(K), LOPSIDED, LOPSIDED])},
        ValueError,
        r"covariance\[1\] .*symmetric",
    ),
    (
        "covariance indefinite",
        {"sigmas": None, "covariance": INDEFINITE},
        ValueError,
        "covariance .*semi-?definite.*-1",
    ),
    (
        "covariance indefinite in a row",
        {"sigmas": None, "covariance": np.stack([np.eye(K), np.eye(K), INDEFINITE])},
        ValueError,
        r"covariance\[2\] .*semi-?definite",
    ),
    (
        "variance negative",
        {"sigmas": None, "covariance": matrix((3, 3), -1.0)},
        ValueError,
        "covariance .*semi-?definite",
    ),
    (
        "certain but correlated",
        {"sigmas": None, "covariance": matrix((0, 0), 0.0) + matrix((1, 0), 0.5) - np.eye(K)},
        ValueError,
        "covariance .*semi-?definite",
    ),
    (
        "sigmas and covariance",
        {"covariance": np.eye(K)},
        ValueError,
        "sigmas and covariance exclude",
    ),
    ("all models run", {"ran": ROW_1_RUN}, ValueError, "ran.* all .*row 1"),
    (
        "samples nan",
        {"samples": at((K, 8), (3, 5), MISSING)},
        ValueError,
        r"samples .*finite.*nan .*\(3, 5\)",
    ),
    (
        "samples nan without uncertainty",
        {"sigmas": None, "samples": at((K, 8), (3, 5), MISSING)},
        ValueError,
        r"samples .*finite.*nan .*\(3, 5\)",
    ),
    ("n_samples 0", {"n_samples": 0}, ValueError, "n_samples .*0"),
    ("n_samples -8", {"n_samples": -8}, ValueError, "n_samples .*-8"),
    ("n_samples 100", {"n_samples": 100}, ValueError, "n_samples .*power of two.*100"),
    (
        "n_samples 2**70",
        {"n_samples": 2**70},
        ValueError,
        "n_samples .*65536.*1180591620717411303424",
    ),
    ("n_samples 2**17", {"n_samples": 2**17}, ValueError, "n_samples .*65536.*131072"),
    ("seed -2**70", {"seed": -(2**70)}, ValueError, "seed .*-1180591620717411303424"),
    ("seed negative", {"seed": -1}, ValueError, "seed .*-1"),
    ("max_depth 0", {"max_depth": 0}, ValueError, "max_depth .*at least 1.*0"),
    ("n_threads 0", {"n_threads": 0}, ValueError, "n_threads .*at least 1.*0"),
    ("n_threads -1", {"n_threads": -1}, ValueError, "n_threads .*at least 1.*-1"),
    ("node_limit 0", {"node_limit": 0}, ValueError, "node_limit .*at least 1.*0"),
    ("time_limit 0", {"time_limit": 0.0}, ValueError, "time_limit .*above 0"),
    ("time_limit negative", {"time_limit": -1.0}, ValueError, "time_limit .*-1.0"),
    ("time_limit nan", {"time_limit": MISSING}, ValueError, "time_limit .*finite"),
    ("time_limit shape", {"time_limit": [1.0, 2.0]}, ValueError, "time_limit .*shape"),
]

OPTIONS: list[Row] = [
    (
        "strategy",
        {"strategy": "random"},
        ValueError,
        "strategy 'random'.*'routing'.*'cascade'.*'cascade_routing'.*'index'",
    ),
    ("search", {"search": "fast"}, ValueError, "search 'fast'.*'exact'.*'greedy'.*'exhaustive'"),
    ("ties", {"ties": "any"}, ValueError, "ties 'any'.*'cheapest'.*'dearest'"),
    ("backend", {"backend": "gpu"}, ValueError, "backend 'gpu'.*'cpp'.*'numba'.*'reference'"),
    (
        "index with covariance",
        {"strategy": "index", "sigmas": None, "covariance": np.eye(K)},
        ValueError,
        "index.*covariance",
    ),
    ("index with depth", {"strategy": "index", "max_depth": 2}, ValueError, "index.*max_depth"),
    (
        "index with fixed order",
        {"strategy": "index", "fixed_order": True},
        ValueError,
        "index.*fixed_order",
    ),
    (
        "exhaustive with node limit",
        {"search": "exhaustive", "node_limit": 10},
        ValueError,
        "exhaustive.*node_limit.*exact",
    ),
    (
        "exhaustive with time limit",
        {"search": "exhaustive", "time_limit": 1.0},
        ValueError,
        "exhaustive.*time_limit.*exact",
    ),
    ("reference with node limit", {"node_limit": 10}, ValueError, "reference.*node_limit"),
    ("reference with time limit", {"time_limit": 1.0}, ValueError, "reference.*time_limit"),
]

TABLE = SHAPES + TYPES + VALUES + OPTIONS


@pytest.mark.parametrize(
    ("arguments", "exception", "message"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_fault(arguments: dict[str, Any], exception: type[Exception], message: str) -> None:
    with pytest.raises(exception, match=message) as caught:
        headrace.batch_select(**(good() | arguments))
    assert type(caught.value) is exception


def test_names_in_the_table_differ() -> None:
    assert len({row[0] for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(row[1], row[3]) for row in SHAPES + VALUES],
    ids=[row[0] for row in SHAPES + VALUES],
)
def test_a_failed_call_changes_no_input(arguments: dict[str, Any], message: str) -> None:
    if any(np.size(value) > 10**6 for value in arguments.values() if isinstance(value, np.ndarray)):
        return
    given = good() | arguments
    kept = copy.deepcopy(given)
    with pytest.raises(ValueError, match=message):
        headrace.batch_select(**given)
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, kept[name])


# A name, an argument beyond every integer type, and what it must behave like.
BEYOND: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("n_threads", {"n_threads": 2**70}, {"n_threads": 2}),
    ("max_depth", {"max_depth": 2**70}, {"max_depth": K}),
    ("node_limit", {"node_limit": 2**70}, {}),
    ("node_limit of 63 bits", {"node_limit": 2**63}, {}),
    ("time_limit", {"time_limit": 1e99}, {}),
]


@pytest.mark.parametrize(
    ("arguments", "like"), [row[1:] for row in BEYOND], ids=[row[0] for row in BEYOND]
)
def test_numbers_beyond_what_can_matter(
    arguments: dict[str, Any], like: dict[str, Any], backend: str
) -> None:
    if backend == "reference" and arguments.keys() & {"node_limit", "time_limit"}:
        return  # a fault of its own
    plain = good() | {"backend": backend}
    given = headrace.batch_select(**(plain | arguments))
    expected = headrace.batch_select(**(plain | like))
    assert given.optimal.all()
    for name in ("next_model", "supermodel", "tradeoff", "nodes"):
        np.testing.assert_array_equal(getattr(given, name), getattr(expected, name), name)


def test_any_seed_that_is_not_negative(backend: str) -> None:
    plain = good() | {"backend": backend}
    far, again, near = (headrace.batch_select(**plain, seed=seed) for seed in (2**200, 2**200, 0))
    np.testing.assert_array_equal(far.tradeoff, again.tradeoff)
    assert (far.tradeoff != near.tradeoff).any()


LARGE = (70_000, 8)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("index", [(0, 0), (32_768, 0), (69_999, 7)])
def test_faults_of_large_arrays_are_named(layout: Callable[[Any], Any], index: Any) -> None:
    last = np.zeros(LARGE, bool)
    last[index[0] :] = True
    faults: list[tuple[str, Any, str]] = [
        ("qualities", at(LARGE, index, MISSING), re.escape(f"finite, got nan at index {index}")),
        ("costs", at(LARGE, index, -1.0), re.escape(f"negative, got -1.0 at index {index}")),
        ("ran", last, f"row {index[0]},"),
    ]
    for name, array, message in faults:
        arguments: dict[str, Any] = {"qualities": np.zeros(LARGE), "costs": np.ones(LARGE[1])}
        arguments[name] = layout(array)
        with pytest.raises(ValueError, match=f"{name}.* {message}"):
            headrace.batch_select(**arguments, lambda_=0.1)


@pytest.mark.parametrize("covariance", [False, True])
def test_arrays_are_checked_in_blocks(covariance: bool) -> None:
    # Signals are handled between calls of NumPy, and no call is to take long.
    array = np.zeros((8192, 16, 16) if covariance else (2**17, 16))
    tracemalloc.start()
    try:
        if covariance:
            factor = _check.check_factor(array, *array.shape[:2])
            kept = factor.nbytes
        else:
            checked = _check.check_floats("qualities", array, {"(n, k)": array.shape})
            assert checked is array
            kept = 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - kept < array.nbytes / 4


def test_exhaustive_refuses_too_many_models(backend: str) -> None:
    many = np.zeros((1, 40))
    with pytest.raises(ValueError, match=r"supermodels.*exact"):
        headrace.batch_select(many, np.ones(40), 0.1, search="exhaustive", backend=backend)
    # A depth keeps the number of supermodels low.
    few = headrace.batch_select(
        many, np.ones(40), 0.1, search="exhaustive", max_depth=2, backend=backend
    )
    assert few.next_model[0] == 0


def test_reference_refuses_too_many_models() -> None:
    with pytest.raises(ValueError, match=r"supermodels.*exact"):
        headrace.batch_select(np.zeros((1, 40)), np.ones(40), 0.1, backend="reference")


def test_no_queries(backend: str, plan: tuple[str, str]) -> None:
    strategy, search = plan
    for sigmas in (None, np.ones(K), np.ones((0, K))):
        selection = headrace.batch_select(
            np.zeros((0, K)),
            np.ones((0, K)),
            np.ones(0),
            sigmas=sigmas,
            ran=np.zeros((0, K), bool),
            strategy=strategy,
            search=search,
            backend=backend,
        )
        assert selection.supermodel.shape == (0, K)
        assert selection.supermodel.dtype == np.bool_
        assert np.issubdtype(selection.next_model.dtype, np.integer)
        assert selection.nodes.dtype == np.int64
        for name in (
            "next_model",
            "tradeoff",
            "quality",
            "cost",
            "upper_bound",
            "optimal",
            "nodes",
        ):
            assert getattr(selection, name).shape == (0,)


def test_no_queries_with_a_covariance(backend: str) -> None:
    for covariance in (np.eye(K), np.zeros((0, K, K))):
        selection = headrace.batch_select(
            np.zeros((0, K)), np.ones(K), 0.1, covariance=covariance, backend=backend
        )
        assert selection.tradeoff.shape == (0,)


@pytest.mark.parametrize("singular", [np.zeros((K, K)), np.ones((K, K)), np.diag([1.0, 0, 0, 2])])
def test_singular_covariance_is_fine(singular: Any, backend: str) -> None:
    selection = headrace.batch_select(
        np.zeros((1, K)), np.ones(K), 0.1, covariance=singular, backend=backend
    )
    assert selection.optimal.all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("k", [4, 10, 30])
def test_sample_covariance_of_few_observations_in_its_dtype(dtype: Any, k: int) -> None:
    rng = np.random.default_rng(k)
    for _ in range(50):
        observations = rng.normal(size=(5, k)).astype(dtype)
        covariance = np.cov(observations.T, dtype=np.promote_types(dtype, np.float32))
        covariance = covariance.astype(dtype)
        assert covariance.dtype == dtype
        factor = check_factor(covariance)
        variance = np.diagonal(covariance).astype(np.float64)
        allowed = max(1e-8, 8 * k * float(np.finfo(dtype).eps))
        residual = np.tril(covariance - factor @ factor.T)
        assert (np.abs(residual) <= allowed * np.sqrt(np.outer(variance, variance))).all()


def test_singular_float32_covariance(backend: str) -> None:
    observations = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    covariance = np.cov(observations.T, dtype=np.float32)
    arguments: dict[str, Any] = {
        "qualities": np.zeros((1, 10)),
        "costs": np.ones(10),
        "lambda_": 0.01,
        "backend": backend,
    }
    given = headrace.batch_select(**arguments, covariance=covariance)
    # The same covariance in more digits.
    exact = headrace.batch_select(**arguments, covariance=np.cov(observations.T.astype(np.float64)))
    np.testing.assert_allclose(given.tradeoff, exact.tradeoff, atol=1e-2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_asymmetry_of_one_unit_in_the_last_place(dtype: Any) -> None:
    observations = np.random.default_rng(1).normal(size=(30, K))
    correlation = np.corrcoef(observations.T).astype(dtype)
    correlation[1, 0] = np.nextafter(correlation[0, 1], dtype(2.0))
    assert correlation[1, 0] != correlation[0, 1]
    check_factor(correlation)
    with pytest.raises(ValueError, match="covariance must be symmetric"):
        check_factor(correlation.astype(np.float64))
    correlation[1, 0] += dtype(0.05)
    with pytest.raises(ValueError, match="covariance must be symmetric"):
        check_factor(correlation)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    "rows",
    [
        INDEFINITE,
        matrix((3, 3), -0.125),
        matrix((0, 0), 0.0) + matrix((1, 0), 0.5) - np.eye(K),
        [[1.0, 0.9, -0.9, 0.0], [0.9, 1.0, 0.9, 0.0], [-0.9, 0.9, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    ],
)
def test_indefinite_in_any_dtype(rows: Any, dtype: Any) -> None:
    with pytest.raises(ValueError, match="positive semi-definite, got a smallest eigenvalue of -"):
        check_factor(np.array(rows, dtype))


def check_factor(covariance: Any) -> Any:
    """Return the factor of one covariance."""
    (factor,) = _check.check_factor(covariance, 1, len(covariance))
    return factor


def strided(array: Any) -> Any:
    """Return the same numbers, every second entry of a larger array."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def read_only(array: Any) -> Any:
    """Return a copy that must not be written to."""
    kept = array.copy()
    kept.flags.writeable = False
    return kept


def backwards(array: Any) -> Any:
    """Return the same numbers with negative strides."""
    return array[..., ::-1].copy()[..., ::-1]


def swapped(array: Any) -> Any:
    """Return the same numbers in the other byte order."""
    return array.astype(array.dtype.newbyteorder())


def unaligned(array: Any) -> Any:
    """Return the same numbers at an odd address."""
    raw = np.zeros(array.nbytes + 1, np.uint8)
    shifted = raw[1:].view(array.dtype).reshape(array.shape)
    shifted[...] = array
    return shifted


LAYOUTS: list[Callable[[Any], Any]] = [
    strided,
    read_only,
    backwards,
    swapped,
    unaligned,
    np.asfortranarray,
    np.ndarray.tolist,
    lambda array: array.astype(np.float32) if array.dtype.kind == "f" else array,
    lambda array: array.astype(np.float16) if array.dtype.kind == "f" else array,
]


@pytest.mark.parametrize(
    "layout",
    LAYOUTS,
    ids=[
        "strided",
        "read-only",
        "backwards",
        "swapped",
        "unaligned",
        "Fortran",
        "lists",
        "float32",
        "float16",
    ],
)
@pytest.mark.parametrize("uncertainty", ["sigmas", "covariance"])
def test_layouts_and_dtypes(layout: Callable[[Any], Any], uncertainty: str, backend: str) -> None:
    rng = np.random.default_rng(3)
    # Multiples of 1/16 are exact in every dtype.
    plain: dict[str, Any] = {
        "qualities": rng.integers(0, 16, (N, K)) / 16.0,
        "costs": rng.integers(0, 16, (N, K)) / 16.0,
        "lambda_": rng.integers(1, 8, N) / 16.0,
        "samples": rng.integers(-32, 32, (K, 13)) / 16.0,
        "ran": rng.uniform(size=(N, K)) < 0.2,
    }
    if uncertainty == "sigmas":
        plain["sigmas"] = rng.integers(0, 16, (N, K)) / 16.0
    else:
        plain["covariance"] = np.stack([np.eye(K) + 0.25] * N)
    expected = headrace.batch_select(**plain, backend=backend)
    laid_out = {name: layout(array) for name, array in plain.items()}
    kept = copy.deepcopy(laid_out)
    given = headrace.batch_select(**laid_out, backend=backend)
    for name in ("next_model", "supermodel", "tradeoff", "quality", "cost", "upper_bound"):
        np.testing.assert_array_equal(getattr(given, name), getattr(expected, name), name)
    for name, array in laid_out.items():
        np.testing.assert_array_equal(array, kept[name])


def test_integers_are_numbers(backend: str) -> None:
    given = headrace.batch_select([[1, 2], [3, 1]], [1, 3], 1, backend=backend)
    assert given.next_model.tolist() == [0, 0]
    assert given.tradeoff.tolist() == [0.0, 2.0]


def test_answers_are_the_callers_own(backend: str) -> None:
    arguments = good() | {"backend": backend}
    first = headrace.batch_select(**arguments)
    second = headrace.batch_select(**arguments)
    first.supermodel[:] = False
    first.tradeoff[:] = 0.0
    third = headrace.batch_select(**arguments)
    np.testing.assert_array_equal(second.supermodel, third.supermodel)
    np.testing.assert_array_equal(second.tradeoff, third.tradeoff)
