"""Decisions where beliefs change by reveals: against nodes written out, on every backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import headrace as hr
import numpy as np
import oracle
import pytest
from headrace._backends import pick
from headrace._problem import Problem
from hypothesis import given, settings
from hypothesis import strategies as st
from routers import Telling, changes_of_all, make_log, nodes_of

BACKENDS = [name for name, reason in hr.backends().items() if reason is None]


def problem(seed: int, n: int, k: int, nodes: int, **options: Any) -> Problem:
    """Draw a problem; a third of the nodes never show with a wrong, or with a right answer."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet(np.ones(nodes), size=(2, 3, k))
    ratio = chances[0] / np.maximum(chances[1], 1e-300)
    first = np.argsort(-ratio, axis=2)
    right, wrong = (np.take_along_axis(each, first, axis=2) for each in chances)
    ran = rng.uniform(size=(n, k)) < rng.choice([0.0, 0.5])
    ran[ran.all(axis=1), 0] = False
    qualities = rng.choice([0.0, 1.0, 0.5], size=(n, k)) if seed % 3 == 0 else rng.random((n, k))
    return Problem(
        qualities=qualities,
        costs=rng.choice([0.0, 0.25, 1.0], size=(n, k)) * rng.choice([1.0, 0.1]),
        lambda_=rng.choice([0.0, 0.1, 0.5, 3.0], size=n),
        sigmas=None,
        factor=None,
        ran=ran if seed % 2 else ran & False,
        max_models=k,
        fixed_order=False,
        node_limit=None,
        time_limit=None,
        reveals=hr.Reveals(
            np.minimum(right.cumsum(axis=2), 1.0),
            np.minimum(wrong.cumsum(axis=2), 1.0),
            rng.integers(0, 3, n),
            float(rng.choice([0.0, 0.3, 1.0])),
        ),
        **{"ties": "cheapest", "samples": None, "strategy": "index", "search": "exact"} | options,
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 6),
    k=st.integers(1, 5),
    nodes=st.integers(1, 6),
    ties=st.sampled_from(["cheapest", "dearest"]),
)
def test_decisions_are_those_of_the_definition(
    backend: str, seed: int, n: int, k: int, nodes: int, ties: str
) -> None:
    given_ = problem(seed, n, k, nodes, ties=ties)
    found = pick(backend).select(given_, 1)
    assert given_.reveals is not None
    assert given_.ran is not None
    for row in range(n):
        ran = np.flatnonzero(given_.ran[row]).tolist()
        q, cost = given_.qualities[row], given_.costs[row]
        known = max((float(q[i]) for i in ran), default=-np.inf)
        shown = {i: nodes_of(given_.reveals, row, i, float(q[i])) for i in range(k)}
        price = {i: float(given_.lambda_[row] * cost[i]) for i in range(k)}
        value = {i: oracle.value_of_nodes(*shown[i], price[i]) for i in range(k) if i not in ran}
        value |= {-1: known} if ran else {}
        best = max(value.values())
        chosen = int(found.next_model[row])
        assert value[chosen] >= best - 1e-9 - 1e-12
        assert found.upper_bound[row] >= best - 1e-12
        sign = 1.0 if ties == "cheapest" else -1.0
        clear = [i for i in value if value[i] >= best - 1e-9 + 1e-12]
        paid = {i: 0.0 if i < 0 else float(cost[i]) for i in value}
        key = (sign * paid[chosen], chosen)
        assert key <= min((sign * paid[i], i) for i in clear)
        assert set(np.flatnonzero(found.supermodel[row])) == {
            *ran,
            *([chosen] if chosen >= 0 else []),
        }
        quality = known
        if chosen >= 0:
            quality = float(q[chosen])
            if ran:
                quality = known + oracle.excess_of_nodes(*shown[chosen], known)
        assert found.quality[row] == pytest.approx(quality, abs=1e-12)
        assert found.cost[row] == paid[chosen]
        assert found.tradeoff[row] == found.quality[row] - given_.lambda_[row] * paid[chosen]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 30), nodes=st.integers(1, 30))
def test_backends_decide_alike(seed: int, k: int, nodes: int) -> None:
    given_ = problem(seed, 20, k, nodes)
    expected = pick("reference").select(given_, 1)
    for backend in BACKENDS:
        found = pick(backend).select(given_, 2)
        for name in ("next_model", "supermodel", "tradeoff", "quality", "cost"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


DRAWING = [("cascade", "exact")] + [
    ("cascade_routing", search) for search in ("exact", "greedy", "exhaustive")
]


@pytest.mark.parametrize(("strategy", "search"), DRAWING)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 5),
    nodes=st.integers(1, 6),
    n_samples=st.sampled_from([1, 2, 8, 16]),
    ties=st.sampled_from(["cheapest", "dearest"]),
)
def test_supermodels_are_valued_by_equal_parts_of_what_is_revealed(
    backend: str,
    strategy: str,
    search: str,
    seed: int,
    k: int,
    nodes: int,
    n_samples: int,
    ties: str,
) -> None:
    samples = np.random.default_rng(seed).normal(size=(k, n_samples)).round(1)
    given_ = problem(
        seed, 4, k, nodes, ties=ties, samples=samples, strategy=strategy, search=search
    )
    found = pick(backend).select(given_, 1)
    assert given_.ran is not None
    assert given_.reveals is not None
    for row in range(4):
        ran = np.flatnonzero(given_.ran[row]).tolist()
        expected = oracle.decide(
            given_.qualities[row].tolist(),
            given_.costs[row].tolist(),
            float(given_.lambda_[row]),
            deviations=[1.0] * k,
            samples=changes_of_all(
                given_.reveals, row, given_.qualities[row], ran, samples, range(k)
            ),
            ran=ran,
            strategy=strategy,
            search=search,
            ties=ties,
        )
        assert found.tradeoff[row] >= expected["tradeoff"] - 1e-9 - 1e-12
        assert found.upper_bound[row] >= expected["best"] - 1e-12
        if not expected["ambiguous"]:
            assert found.next_model[row] == expected["next_model"]
            assert set(np.flatnonzero(found.supermodel[row])) == expected["supermodel"]
            assert found.quality[row] == pytest.approx(expected["quality"], abs=1e-12)


@pytest.mark.parametrize(("strategy", "search"), DRAWING)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 8), nodes=st.integers(1, 30))
def test_backends_draw_alike(strategy: str, search: str, seed: int, k: int, nodes: int) -> None:
    samples = np.random.default_rng(seed).normal(size=(k, 32))
    given_ = problem(seed, 20, k, nodes, samples=samples, strategy=strategy, search=search)
    expected = pick("reference").select(given_, 1)
    for backend in BACKENDS:
        for n_threads in (1, 2):
            found = pick(backend).select(given_, n_threads)
            for name in ("next_model", "supermodel", "tradeoff", "quality", "cost"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


def test_the_compiled_backend_trusts_no_group() -> None:
    if "cpp" not in BACKENDS:
        pytest.skip("it is not here")
    given_ = problem(1, 5, 3, 4)
    assert given_.reveals is not None
    for group in (-1, 3, 2**60):
        outside = replace(given_.reveals, group=np.array([0, 1, group, 0, 0]))
        with pytest.raises(ValueError, match=r"group of row 2 is not one of the reveals"):
            pick("cpp").select(replace(given_, reveals=outside), 1)
        looking = replace(given_, reveals=outside, strategy="cascade", samples=np.zeros((3, 4)))
        with pytest.raises(ValueError, match=r"group of row 2 is not one of the reveals"):
            pick("cpp").select(looking, 1)
    with pytest.raises(ValueError, match="with reveals, qualities must be in 0 to 1, in row 0"):
        pick("cpp").select(replace(given_, qualities=given_.qualities + 2.0), 1)
    with pytest.raises(ValueError, match="reveals need samples"):
        pick("cpp").select(replace(given_, strategy="cascade_routing"), 1)
    wrong = replace(given_.reveals, right=given_.reveals.right * np.nan)
    with pytest.raises(ValueError, match="chances of reveals must rise from node"):
        pick("cpp").select(replace(given_, reveals=wrong), 1)


def test_nothing_revealed_is_worth_no_price() -> None:
    same = hr.Reveals(np.full((1, 1, 1), 1.0), np.full((1, 1, 1), 1.0), np.zeros(2, np.int64))
    beliefs, price = np.array([[0.3], [0.8]]), np.array([[0.1], [0.2]])
    np.testing.assert_allclose(same.reservation_values(beliefs, price), beliefs - price)
    np.testing.assert_allclose(same.excess(beliefs, np.array([[0.5], [0.5]])), [[0.0], [0.3]])
    tiny = same.scaled(1e-300)
    np.testing.assert_allclose(tiny.reservation_values(beliefs, price), beliefs - price)


@pytest.mark.parametrize("strategy", ["cascade_routing", "index"])
def test_nodes_that_depend_on_what_has_run_are_refused(strategy: str) -> None:
    class Shifting(Telling):
        def estimate(self, queries: hr.Queries, ran: Sequence[int]) -> hr.Estimates:
            given_ = super().estimate(queries, ran)
            assert given_.reveals is not None
            other = given_.reveals.scaled(0.5 if len(ran) else 1.0)
            return replace(given_, reveals=other)

    router = hr.Router(Shifting(), strategy=strategy, lookahead=1.0)
    with pytest.raises(ValueError, match="the same nodes and scale in all estimates"):
        router.fit(make_log(60, 3, 0), budget=2.0)
