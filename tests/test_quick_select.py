"""A decision of one query without the interpreter: that of the function that checks, or its error.

What it decides is judged by the oracle, as all decisions are.
"""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import pydoc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import headrace as hr
import numpy as np
import pytest
from cases import PLANS, Case, Floats, decide, differences
from headrace import _select
from headrace._samples import standard_normal_samples
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases

core = pytest.importorskip("headrace._core", reason="there is no compiled extension")

CHECKED: Callable[..., hr.Selection] = hr.batch_select.__wrapped__  # type: ignore[attr-defined]
K = 4


class LeftForPythonError(Exception):
    """The function of Python was called."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call fail that goes to the function of Python."""
    monkeypatch.delenv("HEADRACE_BACKEND", raising=False)
    refuse_python(monkeypatch)


def refuse_python(patch: pytest.MonkeyPatch) -> None:
    def refuse(name: str | None) -> None:
        raise LeftForPythonError(name)

    patch.setattr(_select, "pick", refuse)


@pytest.fixture(autouse=True)
def _no_backend_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_BACKEND", raising=False)


def one() -> dict[str, Any]:
    """Return the arguments of one query, of which everything is usual."""
    rng = np.random.default_rng(3)
    return {
        "qualities": rng.uniform(size=(1, K)),
        "costs": rng.uniform(size=(1, K)),
        "lambda_": 0.1,
        "sigmas": rng.uniform(0.05, 0.3, size=(1, K)),
    }


def bits(selection: hr.Selection) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], bytes]]:
    """Return all that there is of a selection."""
    arrays = {field.name: getattr(selection, field.name) for field in fields(hr.Selection)}
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()}


def told_of(select: Callable[..., hr.Selection], arguments: dict[str, Any]) -> Any:
    """Return all of what a call returns, or its error."""
    try:
        return bits(select(**arguments))
    except Exception as error:
        return type(error), str(error)


def is_left(arguments: dict[str, Any]) -> bool:
    """Whether a call goes to the function of Python."""
    with pytest.MonkeyPatch.context() as patch:
        refuse_python(patch)
        try:
            hr.batch_select(**arguments)
        except LeftForPythonError:
            return True
        except TypeError as error:
            return "unexpected keyword argument" in str(error)
    return False


@st.composite
def usual_calls(draw: st.DrawFn) -> tuple[Case, dict[str, Any]]:
    """Cases of one query, and how to ask for them."""
    case = draw(cases(covariances=False, largest_batch=1))
    plan = draw(st.sampled_from(PLANS))
    case = case.planned(*plan)
    asked = {name: value for name, value in case.arguments.items() if value is not None}
    asked.pop("samples", None)
    asked["lambda_"] = draw(
        st.sampled_from([float(case.lambda_.reshape(-1)[0]), case.lambda_.reshape(-1)])
    )
    if case.sigmas is not None and plan[0] in ("cascade", "cascade_routing"):
        size = draw(st.sampled_from([1, 2, 16]))
        seed = draw(st.sampled_from([0, 5, 2**70]))
        asked |= {"n_samples": size, "seed": seed}
        case = case.changed(samples=standard_normal_samples(case.k, size, seed))
    else:
        case = case.changed(samples=None)
    return case, asked


@given(call=usual_calls())
def test_decides_as_the_definition(call: tuple[Case, dict[str, Any]]) -> None:
    case, asked = call
    with pytest.MonkeyPatch.context() as patch:
        refuse_python(patch)
        selection = hr.batch_select(**asked)
    assert not differences(case, selection, decide(case))
    assert bits(selection) == bits(CHECKED(**asked))


USUAL: dict[str, dict[str, Any]] = {
    "as it is": {},
    "costs for all": {"costs": np.full(K, 0.5)},
    "sigmas for all": {"sigmas": np.full(K, 0.125)},
    "certain": {"sigmas": None},
    "a price in an array": {"lambda_": np.array([0.1])},
    "a price of NumPy": {"lambda_": np.float64(0.1)},
    "ran": {"ran": np.array([[True, False, False, True]])},
    "none has run": {"ran": None},
    "all by default": dict.fromkeys(
        [
            "covariance",
            "ran",
            "max_depth",
            "samples",
            "node_limit",
            "time_limit",
            "n_threads",
            "backend",
        ]
    ),
    "other draws": {"n_samples": 64, "seed": 7},
    "threads": {"n_threads": 3},
    "depth": {"max_depth": 1},
    "more depth than models": {"max_depth": 100},
    "order": {"fixed_order": True, "ran": np.array([[False, True, False, False]])},
    "greedy": {"search": "greedy"},
    "all supermodels": {"search": "exhaustive"},
    "a seed beyond integers": {"seed": 2**70},
    "limits": {"node_limit": 100, "time_limit": 10.0},
    "this backend": {"backend": "cpp"},
    "index": {"strategy": "index"},
    "index of certain": {"strategy": "index", "sigmas": None},
    "dearest": {"ties": "dearest", "qualities": np.full((1, K), 0.5), "sigmas": None},
    "read-only": {"qualities": np.broadcast_to(np.full(K, 0.5), (1, K)).copy()},
}
USUAL["read-only"]["qualities"].flags.writeable = False

UNUSUAL: dict[str, dict[str, Any]] = {
    "lists": {"qualities": [[0.1, 0.2, 0.3, 0.4]]},
    "two queries": {
        "qualities": np.full((2, K), 0.5),
        "costs": np.ones(K),
        "sigmas": np.full(K, 0.5),
    },
    "no queries": {"qualities": np.empty((0, K)), "costs": np.ones(K), "sigmas": None},
    "float32": {"sigmas": np.full((1, K), 0.5, np.float32)},
    "integers": {"costs": np.arange(K)},
    "strided": {"qualities": np.full((1, 2 * K), 0.5)[:, ::2]},
    "another byte order": {"qualities": np.full((1, K), 0.5).astype(">f8")},
    "unaligned": {"qualities": np.frombuffer(bytes(1 + 8 * K), np.uint8)[1:].view(float)[None]},
    "a matrix": {"qualities": np.ma.masked_array(np.full((1, K), 0.5))},
    "a masked entry": {"qualities": np.ma.masked_array(np.full((1, K), 0.5), np.eye(1, K, 1) > 0)},
    "a price of int": {"lambda_": 1},
    "a price in a scalar array": {"lambda_": np.array(0.1)},
    "a covariance": {"sigmas": None, "covariance": np.eye(K)},
    "own samples": {"samples": np.zeros((K, 3))},
    "draws of an integer of NumPy": {"n_samples": np.int64(64)},
    "draws of what is certain": {"sigmas": None, "n_samples": 64},
    "a limit of int": {"time_limit": 1},
    "a limit of NumPy": {"node_limit": np.int64(100)},
    "a limit beyond integers": {"node_limit": 2**70},
    "another backend": {"backend": "reference"},
    "threads of NumPy": {"n_threads": np.int64(2)},
    "a strategy of NumPy": {"strategy": np.str_("cascade")},
    "an order of NumPy": {"fixed_order": np.True_},
    "a depth beyond integers": {"max_depth": 2**70},
}

WRONG: dict[str, dict[str, Any]] = {
    "no qualities": {"qualities": None},
    "one dimension": {"qualities": np.ones(K)},
    "three dimensions": {"qualities": np.ones((1, K, 1))},
    "no models": {"qualities": np.ones((1, 0)), "costs": np.ones(0), "sigmas": None},
    "too many models": {"qualities": np.ones((1, 5000)), "costs": np.ones(5000), "sigmas": None},
    "costs of others": {"costs": np.ones(K + 1)},
    "costs of two queries": {"costs": np.ones((2, K))},
    "costs by column": {"costs": np.ones((K, 1))},
    "a NaN": {"qualities": np.array([[0.5, np.nan, 0.5, 0.5]])},
    "an infinity": {"sigmas": np.array([0.5, np.inf, 0.5, 0.5])},
    "a huge number": {"qualities": np.array([[0.5, 1e101, 0.5, 0.5]])},
    "a negative cost": {"costs": np.array([[0.5, -0.5, 0.5, 0.5]])},
    "a negative deviation": {"sigmas": np.array([[0.5, -0.5, 0.5, 0.5]])},
    "a negative price": {"lambda_": -0.5},
    "a NaN for a price": {"lambda_": float("nan")},
    "two prices": {"lambda_": np.array([0.5, 0.5])},
    "no price": {"lambda_": None},
    "a price in two dimensions": {"lambda_": np.array([[0.1]])},
    "far too many models": {
        "qualities": np.ones((1, 6000)),
        "costs": np.ones(6000),
        "sigmas": np.ones(6000),
    },
    "ran of integers": {"ran": np.zeros((1, K), np.int8)},
    "ran of one dimension": {"ran": np.zeros(K, np.bool_)},
    "all have run": {"ran": np.ones((1, K), np.bool_)},
    "an unknown strategy": {"strategy": "nonesuch"},
    "no strategy": {"strategy": None},
    "an unknown search": {"search": "nonesuch"},
    "an unknown search of routing": {"strategy": "routing", "search": "nonesuch"},
    "unknown ties": {"ties": "nonesuch"},
    "not ASCII": {"ties": "\ud800"},
    "no depth": {"max_depth": 0},
    "a depth for the index": {"strategy": "index", "max_depth": 100},
    "a depth that is true": {"max_depth": True},
    "an order for the index": {"strategy": "index", "fixed_order": True},
    "an order of int": {"fixed_order": 1},
    "three samples": {"n_samples": 3},
    "no samples": {"n_samples": 0},
    "samples of float": {"n_samples": 16.0},
    "samples that are true": {"n_samples": True},
    "no number of samples": {"n_samples": None},
    "a negative seed": {"seed": -1},
    "a seed of text": {"seed": "0"},
    "a wrong seed of what is certain": {"sigmas": None, "seed": -1},
    "no threads": {"n_threads": 0},
    "no nodes": {"node_limit": 0},
    "nodes of float": {"node_limit": 1.0},
    "no time": {"time_limit": 0.0},
    "time before now": {"time_limit": -1.0},
    "a NaN of time": {"time_limit": float("nan")},
    "endless time": {"time_limit": float("inf")},
    "limits of an enumeration": {"search": "exhaustive", "node_limit": 10},
    "sigmas and covariance": {"covariance": np.eye(K)},
    "an unknown backend": {"backend": "nonesuch"},
    "an unknown argument": {"nonesuch": 1},
    "an unknown argument that is none": {"nonesuch": None},
}


@pytest.mark.parametrize("kind", USUAL)
@pytest.mark.usefixtures("quick")
def test_usual_calls_are_quick(kind: str) -> None:
    hr.batch_select(**(one() | USUAL[kind]))


@pytest.mark.parametrize("kind", UNUSUAL | WRONG)
def test_other_calls_are_left_for_python(kind: str) -> None:
    assert is_left(one() | (UNUSUAL | WRONG)[kind])


@pytest.mark.parametrize("kind", USUAL | UNUSUAL | WRONG)
def test_a_call_is_that_of_python(kind: str) -> None:
    arguments = one() | (USUAL | UNUSUAL | WRONG)[kind]
    kept = copy.deepcopy(arguments)
    told = told_of(hr.batch_select, arguments)
    assert told == told_of(CHECKED, arguments)
    assert isinstance(told, tuple) == (kind in WRONG or kind == "a masked entry")
    for name, value in kept.items():
        np.testing.assert_array_equal(arguments[name], value, name)


def by_position(*given: Any, **named: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return given, named


def ways_to_call() -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    arguments = one()
    qualities, costs, lambda_, sigmas = arguments.values()
    yield by_position(qualities, costs, lambda_, sigmas=sigmas)
    yield by_position(qualities, costs, lambda_=lambda_, sigmas=sigmas)
    yield by_position(qualities, lambda_=lambda_, costs=costs)
    yield by_position(qualities, costs, lambda_, sigmas)
    yield by_position(qualities, costs, lambda_, lambda_=lambda_)
    yield by_position(qualities, costs)
    yield by_position()
    yield by_position(**{"".join(list(name)): value for name, value in arguments.items()})


@pytest.mark.parametrize("way", list(ways_to_call()), ids=str)
def test_arguments_by_position_and_by_name(way: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    given, named = way
    expected = told_of(lambda **_: CHECKED(*given, **named), {})
    assert told_of(lambda **_: hr.batch_select(*given, **named), {}) == expected


def test_the_environment_names_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_left(one())
    monkeypatch.setenv("HEADRACE_BACKEND", "reference")
    assert is_left(one())
    assert not is_left(one() | {"backend": "cpp"})
    monkeypatch.setenv("HEADRACE_BACKEND", "nonesuch")
    with pytest.raises(ValueError, match="unknown backend 'nonesuch'"):
        hr.batch_select(**one())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {"HEADRACE_BACKEND": "other"})
        with pytest.raises(ValueError, match="unknown backend 'other'"):
            hr.batch_select(**one())
    monkeypatch.setenv("HEADRACE_BACKEND", "")
    assert bits(hr.batch_select(**one())) == bits(CHECKED(**one()))


def test_a_selection_is_as_any_other() -> None:
    selection = hr.batch_select(**one())
    assert type(selection) is hr.Selection
    assert repr(selection).startswith("Selection(next_model=array([")
    assert bits(pickle.loads(pickle.dumps(selection))) == bits(selection)
    assert replace(selection, nodes=np.array([7])).nodes[0] == 7
    with pytest.raises(FrozenInstanceError):
        selection.nodes = np.array([7])  # type: ignore[misc]
    selection.supermodel[:] = False  # it is the caller's
    assert hr.batch_select(**one()).supermodel.any()


def test_looks_like_the_function_of_python() -> None:
    select = hr.batch_select
    assert inspect.isroutine(select)
    assert inspect.signature(select) == inspect.signature(CHECKED)
    assert inspect.getfullargspec(select) == inspect.getfullargspec(CHECKED)
    assert weakref.ref(select)() is select
    assert select.__doc__ == CHECKED.__doc__
    assert "Choose for each" in pydoc.render_doc(select)
    for copied in (copy.copy(select), copy.deepcopy(select), pickle.loads(pickle.dumps(select))):
        assert copied is select


def test_threads_at_the_same_time() -> None:
    """Each decides others, of other shapes and draws: nothing of one shows in another."""
    rng = np.random.default_rng(0)
    failures: list[object] = []

    def make(k: int) -> dict[str, Any]:
        return {
            "qualities": rng.uniform(size=(1, k)),
            "costs": rng.uniform(size=k),
            "lambda_": 0.1,
            "sigmas": rng.uniform(0.0, 0.3, k),
            "seed": k % 3,
        }

    calls = [make(k) for k in range(1, 13)]
    expected = [bits(CHECKED(**call)) for call in calls]

    def work(first: int) -> None:
        for turn in range(200):
            which = (first + turn) % len(calls)
            if bits(hr.batch_select(**calls[which])) != expected[which]:
                failures.append(which)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        (np.zeros((2, 3), np.float32), "float64"),
        (np.zeros(3), "float64"),
        ([[0.0]], "float64"),
        (np.zeros((2, 6))[:, ::2], "float64"),
        (np.zeros((0, 3)), "n_models"),
        (np.zeros((2, 0)), "n_samples"),
        (np.array([[0.0, np.nan]]), "samples.*row 0, column 1"),
    ],
)
def test_sample_matrices_are_checked(samples: Floats, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        core.sample_matrix(samples)


def test_faulty_use_of_the_extension() -> None:
    for arguments in ((), (CHECKED,), (CHECKED, ()), (CHECKED, [1, 2, 3, 4])):
        with pytest.raises(TypeError, match="a function and a tuple"):
            core.quick_select(*arguments)
    with pytest.raises(TypeError):
        core.SampleMatrix()
