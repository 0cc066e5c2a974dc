"""The benchmark of quality measures what it says."""

from __future__ import annotations

import headrace as hr
import numpy as np
import pytest
from confidences import ConfidenceEstimator
from quality_data import hull_budgets, with_noise
from quality_given import EARLIER
from quality_rows import (
    ALL_ROWS,
    GAUSSIAN_EXACT,
    RELEASED,
    ROUTING,
    FittedOn,
    noisy_rows,
)
from quality_scores import Score, average, scores
from quality_splits import realised_costs
from quality_tables import noise_tables
from quality_thresholds import N_DRAWN, N_SEARCHES, N_SHARED, searched_curves
from quality_times import synthetic


def test_budgets_divide_the_segments_of_the_hull() -> None:
    costs, qualities = [3.0, 1.0, 2.0, 5.0, 4.0], [0.8, 0.5, 0.4, 0.7, 0.9]
    spend = hull_budgets(hr.QueryLog([qualities], costs))
    assert len(spend) == 19  # from 1 to 3 and from 3 to 4, ten each
    assert (spend[0], spend[9], spend[-1]) == (1.0, 3.0, 4.0)


def test_every_row_has_a_score() -> None:
    log = hr.add_noise(synthetic(240, 3), "low")
    rows = noisy_rows(log)
    tuning, test = log.split(0.5)
    found = hr.frontier(rows[RELEASED].estimator, tuning, test, strategies=rows, n_budgets=2)
    scored = scores(found)
    assert set(rows) < set(scored)
    for score in scored.values():
        low, high = score.interval.low, score.interval.high
        assert low < score.auc < high
        assert score.latency is None
        assert 1.0 <= score.models <= 3.0
    one, other = list(scored.values())[:2]
    gap = average([one, other]).minus(other)
    assert gap.mean == pytest.approx((one.auc - other.auc) / 2.0)
    assert gap.low == pytest.approx(one.minus(other).low / 2.0)


def test_thresholds_sought_at_random() -> None:
    log = synthetic(120, 3)
    costs = log.cost * np.random.default_rng(0).uniform(1.0, 2.0, size=log.cost.shape)
    log = hr.add_noise(hr.QueryLog(log.quality, costs), "medium")
    tuning, test = log.split(0.5)
    router = hr.Router(hr.NoisyEstimator(), strategy="threshold_cascade")
    estimator = hr.NoisyEstimator().fit(tuning)
    order = tuning.cost.mean(axis=0).argsort().tolist()

    def outcomes(log: hr.QueryLog, thresholds: list[float]) -> tuple[float, float]:
        cost = quality = 0.0
        for row in range(log.n_queries):
            after = [*thresholds[1:], -np.inf]  # that of the first step is of no use
            for model, threshold in zip(order, after, strict=True):
                cost += log.cost[row, model]
                estimate = estimator.estimate(log.queries.rows([row]), [model])
                if estimate.qualities[0, model] >= threshold:
                    quality += log.quality[row, model]
                    break
        return cost / log.n_queries, quality / log.n_queries

    budgets = np.array([0.0, tuning.cost.mean(), 9.0 * tuning.cost.max()])
    curves = list(searched_curves(router, tuning, test, budgets))
    assert len(curves) == N_SEARCHES
    drawn = np.random.default_rng(1).uniform(size=(N_DRAWN, 3)).tolist()
    tried = [*([i / (N_SHARED - 1)] * 3 for i in range(N_SHARED)), *drawn]
    seen = [outcomes(tuning, thresholds) for thresholds in tried]
    for column, budget in enumerate(budgets.tolist()):
        limit = max(budget, min(cost for cost, _ in seen))
        within = [i for i, (cost, _) in enumerate(seen) if cost <= limit]
        best = min(within, key=lambda i: (-seen[i][1], seen[i][0]))
        found = curves[1].costs[column], curves[1].qualities[column]
        assert found == pytest.approx(outcomes(test, tried[best]))


def test_an_estimator_may_learn_from_another_log() -> None:
    tuning, test = hr.add_noise(synthetic(240, 3), "low").split(0.5)
    for log in (tuning, test):
        one = FittedOn(hr.NoisyEstimator(), test).fit(log).estimate(test.queries, [1])
        same = hr.NoisyEstimator().fit(test).estimate(test.queries, [1])
        np.testing.assert_array_equal(one.qualities, same.qualities)


def test_noise_does_not_depend_on_the_models_that_are_chosen() -> None:
    log = synthetic(50, 4)
    whole, some = (with_noise(log, models, "low", 3).queries for models in (range(4), (2, 0)))
    assert whole.features is not None
    assert whole.signals is not None
    np.testing.assert_array_equal(some.features, whole.features[:, [2, 0, 6, 4]])
    np.testing.assert_array_equal(some.signals, whole.signals[:, [2, 0]])
    deviation = (whole.features[:, :4] - log.quality).std()
    assert deviation == pytest.approx(0.6, rel=0.2)


def test_differences_to_the_earlier_simulator() -> None:
    column = "3 low"

    def scored(area: float) -> Score:
        return Score(area, np.zeros(2), 1.0, None, 1.0)

    scores = {
        RELEASED: scored(EARLIER[RELEASED][column] - 0.1),
        ROUTING: scored(EARLIER[ROUTING][column] + 0.5),
        GAUSSIAN_EXACT + ALL_ROWS: scored(90.0),  # nothing to compare it with
    }
    assert noise_tables({column: scores})[3].rows == [
        [ROUTING, "+0.50", "0 of 1"],
        [RELEASED, "-0.10", "1 of 1"],
    ]


def test_realised_costs() -> None:
    quality, cost = np.random.default_rng(0).uniform([0.0, 1.0], [1.0, 2.0], size=(2, 400, 2))
    log = hr.QueryLog(quality, cost)
    router = hr.Router(hr.PrecomputedEstimator(log.quality, log.cost), strategy="routing")
    for one in realised_costs(log, router):
        assert one.error == pytest.approx(0.6 / np.sqrt(200), rel=0.3)
        assert one.error_of_both == pytest.approx(np.sqrt(2.0) * one.error, rel=0.2)
        assert one.cost == pytest.approx(one.budget, abs=4.0 * one.error_of_both)


def test_confidences() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.02, 0.98, size=(4000, 2))
    log = hr.QueryLog(
        rng.uniform(size=chance.shape) < chance,
        0.1 + 0.01 * np.ones((4000, 2)),
        features=rng.uniform(1.0, 9.0, size=(4000, 2)),
        signals=np.log(chance) - np.log1p(-chance),
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
