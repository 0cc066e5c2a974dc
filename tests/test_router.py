"""Routers: rollouts against plain Python, targets met exactly, and what must not matter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._backends import reference
from headrace._forecasts import Forecasts
from headrace._policy import Policy
from headrace._problem import Problem
from headrace._rollout import Rollouts, roll_out
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from routers import Blend, Joint, Telling, make_log, permuted, plain_rollout

STRATEGIES = ("routing", "cascade", "cascade_routing", "index", "threshold_cascade")
ESTIMATORS: dict[str, Callable[[], Any]] = {
    "shared sigmas": Blend,
    "own sigmas": lambda: Blend(spread=True),
    "no uncertainty": lambda: Blend(None),
    "covariance": Joint,
    "reveals": Telling,
}
BACKENDS = [name for name, reason in hr.backends().items() if reason is None]
S = 32
"""Samples: few are enough for decisions to be compared."""

PRICES = [0.0, 0.02, 0.06, 0.125, 0.25, 0.3, 0.5, 1.0]

strategies = st.sampled_from(STRATEGIES)
estimators = st.sampled_from(sorted(ESTIMATORS))
seeds = st.integers(0, 2**16)


def router(estimator: Any, **options: Any) -> hr.Router:
    """Return a router with few samples and without a choice of the look-ahead."""
    return hr.Router(estimator, **{"n_samples": S, "lookahead": 1.0, "n_threads": 1} | options)


def simulated(estimator: Any, log: hr.QueryLog, prices: Any, **options: Any) -> Rollouts:
    """Roll a policy out at some prices."""
    ties = options.pop("ties", "cheapest")
    order = np.argsort(log.cost.mean(axis=0), kind="stable")
    policy = Policy(**{"n_samples": S, "n_threads": 1} | options)
    return roll_out(Forecasts(estimator, log.queries, order), policy, prices, ties=ties)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ESTIMATORS)
@settings(max_examples=8)
@given(
    backend=st.sampled_from(BACKENDS),
    seed=seeds,
    k=st.integers(1, 5),
    on_grid=st.booleans(),
    lookahead=st.sampled_from([0.0, 0.5, 1.0]),
    ties=st.sampled_from(["cheapest", "dearest"]),
    max_depth=st.sampled_from([None, 1, 2]),
    prices=st.integers(1, 3).flatmap(
        lambda steps: st.lists(
            st.lists(st.sampled_from(PRICES), min_size=steps, max_size=steps), min_size=1
        )
    ),
)
def test_rollouts_equal_plain_python(
    strategy: str,
    kind: str,
    backend: str,
    seed: int,
    k: int,
    on_grid: bool,
    lookahead: float,
    ties: str,
    max_depth: int | None,
    prices: list[list[float]],
) -> None:
    log = make_log(6, k, seed, on_grid=on_grid)
    estimator = ESTIMATORS[kind]()
    max_depth = None if strategy == "index" else max_depth
    options: dict[str, Any] = {
        "strategy": strategy,
        "lookahead": lookahead,
        "ties": ties,
        "max_depth": max_depth,
        "n_samples": S,
        "backend": backend,
    }
    rollouts = simulated(estimator, log, prices, **options)
    for at, price in enumerate(prices):
        for row in range(log.n_queries):
            path, answer = plain_rollout(estimator, log, row, price, **options)
            assert [i for i in rollouts.paths[at, row].tolist() if i >= 0] == path
            assert rollouts.answers[at, row] == answer
            assert rollouts.steps[at, row] == len(path)
            assert rollouts.summed(log.cost)[at, row] == pytest.approx(log.cost[row, path].sum())
            assert rollouts.answered(log.quality)[at, row] == log.quality[row, answer]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["own sigmas", "covariance", "reveals"])
@pytest.mark.parametrize("steps", [1, 3])
def test_many_prices_equal_one_by_one(strategy: str, kind: str, steps: int) -> None:
    log = make_log(40, 6, 3)
    prices = np.random.default_rng(0).permutation(np.geomspace(1e-3, 3.0, 60)).reshape(-1, steps)
    together = simulated(ESTIMATORS[kind](), log, prices, strategy=strategy)
    for at, price in enumerate(prices):
        alone = simulated(ESTIMATORS[kind](), log, [price], strategy=strategy)
        depth = alone.paths.shape[2]
        assert (together.paths[at, :, :depth] == alone.paths[0]).all()
        assert (together.paths[at, :, depth:] == -1).all()
        assert (together.answers[at] == alone.answers[0]).all()
        assert (together.decisions[at] == alone.decisions[0]).all()
        assert (together.estimates[at] == alone.estimates[0]).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_state_is_estimated_once(strategy: str) -> None:
    log = make_log(30, 5, 4)
    estimator = Blend()
    rollouts = simulated(estimator, log, np.geomspace(0.01, 1.0, 20), strategy=strategy)
    states = {
        (row, frozenset(path[:depth].tolist()))
        for paths in rollouts.paths
        for row, path in enumerate(paths)
        for depth in range((path >= 0).sum() + 1)
    }
    assert len(estimator.asked) <= len(states)


@pytest.mark.parametrize("steps", [1, 4])
def test_shared_prices_save_decisions(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    log = make_log(30, 5, 5)
    decided = []
    select = reference.select

    def counted(problem: Problem, n_threads: int) -> hr.Selection:
        decided.append(problem.n_queries)
        return select(problem, n_threads)

    monkeypatch.setattr(reference, "select", counted)
    prices = np.repeat(np.geomspace(0.01, 1.0, 200)[:, None], steps, axis=1)
    rollouts = simulated(Blend(), log, prices, backend="reference")
    assert 0 < sum(decided) < 0.2 * rollouts.decisions.sum()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_rollouts_are_those_of_the_reference(strategy: str, kind: str) -> None:
    log = make_log(15, 9, 18)
    prices = np.random.default_rng(1).uniform(0.0, 0.8, size=(10, 3))
    options = {"strategy": strategy}
    expected = simulated(ESTIMATORS[kind](), log, prices, backend="reference", **options)
    others = [backend for backend in BACKENDS if backend != "reference"]
    for backend, n_threads in product(others, (1, 3)):
        more = {"backend": backend, "n_threads": n_threads}
        found = simulated(ESTIMATORS[kind](), log, prices, **options, **more)
        for part in fields(Rollouts):
            np.testing.assert_array_equal(
                getattr(found, part.name), getattr(expected, part.name), part.name
            )


def test_faults_of_an_estimator_arrive(backend: str) -> None:
    log = make_log(10, 3, 19)

    class Faulty(Blend):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            found = super().estimate(queries, ran)
            if len(ran):
                raise ZeroDivisionError("once a model has run")
            return found

    class Unknown(Blend):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            found = super().estimate(queries, ran)
            found.qualities[-1, 1] = np.nan
            return found

    with pytest.raises(ZeroDivisionError, match="once a model has run"):
        simulated(Faulty(), log, [0.01], backend=backend)
    with pytest.raises(ValueError, match=r"estimator's qualities must be finite.*\(9, 1\)"):
        simulated(Unknown(), log, [0.01], backend=backend)


def test_rows_that_are_left_out_change_nothing() -> None:
    log = make_log(20, 4, 6)
    order = np.argsort(log.cost.mean(axis=0))
    prices = [0.05, 0.2]
    forecasts = Forecasts(Joint(), log.queries, order)
    policy = Policy(n_samples=S)
    some = np.array([1, 4, 5, 11, 19])
    first = roll_out(forecasts, policy, prices, rows=some)
    whole = roll_out(forecasts, policy, prices)
    assert (first.answers == whole.answers[:, some]).all()
    assert (first.summed(log.cost) == whole.summed(log.cost)[:, some]).all()


def reachable(estimator: Any, log: hr.QueryLog, **options: Any) -> tuple[float, float]:
    """Return the mean costs of the cheapest policy and of the dearest that needs no ties."""
    prices = [-1e6, 1e6] if options.get("strategy") == "threshold_cascade" else [1e6, 0.0]
    low, high = simulated(estimator, log, prices, **options).summed(log.cost).mean(axis=1)
    return float(low), float(high)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=12)
@given(
    kind=estimators,
    seed=seeds,
    n=st.integers(1, 30),
    k=st.integers(1, 5),
    on_grid=st.booleans(),
    share=st.floats(0.0, 1.0),
)
@example(kind="shared sigmas", seed=0, n=30, k=4, on_grid=True, share=0.0)
@example(kind="shared sigmas", seed=0, n=30, k=4, on_grid=True, share=1.0)
def test_gamma_meets_the_budget(
    strategy: str, kind: str, seed: int, n: int, k: int, on_grid: bool, share: float
) -> None:
    log = make_log(n, k, seed, on_grid=on_grid)
    low, high = reachable(ESTIMATORS[kind](), log, strategy=strategy)
    assume(low <= high)
    budget = low + share * (high - low)
    fitted = router(ESTIMATORS[kind](), strategy=strategy).fit(log, budget=budget)
    evaluation = fitted.evaluate(log, n_bootstrap=2)
    assert evaluation.cost.mean == pytest.approx(budget, rel=1e-9)
    assert 0.0 <= fitted.gamma_ <= 1.0
    cheap, dear = fitted.lambdas_
    assert cheap <= dear if strategy == "threshold_cascade" else cheap >= dear
    assert fitted.lambda_ == cheap


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_cost_is_monotone_in_the_budget(strategy: str) -> None:
    train, other = make_log(120, 5, 7).split(0.5)
    low, high = reachable(Blend(), train, strategy=strategy)
    budgets = np.linspace(low, high, 9)
    fits = [router(Blend(), strategy=strategy).fit(train, budget=budget) for budget in budgets]
    costs = [fit.evaluate(train, n_bootstrap=2).cost.mean for fit in fits]
    assert costs == pytest.approx(budgets, rel=1e-9)
    assert (np.diff(costs) >= 0.0).all()
    unseen = [fit.evaluate(other, n_bootstrap=2).cost.mean for fit in fits]
    assert (np.diff(unseen) >= -1e-12).all()


def test_ties_are_mixed_at_one_price() -> None:
    same = np.tile([0.5, 0.75, 1.0, 2.0], (50, 1))
    log = hr.QueryLog(same[:, :2], same[:, 2:], features=same)
    fitted = router(Blend(None), strategy="routing").fit(log, budget=1.25)
    assert fitted.lambdas_[0] == fitted.lambdas_[1]
    assert fitted.lambda_ == pytest.approx(0.25, rel=1e-7)
    assert fitted.gamma_ == pytest.approx(0.75)
    assert fitted.evaluate(log).quality.mean == pytest.approx(0.75 * 0.5 + 0.25 * 0.75)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_quality_is_reached_at_a_low_cost(strategy: str) -> None:
    log = make_log(200, 5, 8)
    half = router(Blend(), strategy=strategy).fit(log, budget=0.6).evaluate(log)
    target = half.quality.mean
    fitted = router(Blend(), strategy=strategy).fit(log, quality=target)
    evaluation = fitted.evaluate(log)
    assert evaluation.quality.mean == pytest.approx(target, rel=1e-9)
    assert evaluation.cost.mean <= 1.01 * half.cost.mean  # a price line has gaps
    least = router(Blend(), strategy=strategy).fit(log, quality=-5.0)
    assert least.evaluate(log).cost.mean == pytest.approx(
        reachable(Blend(), log, strategy=strategy)[0], rel=0.01
    )


def test_a_quality_is_reached_where_costs_span_five_orders() -> None:
    rng = np.random.default_rng(0)
    quality = rng.random((400, 3))
    costs = np.tile([1e-3, 1e-2, 1e2], (400, 1))
    log = hr.QueryLog(quality, costs, features=np.hstack([quality, costs]))
    cheapest = quality[:, 0].mean()
    fitted = router(Blend(None), strategy="routing").fit(log, quality=cheapest + 0.02)
    found = fitted.evaluate(log)
    assert found.quality.mean == pytest.approx(cheapest + 0.02, rel=1e-9)
    same = router(Blend(None), strategy="routing").fit(log, budget=found.cost.mean)
    assert same.evaluate(log).quality.mean <= found.quality.mean + 1e-6


@pytest.mark.parametrize("shift", [0.0, -0.5, 1.0])
def test_a_threshold_cascade_takes_estimates_of_any_sign(shift: float) -> None:
    rng = np.random.default_rng(1)
    chance = rng.random((400, 3))
    right = (rng.random((400, 3)) < chance).astype(float)
    chance[0, 0] = 0.0
    log = hr.QueryLog(right, [1.0, 3.0, 9.0])

    def quality(estimates: Any, **target: Any) -> float:
        estimator = hr.PrecomputedEstimator(estimates, log.cost[0])
        fitted = router(estimator, strategy="threshold_cascade").fit(log, **target)
        return fitted.evaluate(log, n_bootstrap=2).quality.mean

    expected = quality(chance + 1.0, budget=4.0)
    assert quality(chance + shift, budget=4.0) == pytest.approx(expected, abs=2e-3)
    assert expected > 0.65
    assert quality(chance + shift, quality=expected) == pytest.approx(expected, rel=1e-9)


def test_the_budgets_that_a_message_tells_can_be_met() -> None:
    log = make_log(100, 4, 8)
    with pytest.raises(ValueError, match="cannot be met") as raised:
        router(Blend()).fit(log, budget=99.0)
    ends = re.findall(r"from (\S+) to (\S+)$", str(raised.value))[0]
    for text in ends:
        fitted = router(Blend()).fit(log, budget=float(text))
        assert fitted.evaluate(log).cost.mean == pytest.approx(float(text), rel=1e-9)


def test_a_budget_is_met_where_the_first_queries_looked_at_mislead() -> None:
    rng = np.random.default_rng(3)
    n = 1000
    odd = np.arange(n) % 4 == 0  # just these are in the sample
    first = np.where(odd, 1.0 - 1e-8 * rng.uniform(1.0, 2.0, n), 0.2)
    second = np.where(odd, 1.0, rng.uniform(0.5, 1.0, n))
    quality = np.column_stack([first, second])
    cost = np.column_stack([np.zeros(n), np.where(odd, 1.0, 1e-3)])
    log = hr.QueryLog(quality, cost)
    estimator = hr.PrecomputedEstimator(quality, cost)
    fitted = hr.Router(estimator, strategy="routing", lookahead=0.0).fit(log, budget=5e-4)
    figures = fitted.evaluate(log, n_bootstrap=2)
    assert figures.cost.mean == pytest.approx(5e-4, rel=1e-9)
    best = np.sort((second - first)[~odd])[::-1][:500].sum() / n  # what 500 of the cheap ones gain
    assert figures.quality.mean == pytest.approx(first.mean() + best, rel=1e-9)


@pytest.mark.parametrize("strategy", ["index", "cascade", "cascade_routing"])
def test_costs_that_are_all_equal_are_so_in_any_unit(strategy: str) -> None:
    rng = np.random.default_rng(5)
    hard = rng.random((300, 1))
    right = (rng.random((300, 4)) < 1.0 - hard * [0.9, 0.6, 0.3, 0.5]).astype(float)
    features = hard + rng.normal(0.0, 0.2, hard.shape)

    def quality(unit: float) -> float:
        log = hr.QueryLog(right, [unit] * 4, features=features, signals=right + hard)
        fitted = router(hr.GaussianEstimator(), strategy=strategy).fit(log, budget=1.7 * unit)
        return fitted.evaluate(log, n_bootstrap=2).quality.mean

    assert quality(0.1) == pytest.approx(quality(1.0), abs=1e-9)


def test_a_budget_is_met_where_estimated_costs_are_the_wrong_way_round() -> None:
    quality = np.random.default_rng(0).random((6, 2))
    log = hr.QueryLog(quality, [3.0, 1.0])
    opposite = hr.Router(hr.PrecomputedEstimator(quality, [1.0, 3.0]), strategy="routing")
    for budget in (2.0, 2.5, 2.8, 3.0):
        fitted = opposite.fit(log, budget=budget)
        assert fitted.evaluate(log, n_bootstrap=2).cost.mean == pytest.approx(budget, rel=1e-9)
    for budget in (1.9, 3.1):
        with pytest.raises(ValueError, match=r"from 2 to 3$"):
            opposite.fit(log, budget=budget)


def test_the_one_cost_that_there_is_can_be_given_back() -> None:
    log = hr.QueryLog([[1.0]] * 5, [0.7 / 3.0])
    alone = hr.Router(hr.PrecomputedEstimator([[0.5]] * 5, [0.7 / 3.0]), strategy="routing")
    with pytest.raises(ValueError, match="cannot be met") as raised:
        alone.fit(log, budget=0.3)
    for text in re.findall(r"from (\S+) to (\S+)$", str(raised.value))[0]:
        assert alone.fit(log, budget=float(text)).gamma_ == 1.0


def test_tuning_for_a_budget_needs_no_labels() -> None:
    labelled, blind = make_log(80, 5, 9), make_log(80, 5, 9, labelled=False)
    estimator = Joint().fit(labelled)
    for strategy in STRATEGIES:
        with_labels = router(estimator, strategy=strategy).fit(labelled, budget=0.8, refit=False)
        without = router(estimator, strategy=strategy).fit(blind, budget=0.8, refit=False)
        assert without.lambdas_ == with_labels.lambdas_
        assert without.gamma_ == with_labels.gamma_
        assert isinstance(without.estimator_, Joint)
        assert without.estimator_ is not estimator
    assert hr.Router(estimator).fit(blind, budget=0.8, refit=False).lookahead_ == 1.0
    with pytest.raises(ValueError, match="has no quality"):  # the estimator's own word
        router(hr.GaussianEstimator()).fit(blind, budget=0.8)
    with pytest.raises(ValueError, match=r"quality .*missing"):
        router(estimator).fit(blind, quality=0.5, refit=False)


def test_the_lookahead_is_chosen_by_what_it_gives() -> None:
    log = make_log(150, 5, 10)
    overstated = Blend(sigma=2.0)
    chosen = hr.Router(overstated, n_samples=S).fit(log, budget=0.8)
    tried = {
        factor: router(overstated, lookahead=factor)
        .fit(log, budget=0.8)
        .evaluate(log, n_bootstrap=2)
        .quality.mean
        for factor in (0.0, 0.25, 0.5, 0.75, 1.0)
    }
    assert tried[chosen.lookahead_] == pytest.approx(max(tried.values()))
    assert chosen.lookahead_ < 1.0
    fixed = hr.Router(overstated, n_samples=S, lambda_=0.2).fit(log)
    assert fixed.lambda_ == 0.2
    assert fixed.gamma_ == 1.0
    assert fixed.lookahead_ < 1.0
    assert hr.Router(Blend(None), n_samples=S).fit(log, budget=0.8).lookahead_ == 1.0


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_permuting_models_permutes_everything(strategy: str, kind: str) -> None:
    log = make_log(60, 5, 11)
    shuffle = [3, 0, 4, 1, 2]
    other = permuted(log, shuffle)
    assert [log.models[i] for i in shuffle] == list(other.models)
    one = router(ESTIMATORS[kind](), strategy=strategy).fit(log, budget=0.7)
    two = router(ESTIMATORS[kind](), strategy=strategy).fit(other, budget=0.7)
    assert two.lambdas_ == pytest.approx(one.lambdas_, rel=1e-9)
    assert two.gamma_ == pytest.approx(one.gamma_, rel=1e-6)
    assert np.array(shuffle)[two.order_].tolist() == one.order_.tolist()
    first, second = one.evaluate(log), two.evaluate(other)
    assert second.quality.mean == pytest.approx(first.quality.mean)
    assert second.stopped[0].mean == pytest.approx(first.stopped[0].mean)
    assert {name: share.mean for name, share in second.answered.items()} == pytest.approx(
        {name: share.mean for name, share in first.answered.items()}
    )
    ran = np.random.default_rng(0).uniform(size=(60, 5)) < 0.3
    if strategy in ("threshold_cascade", "cascade"):
        ran = np.argsort(one.order_)[None, :] < ran.sum(axis=1)[:, None]
    left = one.select(log.queries, ran)
    right = two.select(other.queries, ran[:, shuffle])
    assert (left.supermodel[:, shuffle] == right.supermodel).all()
    names = np.append(shuffle, -1)
    assert (names[right.next_model] == left.next_model).all()
    some = ran.any(axis=1)
    answers = one.answer(log.queries.rows(some), ran[some])
    assert (names[two.answer(other.queries.rows(some), ran[some][:, shuffle])] == answers).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", ["own sigmas", "covariance", "reveals"])
@pytest.mark.parametrize("per_step", [False, True])
def test_a_service_that_selects_step_by_step_spends_the_budget(
    strategy: str, kind: str, per_step: bool
) -> None:
    log = make_log(50, 4, 12)
    fitted = router(ESTIMATORS[kind](), strategy=strategy, per_step=per_step)
    fitted.fit(log, budget=0.7)
    costs = []
    for dear in (False, True):
        ran = np.zeros((50, 4), dtype=bool)
        dearer = np.full(50, dear)
        while True:
            selection = fitted.select(log.queries, ran, dearer=dearer)
            goes_on = np.flatnonzero(selection.next_model >= 0)
            if not len(goes_on):
                break
            ran[goes_on, selection.next_model[goes_on]] = True
        assert (selection.supermodel == ran).all()
        answers = fitted.answer(log.queries, ran)
        assert ran[np.arange(50), answers].all()
        costs.append((ran * log.cost).sum(axis=1).mean())
    spent = fitted.gamma_ * costs[0] + (1.0 - fitted.gamma_) * costs[1]
    assert spent == pytest.approx(0.7, rel=1e-9)


class Late:
    """Overstates what the second run may bring, so that it is to be dearer than the first."""

    def fit(self, log: hr.QueryLog) -> Late:
        return self

    def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
        found = Blend().estimate(queries, ran)
        qualities = found.qualities.copy()
        if len(ran):
            qualities[:, [i for i in range(queries.n_models) if i not in ran]] += 4.0
        return hr.Estimates(qualities, found.costs, found.sigmas)


def test_prices_by_step_undo_what_is_overstated() -> None:
    log = make_log(600, 4, 20)
    shared = router(Late(), max_depth=3).fit(log, budget=0.8)
    by_step = router(Late(), max_depth=3, per_step=True).fit(log, budget=0.8)
    assert shared.step_factors_ == (1.0,)
    assert by_step.step_factors_[0] == 1.0
    assert max(by_step.step_factors_) > 1.0
    one, other = shared.evaluate(log), by_step.evaluate(log)
    assert other.cost.mean == pytest.approx(0.8, rel=1e-9)
    assert other.quality.mean > one.quality.mean
    fresh = make_log(600, 4, 21)
    assert by_step.evaluate(fresh).quality.mean > shared.evaluate(fresh).quality.mean
    curves = hr.frontier(
        Late(),
        log,
        fresh,
        strategies={
            name: router(Late(), max_depth=3, per_step=name == "by step")
            for name in ("by step", "shared")
        },
        n_budgets=4,
    )
    assert curves.differences()["by step", "shared"].mean > 0.0


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("target", ["budget", "quality", "lambda_"])
def test_prices_by_step_are_no_worse(strategy: str, target: str) -> None:
    log = make_log(150, 4, 22)
    if target == "lambda_" and strategy == "threshold_cascade":
        return
    fixed = {"lambda_": 0.2} if target == "lambda_" else {}
    budget = 0.7 if target == "budget" else None
    quality = 0.4 if target == "quality" else None

    def score(per_step: bool) -> float:
        fitted = router(Blend(), strategy=strategy, per_step=per_step, **fixed)
        fitted.fit(log, budget=budget, quality=quality)
        found = fitted.evaluate(log, n_bootstrap=2)
        if target == "budget":
            assert found.cost.mean == pytest.approx(0.7, rel=1e-9)
        if target == "quality":
            return -found.cost.mean
        return found.quality.mean - (0.2 * found.cost.mean if fixed else 0.0)

    assert score(True) >= score(False) - 1e-12


def test_evaluation_adds_up() -> None:
    log = make_log(90, 4, 13)
    fitted = router(Blend()).fit(log, budget=0.7)
    evaluation = fitted.evaluate(log, n_bootstrap=500)
    assert evaluation.latency is not None
    assert evaluation.latency.mean == pytest.approx(1.4)
    assert sum(share.mean for share in evaluation.answered.values()) == pytest.approx(1.0)
    assert sum(share.mean for share in evaluation.stopped) == pytest.approx(1.0)
    steps = sum(step * share.mean for step, share in enumerate(evaluation.stopped, 1))
    assert steps == pytest.approx(evaluation.models_per_query.mean)
    assert evaluation.quality.low < evaluation.quality.mean < evaluation.quality.high
    groups = evaluation.groups
    assert sorted(groups) == ["x", "y"]
    assert sum(part.n_queries * part.cost.mean for part in groups.values()) == pytest.approx(
        90 * 0.7
    )
    text = str(evaluation)
    assert "90 queries" in text
    assert "group x: 30 queries" in text
    charged = fitted.evaluate(log, estimate_cost=0.01, decision_cost=0.1)
    assert charged.cost.mean > 0.7 + 0.11
    assert charged.quality.mean == evaluation.quality.mean


@pytest.mark.parametrize(
    ("strategy", "max_depth", "sure"),
    [
        ("routing", None, 1),
        ("cascade_routing", 1, 1),
        ("threshold_cascade", 2, 2),
        ("cascade_routing", 3, None),
        ("index", None, None),
    ],
)
def test_the_first_token_waits_until_it_is_sure_who_answers(
    strategy: str, max_depth: int | None, sure: int | None
) -> None:
    base = make_log(60, 4, 23)
    rng = np.random.default_rng(0)
    latency = rng.uniform(0.5, 1.0, base.quality.shape)
    log = hr.QueryLog(
        base.quality,
        base.cost,
        features=base.queries.features,
        signals=base.queries.signals,
        latency=latency,
        first_token_latency=latency * 0.25,
    )
    fitted = router(Blend(), strategy=strategy, max_depth=max_depth).fit(log, budget=0.4)
    found = fitted.evaluate(log, n_bootstrap=2)
    assert found.latency is not None
    assert found.first_token_latency is not None
    assert "first token" in str(found)
    expected = 0.0
    for share, ties, price in (
        (fitted.gamma_, "cheapest", fitted.lambdas_[0]),
        (1.0 - fitted.gamma_, fitted._learned[0].mixture.dear.ties, fitted.lambdas_[1]),
    ):
        for row in range(log.n_queries if share else 0):
            options: Any = {"strategy": strategy, "max_depth": max_depth, "n_samples": S}
            path, _ = plain_rollout(Blend(), log, row, price, ties=ties, **options)
            seconds = [float(latency[row, model]) for model in path]
            if len(path) == sure:
                seconds[-1] *= 0.25
            expected += share * sum(seconds) / log.n_queries
    assert found.first_token_latency.mean == pytest.approx(expected)
    assert (found.first_token_latency.mean < found.latency.mean) == (sure is not None)


def test_intervals_are_those_of_the_mean() -> None:
    log = make_log(2000, 1, 14)
    evaluation = router(Blend()).fit(log, budget=float(log.cost.mean())).evaluate(log)
    half = 1.96 * log.quality.std() / np.sqrt(2000)
    assert evaluation.quality.high - evaluation.quality.low == pytest.approx(2 * half, rel=0.15)
    assert evaluation.answered["model a"] == hr.Interval(1.0, 1.0, 1.0)


def test_scikit_learn_can_clone_a_router() -> None:
    base = pytest.importorskip("sklearn.base")
    log = make_log(30, 3, 15)
    original = router(Blend(0.3), strategy="index").fit(log, budget=0.7)
    twin = base.clone(original)
    assert twin.get_params()["estimator__sigma"] == 0.3
    assert twin.get_params(deep=False)["lambda_"] is None
    assert twin.lambda_ is None
    assert not hasattr(twin, "gamma_")
    twin.set_params(estimator__sigma=0.1, strategy="cascade", lambda_=0.5)
    assert twin.get_params()["estimator__sigma"] == 0.1
    assert original.get_params()["estimator__sigma"] == 0.3
    assert twin.fit(log).lambda_ == 0.5
    assert "strategy='cascade'" in repr(twin)
    with pytest.raises(ValueError, match="unknown parameter 'depth'"):
        twin.set_params(depth=3)


@pytest.mark.parametrize(
    "estimator", [hr.NoisyEstimator(), hr.GaussianEstimator(), hr.BinaryEstimator()]
)
def test_a_router_sets_parameters_of_its_estimator(estimator: Any) -> None:
    name = next(iter(estimator.get_params()))
    changed = hr.Router(estimator).set_params(**{f"estimator__{name}": 1})
    assert changed.get_params()[f"estimator__{name}"] == 1
    assert repr(changed) == f"Router({type(estimator).__name__}({name}=1))"


@pytest.mark.parametrize("lookahead", ["auto", [0.5], np.nan, -1.0])
def test_a_lookahead_is_one_number(lookahead: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="lookahead must"):
        hr.Router(Blend(), lookahead=lookahead).fit(make_log(10, 2, 0), budget=1.0)


def test_what_is_set_after_a_fit_waits_for_the_next(tmp_path: Path) -> None:
    """The price was tuned for the policy of the fit, which sessions and files keep, too."""
    log = make_log(60, 4, 3)
    ran = np.zeros((60, 4), dtype=bool)
    changed = router(hr.GaussianEstimator(), lambda_=0.02).fit(log)
    expected = changed.select(log.queries, ran)
    changed.set_params(strategy="routing", max_depth=1, n_samples=4, seed=5, backend="reference")
    changed.save(tmp_path / "saved")
    for each in (changed, hr.load_router(tmp_path / "saved")):
        np.testing.assert_array_equal(each.select(log.queries, ran).supermodel, expected.supermodel)
        assert each.start(log.queries.features[0]).explain().strategy == "cascade_routing"  # type: ignore[index]
    assert expected.supermodel.sum(axis=1).max() > 1
    routed = changed.fit(log).select(log.queries, ran)
    assert routed.supermodel.sum(axis=1).max() == 1
    assert hr.load_router(tmp_path / "saved").get_params()["strategy"] == "cascade_routing"


def test_an_estimator_that_is_fitted_again_leaves_the_router_as_it_is(tmp_path: Path) -> None:
    """Sessions of the compiled router and selections in Python go on to agree."""
    log, other = make_log(60, 4, 3), make_log(60, 4, 4)
    estimator = hr.GaussianEstimator().fit(log)
    tuned = router(estimator, lambda_=0.05).fit(log, refit=False)
    tuned.save(tmp_path / "saved")
    loaded = hr.load_router(tmp_path / "saved")
    rows, ran = np.arange(20), np.zeros((20, 4), dtype=bool)
    expected = tuned.select(log.queries.rows(rows), ran).next_model
    firsts = [tuned.start(log.queries.features[row]).next_index for row in rows]  # type: ignore[index]
    estimator.fit(other)
    loaded.estimator.fit(other)
    for each in (tuned, loaded):
        np.testing.assert_array_equal(each.select(log.queries.rows(rows), ran).next_model, expected)
        again = [each.start(log.queries.features[row]).next_index for row in rows]  # type: ignore[index]
        assert again == firsts
    anew = router(estimator, lambda_=0.05).fit(log, refit=False)
    assert anew.select(log.queries.rows(rows), ran).next_model.tolist() != expected.tolist()


def test_import_is_light() -> None:
    code = (
        "import sys, headrace; heavy = {'scipy', 'sklearn', 'matplotlib', 'tqdm', 'pandas'}; "
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Wrong(Blend):
    """Gives estimates of a wrong shape, or with NaN."""

    def __init__(self, name: str, value: Any, **others: Any) -> None:
        super().__init__()
        self.wrong = {name: value, **others}

    def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
        right = vars(super().estimate(queries, ran))
        return hr.Estimates(**{**right, **self.wrong})


def with_nan(log: hr.QueryLog) -> hr.QueryLog:
    quality = log.quality.copy()
    quality[2, 1] = np.nan
    return hr.QueryLog(quality, log.cost, features=log.queries.features, models=log.models)


LOG = make_log(20, 3, 16)
BAD: Any = "1"
SURE, ALL = np.ones((1, 3, 1)), np.zeros(20, np.int64)
BAD_REVEALS: list[tuple[str, Any, dict[str, Any], type[Exception], str]] = [
    ("no reveals", (SURE, SURE), {}, TypeError, "reveals must be headrace.Reveals, got"),
    ("reveals alone", hr.Reveals(SURE, SURE, ALL), {"sigmas": None}, ValueError, "need the spread"),
    ("chances of text", hr.Reveals(SURE.astype(str), SURE, ALL), {}, TypeError, "chances of rev"),
    ("chances end early", hr.Reveals(SURE / 2, SURE, ALL), {}, ValueError, "rise from .* up to 1"),
    (
        "chances fall",
        hr.Reveals(np.tile([0.9, 0.8, 1.0], (1, 3, 1)), np.ones((1, 3, 3)), ALL),
        {},
        ValueError,
        "rise from node to node",
    ),
    ("groups of other rows", hr.Reveals(SURE, SURE, ALL[:2]), {}, ValueError, "groups of reveals"),
    ("a group too many", hr.Reveals(SURE, SURE, ALL + 1), {}, ValueError, "group of row 0 is not"),
    (
        "a negative scale",
        hr.Reveals(SURE, SURE, ALL, -1.0),
        {},
        ValueError,
        "scale of reveals must",
    ),
    ("no probabilities", hr.Reveals(SURE, SURE, ALL), {}, ValueError, "must be in 0 to 1 where"),
]
FAULTS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no target", lambda: router(Blend()).fit(LOG), ValueError, "just one of budget.*got none"),
    (
        "two targets",
        lambda: router(Blend()).fit(LOG, budget=1.0, quality=0.5),
        ValueError,
        r"just one of budget.*\['budget', 'quality'\]",
    ),
    (
        "budget beside lambda_",
        lambda: router(Blend(), lambda_=1.0).fit(LOG, budget=1.0),
        ValueError,
        "the fixed lambda_",
    ),
    ("budget nan", lambda: router(Blend()).fit(LOG, budget=np.nan), ValueError, "budget .*finite"),
    ("budget < 0", lambda: router(Blend()).fit(LOG, budget=-1.0), ValueError, "budget .*negative"),
    ("budget text", lambda: router(Blend()).fit(LOG, budget=BAD), TypeError, "budget .*numbers"),
    (
        "budget too low",
        lambda: router(Blend()).fit(LOG, budget=0.01),
        ValueError,
        r"budget 0\.01 cannot be met: .*from 0\.\d+ to \d\.\d+",
    ),
    (
        "budget too high",
        lambda: router(Blend()).fit(LOG, budget=100.0),
        ValueError,
        r"budget 100 cannot be met: .*from 0\.\d+ to \d\.\d+",
    ),
    (
        "budget too high for a threshold",
        lambda: router(Blend(), strategy="threshold_cascade").fit(LOG, budget=100.0),
        ValueError,
        r"budget 100 cannot be met: .*from 0\.\d+ to \d\.\d+",
    ),
    (
        "quality too high",
        lambda: router(Blend()).fit(LOG, quality=9.0),
        ValueError,
        r"quality 9 cannot be met: .*to 0\.\d+",
    ),
    (
        "strategy",
        lambda: router(Blend(), strategy="best").fit(LOG, budget=1.0),
        ValueError,
        "unknown strategy 'best'.*threshold_cascade",
    ),
    (
        "search",
        lambda: router(Blend(), search="all").fit(LOG, budget=1.0),
        ValueError,
        "unknown search",
    ),
    (
        "depth of index",
        lambda: router(Blend(), strategy="index", max_depth=2).fit(LOG, budget=1.0),
        ValueError,
        "must not be combined with max_depth",
    ),
    (
        "depth 0",
        lambda: router(Blend(), strategy="threshold_cascade", max_depth=0).fit(LOG, budget=1.0),
        ValueError,
        "max_depth must be at least 1",
    ),
    (
        "lookahead",
        lambda: router(Blend(), lookahead=-1.0).fit(LOG, budget=1.0),
        ValueError,
        "lookahead must not be negative",
    ),
    ("samples", lambda: router(Blend(), n_samples=3).fit(LOG, budget=1.0), ValueError, "power of"),
    (
        "missing",
        lambda: hr.Router(Blend()).fit(with_nan(LOG), budget=1.0),
        ValueError,
        "for query 2",
    ),
    (
        "missing where evaluated",
        lambda: router(Blend()).fit(LOG, budget=0.5).evaluate(with_nan(LOG)),
        ValueError,
        r"quality of model 'model b' is missing for query 2 \(1 cells",
    ),
    (
        "other models",
        lambda: router(Blend()).fit(LOG, budget=0.5).evaluate(permuted(LOG, [1, 0, 2])),
        ValueError,
        r"must have the models \['model a', 'model b', 'model c'\]",
    ),
    ("not fitted", lambda: router(Blend()).evaluate(LOG), ValueError, "not fitted yet"),
    (
        "bootstrap",
        lambda: router(Blend()).fit(LOG, budget=0.5).evaluate(LOG, n_bootstrap=1),
        ValueError,
        "n_bootstrap must be at least 2",
    ),
    (
        "charge",
        lambda: router(Blend()).fit(LOG, budget=0.5).evaluate(LOG, decision_cost=-1.0),
        ValueError,
        "decision_cost must not be negative",
    ),
    (
        "ran shape",
        lambda: router(Blend()).fit(LOG, budget=0.5).select(LOG.queries, np.zeros((2, 3), bool)),
        ValueError,
        r"ran must have shape \(n, k\) = \(20, 3\), got \(2, 3\)",
    ),
    (
        "ran dtype",
        lambda: router(Blend()).fit(LOG, budget=0.5).select(LOG.queries, np.zeros((20, 3))),
        TypeError,
        "ran must be of dtype bool",
    ),
    (
        "dearer",
        lambda: (
            router(Blend())
            .fit(LOG, budget=0.5)
            .select(LOG.queries, np.zeros((20, 3), bool), dearer=[True])
        ),
        ValueError,
        r"dearer must be bool of shape \(20,\)",
    ),
    (
        "no answer",
        lambda: router(Blend()).fit(LOG, budget=0.5).answer(LOG.queries, np.zeros((20, 3), bool)),
        ValueError,
        "no model has run in row 0",
    ),
    (
        "shape of estimates",
        lambda: router(Wrong("costs", np.ones(3))).fit(LOG, budget=0.5),
        ValueError,
        r"estimator's costs must have shape \(n, k\) = \(20, 3\), got \(3,\)",
    ),
    *(
        (
            name,
            lambda given=given, lacks=lacks: router(Wrong("reveals", given, **lacks)).fit(
                LOG, budget=1.0
            ),
            kind,
            words,
        )
        for name, given, lacks, kind, words in BAD_REVEALS
    ),
    (
        "sigmas and covariance",
        lambda: router(Wrong("covariance", np.eye(3))).fit(LOG, budget=0.5),
        ValueError,
        "exclude each other",
    ),
    (
        "nan of estimates",
        lambda: router(Wrong("sigmas", np.full(3, np.nan))).fit(LOG, budget=0.5),
        ValueError,
        "sigmas must be finite",
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_bad_input(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_an_estimator_cannot_change_the_log() -> None:
    class InPlace(Blend):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            assert queries.features is not None
            features = queries.features
            features -= features.mean(axis=0)
            return super().estimate(queries, ran)

    with pytest.raises(ValueError, match="read-only"):
        router(InPlace(), strategy="routing").fit(make_log(20, 3, 1), budget=0.5)


def test_a_budget_is_met_on_a_log_with_gaps() -> None:
    log = make_log(200, 3, 4)
    quality = log.quality.copy()
    quality[::3, 1] = np.nan
    known: Any = {"signals": log.queries.signals, "models": log.models}
    gaps = hr.QueryLog(quality, log.cost, **known)
    fitted = router(hr.GaussianEstimator()).fit(gaps, budget=0.6)
    whole = hr.QueryLog(log.quality, log.cost, **known)
    assert fitted.evaluate(whole).cost.mean == pytest.approx(0.6, rel=1e-9)
    with pytest.raises(ValueError, match="is missing for query 0"):
        router(hr.GaussianEstimator(), lookahead=None).fit(gaps, budget=0.6)


def estimates(*parts: Any) -> hr.Estimates:
    """Return estimates of whatever parts."""
    return hr.Estimates(*parts)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((1.0, 2.0), TypeError, "must return headrace.Estimates"),
        (estimates([["a"] * 3] * 9, [[1.0] * 3] * 9), TypeError, "qualities must hold real"),
        (estimates([[1j] * 3] * 9, [[1.0] * 3] * 9), TypeError, "qualities must hold real"),
        (estimates([[0.5] * 3] * 8, [[1.0] * 3] * 9), ValueError, r"shape \(n, k\) = \(9, 3\)"),
        (estimates([[0.5] * 3] * 9, [[-1.0] * 3] * 9), ValueError, "costs must not be negative"),
    ],
)
def test_estimates_that_are_none(answer: Any, kind: type[Exception], message: str) -> None:
    class Given(Blend):
        def estimate(self, queries: hr.Queries, ran: Any) -> Any:
            return answer

    with pytest.raises(kind, match=message):
        router(Given(), strategy="routing").fit(make_log(9, 3, 2), budget=0.5)


def test_estimates_may_be_lists_or_narrow_floats() -> None:
    class Narrow(Blend):
        def fit(self, log: hr.QueryLog) -> Any:
            return None

        def estimate(self, queries: hr.Queries, ran: Any) -> Any:
            found = super().estimate(queries, ran)
            sigmas = np.asarray(found.sigmas, dtype=np.float32)
            return estimates(found.qualities.astype(np.float32), found.costs.tolist(), sigmas)

    log = make_log(30, 3, 2)
    assert router(Narrow()).fit(log, budget=0.5).evaluate(log).cost.mean == pytest.approx(0.5)


def test_uncertainty_of_what_has_run_is_refused() -> None:
    class Unsure(Blend):
        def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
            found = super().estimate(queries, ran)
            return hr.Estimates(found.qualities, found.costs, np.full(3, 0.2))

    with pytest.raises(ValueError, match=r"sigmas must be 0 for models that have run, \[\d\]"):
        router(Unsure()).fit(make_log(30, 3, 2), budget=0.9)


def test_a_threshold_cascade_goes_on_after_its_last_run() -> None:
    log = make_log(40, 4, 3)
    fitted = router(Blend(), strategy="threshold_cascade").fit(log, budget=0.6)
    ran = np.random.default_rng(0).random((40, 4)) < 0.5
    chosen = fitted.select(log.queries, ran).next_model
    place = np.argsort(fitted.order_)
    for row in range(40):
        if chosen[row] >= 0:
            assert all(place[chosen[row]] > place[model] for model in np.flatnonzero(ran[row]))
