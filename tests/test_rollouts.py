"""The benchmark of quality plays as a plain loop would, and measures what it says."""

from __future__ import annotations

import headrace as hr
import numpy as np
import pytest
from confidences import ConfidenceEstimator
from curves import area, budgets, interval, pareto_hull, resampling_weights
from rollouts import Decisions, ThresholdCascade, knobs_for, play_thresholds, run_sets


def noisy_log(n: int = 60, k: int = 4) -> hr.QueryLog:
    """Return a log of right and wrong answers, dearer models better, seen through noise."""
    rng = np.random.default_rng(0)
    quality = rng.uniform(size=(n, k)) < np.linspace(0.4, 0.9, k)
    return hr.add_noise(hr.QueryLog(quality, 10.0 ** np.linspace(-4.0, -2.5, k)), "low")


@pytest.mark.parametrize("strategy", ["routing", "cascade", "cascade_routing", "index"])
def test_rollout_equals_a_plain_loop(strategy: str) -> None:
    log = noisy_log()
    estimator = hr.NoisyEstimator().fit(log)
    policy = Decisions(estimator, strategy, lambdas=(1.0, 1000.0))
    knobs = np.array([0.0, 0.6, 0.9])
    episodes = policy.play(log, knobs)
    for place, lambda_ in enumerate(1000.0**knobs):
        for row in range(log.n_queries):
            query, ran = log.queries.rows([row]), np.zeros((1, log.n_models), dtype=bool)
            while True:
                estimates = estimator.estimate(query, np.flatnonzero(ran[0]).tolist())
                if ran.all() or (strategy == "routing" and ran.any()):
                    break
                [following] = hr.batch_select(
                    estimates.qualities,
                    estimates.costs,
                    lambda_,
                    sigmas=estimates.sigmas,
                    ran=ran,
                    strategy=strategy,
                ).next_model
                if following < 0:
                    break
                ran[0, following] = True
            answer = np.where(ran[0], estimates.qualities[0], -np.inf).argmax()
            assert episodes.quality[place, row] == log.quality[row, answer]
            assert episodes.models[place, row] == ran.sum()
            assert episodes.cost[place, row] == pytest.approx(log.cost[row, ran[0]].sum())


def test_threshold_cascade_walks_until_an_answer_is_good_enough() -> None:
    log = noisy_log()
    cascade = ThresholdCascade(hr.NoisyEstimator().fit(log))
    nothing, everything = cascade.play(log, np.array([0.0, 1.0])).models
    assert np.all(everything == 1)
    assert nothing.mean() > log.n_models - 1
    tuned = play_thresholds(cascade, log, log, np.array([5e-4, 1e-3]))
    assert np.all(tuned.cost.mean(axis=1) <= 1e-3)


def test_knobs_spend_what_the_budget_allows() -> None:
    log = noisy_log(400)
    policy = Decisions(hr.NoisyEstimator(fuse=True).fit(log), "index")
    wanted = np.array([1e-6, 3e-4, 1e-3, 2e-3])
    cost = policy.play(log, knobs_for(policy, log, wanted)).cost.mean(axis=1)
    assert np.all(cost[1:] <= wanted[1:])
    assert np.all(cost[1:] > 0.97 * wanted[1:])
    assert cost[0] == log.cost[:, 0].mean(), "below the cheapest model there is only that one"


def test_run_sets() -> None:
    ran = np.random.default_rng(0).uniform(size=(200, 12)) < 0.2
    rows = []
    for run, members in run_sets(ran):
        assert np.all(ran[members] == np.isin(np.arange(12), run))
        rows += members.tolist()
    assert sorted(rows) == list(range(200))


def test_hull_budgets_and_area() -> None:
    costs, qualities = np.array([3.0, 1.0, 2.0, 5.0, 4.0]), np.array([0.8, 0.5, 0.4, 0.7, 0.9])
    hull = pareto_hull(costs, qualities)
    assert hull.tolist() == [1, 0, 4]
    spend = budgets(costs, qualities)
    assert len(spend) == 19
    assert (spend[0], spend[9], spend[-1]) == (1.0, 3.0, 4.0)
    # Single models: 0.65 on average from 1 to 3, 0.85 to 4, and 0.9 beyond.
    assert area(costs[hull], qualities[hull], costs, 0.4) == pytest.approx(
        (2 * 0.65 + 0.85 + 0.9) / 4
    )
    # A curve that begins late comes from the worst model; beyond the range it does not count.
    assert area(np.array([9.0, 2.0]), np.array([0.9, 0.9]), costs, 0.4) == pytest.approx(
        (0.65 + 3 * 0.9) / 4
    )


def test_bootstrap_weights() -> None:
    weights = resampling_weights(50)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    values = np.random.default_rng(1).normal(size=50)
    low, high = interval(weights @ values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.15)


def test_confidences() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.02, 0.98, size=(4000, 2))
    log = hr.QueryLog(
        rng.uniform(size=chance.shape) < chance,
        0.1 + 0.01 * np.ones((4000, 2)),
        features=rng.uniform(1.0, 9.0, size=(4000, 2)),
        signals=np.log(chance),
        groups=np.where(rng.uniform(size=4000) < 0.5, "a", "b"),
    )
    estimator = ConfidenceEstimator().fit(log)
    before, after = estimator.estimate(log.queries, []), estimator.estimate(log.queries, [0])
    assert np.abs(after.qualities[:, 0] - chance[:, 0]).max() < 0.06
    np.testing.assert_array_equal(after.qualities[:, 1], before.qualities[:, 1])
    np.testing.assert_allclose(before.costs, 0.11)
    assert after.sigmas is not None
    assert after.sigmas[0] == 0.0
    assert after.sigmas[1] == pytest.approx(chance[:, 1].std(), rel=0.05)
