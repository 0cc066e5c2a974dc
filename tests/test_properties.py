"""Properties of every decision, on every backend and for every plan."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import headrace
import numpy as np
import oracle
import pytest
from cases import ANSWERS, PLANS, Case, decide, differences
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import GRID, cases, generators, standard_settings

Plan = tuple[str, str]

AVAILABLE = [name for name, reason in headrace.backends().items() if reason is None]
FEW = standard_settings(30)


def select(case: Case, backend: str, **options: Any) -> headrace.Selection:
    """Call the package on a case."""
    return headrace.batch_select(**case.arguments, backend=backend, **options)


def assert_same(
    one: headrace.Selection, other: headrace.Selection, answers: tuple[str, ...] = ANSWERS
) -> None:
    """Compare answers bit for bit (but for the sign of zero)."""
    for answer in answers:
        np.testing.assert_array_equal(getattr(one, answer), getattr(other, answer), answer)


def joined(parts: list[headrace.Selection]) -> headrace.Selection:
    """Put the answers of several batches together."""
    return headrace.Selection(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(headrace.Selection)
        }
    )


def members(selection: headrace.Selection, row: int) -> set[int]:
    """Return the chosen supermodel of a query."""
    return {int(i) for i in np.flatnonzero(selection.supermodel[row])}


def clear_rows(case: Case) -> list[int]:
    """Return the queries where rounding cannot change a decision."""
    return [row for row, decision in enumerate(decide(case)) if not decision["ambiguous"]]


# The definition


@given(case=cases())
@example(case=Case(np.array([[0.5]]), np.array([1.0]), np.array(0.0)))
@example(case=Case(np.zeros((1, 3)), np.zeros(3), np.array(0.0), ties="dearest"))
@example(case=Case(np.zeros((2, 9)), np.ones(9), np.array([0.0, 1e6]), ties="dearest"))
def test_decides_as_the_definition(case: Case, backend: str, plan: Plan) -> None:
    case = case.planned(*plan)
    assert not differences(case, select(case, backend), decide(case))


@given(case=cases(uncertain=True, on_grid=True, largest_batch=1))
def test_both_ends_of_the_ties(case: Case, backend: str, plan: Plan) -> None:
    case = case.planned(*plan)
    assume(clear_rows(case) == [0])
    cheapest = select(case.changed(ties="cheapest"), backend)
    dearest = select(case.changed(ties="dearest"), backend)
    assert cheapest.cost[0] <= dearest.cost[0]
    if plan[0] != "index":
        assert abs(cheapest.tradeoff[0] - dearest.tradeoff[0]) <= 2e-9


@pytest.mark.parametrize(("ties", "expected"), [("cheapest", {1}), ("dearest", {0})])
def test_tie_between_two_models(ties: str, expected: set[int], backend: str, plan: Plan) -> None:
    # Model 0 is better by 0.25 and dearer by 0.5: with lambda = 0.5 these cancel out.
    case = Case(np.array([[0.75, 0.5]]), np.array([1.0, 0.5]), np.array(0.5), ties=ties)
    if plan[0] == "cascade":
        case = case.models([1, 0])
        expected = {"cheapest": {0}, "dearest": {0}}[ties]
    assert members(select(case.planned(*plan), backend), 0) == expected


@pytest.mark.parametrize(("gap", "expected"), [(0.5e-9, {0}), (2e-9, {1})])
def test_ties_end_at_the_tolerance(
    gap: float, expected: set[int], backend: str, plan: Plan
) -> None:
    case = Case(np.array([[0.5, 0.75 + gap]]), np.array([0.0, 0.25]), np.array(1.0))
    if plan[0] == "cascade":
        expected = {0} if gap < 1e-9 else {0, 1}
    assert members(select(case.planned(*plan), backend), 0) == expected


def test_free_useless_models_are_left_out(backend: str, plan: Plan) -> None:
    case = Case(np.array([[0.5, 0.25, 0.5]]), np.zeros(3), np.array(1.0), ties="dearest")
    assert members(select(case.planned(*plan), backend), 0) == {0}


@pytest.mark.parametrize("search", ["exact", "exhaustive"])
@pytest.mark.parametrize("ties", ["cheapest", "dearest"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 0, 3, 2], [3, 1, 2, 0], [0, 1, 3, 2]])
def test_ties_end_with_the_lexicographic_order(
    order: list[int], ties: str, search: str, backend: str
) -> None:
    # Of the pairs, {0, 3} and {1, 2} alone are good in every sample, at the same cost.
    good = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]], dtype=np.float64)
    case = Case(
        np.zeros((1, 4)), np.full(4, 0.125), np.array(1.0), np.ones(4), samples=good, ties=ties
    ).models(order)
    pairs = [{order.index(0), order.index(3)}, {order.index(1), order.index(2)}]
    selection = select(case.changed(search=search), backend)
    assert members(selection, 0) == min(pairs, key=sorted)
    assert selection.next_model[0] == 0
    assert selection.tradeoff[0] == 0.75


@given(case=cases(on_grid=True, covariances=False), shift=st.integers(-256, 256))
def test_a_constant_added_to_all_qualities(
    case: Case, shift: int, backend: str, plan: Plan
) -> None:
    case = case.planned(*plan)
    shifted = case.changed(qualities=case.qualities + shift / GRID)
    clear = set(clear_rows(case)) & set(clear_rows(shifted))
    before, after = select(case, backend), select(shifted, backend)
    for row in clear:
        assert members(before, row) == members(after, row)
        assert before.next_model[row] == after.next_model[row]
        assert before.cost[row] == after.cost[row]


@given(case=cases(), data=st.data())
def test_order_of_the_models(case: Case, data: st.DataObject, backend: str, plan: Plan) -> None:
    if plan[0] == "cascade":
        return
    # With a covariance the same samples drive other combinations once the order is another.
    case = case.planned(*plan).changed(fixed_order=False, covariance=None)
    order = data.draw(st.permutations(range(case.k)))
    permuted = case.models(order)
    before, after = select(case, backend), select(permuted, backend)
    for row in clear_rows(case):
        assert abs(before.tradeoff[row] - after.tradeoff[row]) <= 2e-9 * case.scale()
        assert before.cost[row] == after.cost[row]
        assert len(members(before, row)) == len(members(after, row))


@given(case=cases(tie_free=True), data=st.data())
def test_order_of_the_models_without_ties(
    case: Case, data: st.DataObject, backend: str, plan: Plan
) -> None:
    if plan[0] == "cascade":
        return
    case = case.planned(*plan).changed(fixed_order=False, covariance=None)
    order = data.draw(st.permutations(range(case.k)))
    before, after = select(case, backend), select(case.models(order), backend)
    for row in clear_rows(case):
        assert members(before, row) == {order[i] for i in members(after, row)}
        following = int(after.next_model[row])
        assert before.next_model[row] == (order[following] if following >= 0 else -1)
    assert_same(before, after, ("tradeoff", "quality", "cost"))


@given(case=cases(covariances=False, fixed_order=False), data=st.data())
def test_a_dominated_model_changes_nothing(
    case: Case, data: st.DataObject, backend: str, plan: Plan
) -> None:
    better = data.draw(st.integers(0, case.k - 1))
    if plan[0] == "index" and case.ran is not None:
        # The index takes a dominated model for an independent chance.
        assume(not case.ran[:, better].any())
    case = case.planned(*plan).changed(ties="cheapest")
    case = case.changed(max_depth=None if case.max_depth is None else min(case.max_depth, case.k))
    wider = case.models([*range(case.k), better])
    wider.qualities[:, -1] -= 1.0
    wider.costs[..., -1] += 1.0
    if wider.ran is not None:
        wider.ran[:, -1] = False
    before, after = select(case, backend), select(wider, backend)
    for row in sorted(set(clear_rows(case)) & set(clear_rows(wider))):
        assert members(before, row) == members(after, row)
        assert before.next_model[row] == after.next_model[row]
        assert before.tradeoff[row] == after.tradeoff[row]


@given(case=cases(uncertain=True, covariances=False), cheaper=st.floats(0.0, 0.9))
def test_a_larger_lambda_never_buys_more(
    case: Case, cheaper: float, backend: str, plan: Plan
) -> None:
    if plan[0] == "index":
        return  # its order of reservation values may change with lambda
    case = case.planned(*plan)
    less = case.changed(lambda_=case.lambda_ * cheaper)
    dear, cheap = select(case, backend), select(less, backend)
    gap = np.broadcast_to(case.lambda_ - less.lambda_, (case.n,))
    for row in range(case.n):
        # Two answers may each be 1e-9 (and rounding) below their best.
        slack = 2e-9 + 1e-13 * case.scale()
        if gap[row] > 0.0:
            assert dear.cost[row] <= cheap.cost[row] + slack / gap[row] + 1e-12


@given(case=cases(uncertain=True))
def test_answers_describe_the_chosen_set(case: Case, backend: str, plan: Plan) -> None:
    case = case.planned(*plan)
    selection = select(case, backend)
    full = case.broadcast()
    for row in range(case.n):
        chosen, has_run = members(selection, row), set(case.run_models(row))
        added = sorted(chosen - has_run)
        costs = full.costs[row].tolist()
        assert has_run <= chosen
        assert chosen
        assert selection.next_model[row] in (added or [-1])
        assert selection.cost[row] == oracle.total_cost(costs, added)
        price = float(full.lambda_[row]) * float(selection.cost[row])
        assert selection.tradeoff[row] == selection.quality[row] - price
        if plan[0] in ("cascade", "cascade_routing"):
            quality = oracle.expected_maximum(case.outcomes(row), chosen)
            assert abs(selection.quality[row] - quality) <= 1e-12 * case.scale()


@given(case=cases(), data=st.data())
def test_costs_of_run_models_are_sunk(
    case: Case, data: st.DataObject, backend: str, plan: Plan
) -> None:
    case = case.planned(*plan).broadcast()
    assume(case.ran is not None)
    assert case.ran is not None
    sunk = case.changed(costs=np.where(case.ran, data.draw(st.floats(0.0, 1e3)), case.costs))
    assert_same(select(case, backend), select(sunk, backend))


# The bits do not depend on how the work is done


@FEW
@given(case=cases(largest_batch=6), data=st.data())
def test_batch_and_one_by_one(case: Case, data: st.DataObject, backend: str, plan: Plan) -> None:
    case = case.planned(*plan)
    whole = select(case, backend)
    assert_same(whole, joined([select(case.rows([row]), backend) for row in range(case.n)]))
    cut = data.draw(st.integers(0, case.n))
    parts = [case.rows(range(cut)), case.rows(range(cut, case.n))]
    assert_same(whole, joined([select(part, backend) for part in parts]))


@FEW
@given(case=cases(largest_batch=6), n_threads=st.sampled_from([2, 3, 8]))
def test_number_of_threads(case: Case, n_threads: int, backend: str, plan: Plan) -> None:
    case = case.planned(*plan)
    assert_same(select(case, backend, n_threads=1), select(case, backend, n_threads=n_threads))


def test_a_large_batch_on_many_threads(backend: str, plan: Plan) -> None:
    rng = np.random.default_rng(4)
    n = 24 if backend == "reference" else 500
    case = Case(
        rng.uniform(size=(n, 6)),
        rng.uniform(size=6),
        np.array(0.1),
        sigmas=rng.uniform(0.0, 0.4, (n, 6)),
        samples=rng.standard_normal((6, 32)),
        ran=rng.uniform(size=(n, 6)) < 0.15,
    ).planned(*plan)
    assert case.ran is not None
    case.ran[:, 0] = False
    one = select(case, backend, n_threads=1)
    for n_threads in (2, 5, None):
        assert_same(one, select(case, backend, n_threads=n_threads))
    halves = [case.rows(range(n // 2)), case.rows(range(n // 2, n))]
    assert_same(one, joined([select(half, backend) for half in halves]))


@given(case=cases())
def test_all_backends_agree(case: Case, plan: Plan) -> None:
    case = case.planned(*plan)
    clear = clear_rows(case)
    first, *others = [select(case, name) for name in AVAILABLE]
    for other in others:
        for answer in ("next_model", "supermodel", "cost"):
            np.testing.assert_array_equal(
                getattr(first, answer)[clear], getattr(other, answer)[clear], answer
            )
        for answer in ("tradeoff", "quality"):
            one, two = getattr(first, answer)[clear], getattr(other, answer)[clear]
            if plan[0] == "index":  # two libraries' erfc and exp
                np.testing.assert_allclose(one, two, rtol=1e-13, atol=1e-13 * case.scale())
            else:
                np.testing.assert_array_equal(one, two, answer)


# Many models, beyond enumeration


@FEW
@given(
    rng=generators(),
    k=st.sampled_from([12, 16, 17, 31, 33]),
    size=st.sampled_from([8, 13, 64]),
    price=st.sampled_from([0.003, 0.02, 0.1]),
    max_depth=st.sampled_from([None, None, 2, 5]),
    on_grid=st.booleans(),
    ties=st.sampled_from(["cheapest", "dearest"]),
)
def test_many_models(
    rng: np.random.Generator,
    k: int,
    size: int,
    price: float,
    max_depth: int | None,
    on_grid: bool,
    ties: str,
) -> None:
    def number(low: float, high: float, shape: tuple[int, ...]) -> Any:
        drawn = rng.uniform(low, high, shape)
        return np.round(drawn * GRID) / GRID if on_grid else drawn

    case = Case(
        number(0.0, 1.0, (2, k)),
        number(0.1, 1.0, (k,)),
        np.array(price),
        sigmas=number(0.0, 0.4, (2, k)),
        samples=rng.standard_normal((k, size)),
        ran=rng.uniform(size=(2, k)) < 0.05,
        max_depth=max_depth,
        ties=ties,
    )
    fast = [name for name in AVAILABLE if name != "reference"]
    answers = [select(case, name) for name in fast]
    for name, answer in zip(fast, answers, strict=True):
        assert answer.optimal.all()
        assert_same(answers[0], answer, ("next_model", "supermodel", "tradeoff", "quality", "cost"))
        greedy = select(case.changed(search="greedy"), name)
        assert (greedy.tradeoff <= answer.tradeoff + 2e-9).all()
        assert (greedy.upper_bound >= answer.tradeoff).all()
        limited = select(case, name, node_limit=1)
        assert (limited.tradeoff <= answer.tradeoff + 2e-9).all()
        assert (limited.upper_bound >= answer.tradeoff).all()
        done = limited.optimal
        assert (limited.upper_bound[done] - answer.tradeoff[done] <= 1e-8).all()
        assert np.array_equal(limited.supermodel[done], answer.supermodel[done])


@pytest.mark.parametrize(("strategy", "search"), PLANS)
def test_only_the_exact_search_counts_nodes(strategy: str, search: str, backend: str) -> None:
    rng = np.random.default_rng(0)
    k = 6
    case = Case(
        rng.uniform(0.0, 1.0, (3, k)),
        rng.uniform(0.0, 1.0, (k,)),
        np.array(0.05),
        sigmas=np.full(k, 0.3),
        samples=rng.standard_normal((k, 32)),
        strategy=strategy,
        search=search,
    )
    nodes = select(case, backend).nodes
    assert nodes.dtype == np.int64
    searched = (strategy, search) == ("cascade_routing", "exact") and backend != "reference"
    assert (nodes > 0).all() if searched else not nodes.any()


@given(case=cases(largest=12))
def test_exact_search_finds_what_exhaustive_search_finds(case: Case, backend: str) -> None:
    exact, exhaustive = select(case, backend), select(case.changed(search="exhaustive"), backend)
    assert_same(exact, exhaustive, ("next_model", "supermodel", "tradeoff", "quality", "cost"))


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-7])
@pytest.mark.parametrize("ties", ["cheapest", "dearest"])
def test_near_identical_models(gap: float, ties: str) -> None:
    rng = np.random.default_rng(11)
    k = 10
    case = Case(
        0.5 + gap * rng.uniform(size=(2, k)),
        np.full(k, 0.25),
        np.array(0.05),
        sigmas=np.full(k, 0.25),
        samples=rng.standard_normal((k, 32)),
        ties=ties,
    )
    decisions = decide(case)
    for name in AVAILABLE:
        assert not differences(case, select(case, name), decisions)


def test_a_time_limit_still_answers(backend: str) -> None:
    if backend == "reference":
        return
    rng = np.random.default_rng(5)
    case = Case(
        0.5 + 0.01 * rng.uniform(size=(1, 60)),
        np.full(60, 0.25),
        np.array(0.01),
        sigmas=np.full(60, 0.25),
        samples=rng.standard_normal((60, 128)),
    )
    limited = select(case, backend, time_limit=1e-4)
    assert limited.upper_bound[0] >= limited.tradeoff[0]
    assert members(limited, 0)


# Samples drawn by the package


@FEW
@given(rng=generators(), k=st.integers(1, 9), seed=st.integers(0, 2**40))
def test_samples_depend_on_seed_models_and_number_alone(
    rng: np.random.Generator, k: int, seed: int, backend: str
) -> None:
    case = Case(rng.uniform(size=(3, k)), rng.uniform(size=k), np.array(0.1), np.full(k, 0.2))
    whole = select(case, backend, n_samples=16, seed=seed)
    assert_same(whole, select(case, backend, n_samples=16, seed=seed))
    last = select(case.rows([2]), backend, n_samples=16, seed=seed)
    assert_same(joined([select(case.rows([0, 1]), backend, n_samples=16, seed=seed), last]), whole)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_drawn_samples_estimate_the_expected_maximum(seed: int, backend: str) -> None:
    # E[max] of two independent standard normals is 1 / sqrt(pi).
    case = Case(np.zeros((1, 2)), np.zeros(2), np.array(0.0), sigmas=np.ones(2))
    quality = select(case, backend, n_samples=4096, seed=seed).quality[0]
    assert math.isclose(quality, 1.0 / math.sqrt(math.pi), abs_tol=0.02)


def test_drawn_samples_under_a_covariance(backend: str) -> None:
    # Max of two normals with deviations 1 and 2 and correlation 1/2, Clark (1961).
    covariance = np.array([[1.0, 1.0], [1.0, 4.0]])
    case = Case(np.zeros((1, 2)), np.zeros(2), np.array(0.0), covariance=covariance)
    quality = select(case, backend, n_samples=4096).quality[0]
    assert math.isclose(quality, math.sqrt(3.0 / (2.0 * math.pi)), abs_tol=0.03)


@FEW
@given(case=cases(uncertain=True, covariances=False, largest=6))
def test_diagonal_covariance_is_sigmas(case: Case, backend: str) -> None:
    assert case.sigmas is not None
    # Squares of powers of two have exact roots.
    sigmas = np.exp2(np.round(4.0 * np.minimum(case.sigmas, 1.0)) - 4.0)
    covariance = np.einsum("...i,ij->...ij", sigmas**2, np.eye(case.k))
    one = select(case.changed(sigmas=sigmas), backend)
    two = select(case.changed(sigmas=None, covariance=covariance), backend)
    assert_same(one, two, tuple(name for name in ANSWERS if name != "upper_bound"))
    # The allowances for rounding may differ.
    np.testing.assert_allclose(one.upper_bound, two.upper_bound, rtol=1e-12, atol=1e-12)


@FEW
@given(case=cases(uncertain=False, covariances=False), size=st.sampled_from([1, 8, 13]))
def test_zero_sigma_is_no_uncertainty(case: Case, size: int, backend: str, plan: Plan) -> None:
    case = case.planned(*plan)
    zero = case.changed(sigmas=np.zeros(case.k), samples=np.ones((case.k, size)))
    clear = sorted(set(clear_rows(case)) & set(clear_rows(zero)))
    certain, other = select(case, backend), select(zero, backend)
    for answer in ("next_model", "supermodel", "cost"):
        np.testing.assert_array_equal(
            getattr(certain, answer)[clear], getattr(other, answer)[clear]
        )


@given(case=cases(uncertain=True, covariances=False, on_grid=False))
def test_index_is_worth_no_less_than_any_supermodel(case: Case, backend: str) -> None:
    """The bound of the index is over all policies, so over supermodels of one model too."""
    case = case.planned("index", "exact")
    bound = select(case, backend).upper_bound
    full = case.broadcast()
    for row in range(case.n):
        has_run = case.run_models(row)
        for i in range(case.k):
            if i in has_run:
                assert bound[row] >= full.qualities[row, i] - 1e-12
            else:
                price = full.lambda_[row] * full.costs[row, i]
                assert bound[row] >= full.qualities[row, i] - price - 1e-9 * case.scale()
