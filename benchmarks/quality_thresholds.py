"""A threshold cascade as the paper has it, with thresholds that are sought at random.

The paper's own search is TPE. Unlike the strategy of `headrace.Router`, both leave a part of a
budget where spending more was worth less on the tuning rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import headrace as hr
import numpy as np
from headrace._estimators.protocol import fitted_copy
from headrace._forecasts import Forecasts, cost_order
from headrace._frontier import Curve, curve_of
from headrace._rollout import roll_out
from workloads import Floats

N_SHARED = 101
"""Thresholds from 0 to 1 that are tried for all steps alike."""
N_DRAWN = 500
"""Thresholds by step, uniform in [0, 1], that are tried beside them. The first step needs none."""
N_SEARCHES = 10
"""Which thresholds are found is chance: so many searches are averaged."""


def searched_curves(
    router: hr.Router, tuning: hr.QueryLog, test: hr.QueryLog, budgets: Floats
) -> Iterator[Curve]:
    """Yield the curves of a threshold cascade, one for each search.

    At each budget the thresholds are those with the highest quality on the tuning rows that cost no
    more there, of equals the cheapest ones; where all cost more, the cheapest ones.
    """
    estimator, policy = fitted_copy(router.estimator, tuning), router.policy(1.0)
    order = cost_order(tuning)
    n_steps = policy.most_models(tuning.n_models)
    shared = np.tile(np.linspace(0.0, 1.0, N_SHARED)[:, None], n_steps)
    seen, unseen = (Forecasts(estimator, log.queries, order) for log in (tuning, test))
    for seed in range(N_SEARCHES):
        drawn = np.random.default_rng(seed).uniform(size=(N_DRAWN, n_steps))
        thresholds = np.concatenate([shared, drawn])
        tried = roll_out(seen, policy, thresholds)
        costs = tried.summed(tuning.cost).mean(axis=1)
        qualities = tried.answered(tuning.quality).mean(axis=1)
        best = [
            np.lexsort((costs, -np.where(costs <= limit, qualities, -np.inf)))[0]
            for limit in np.maximum(budgets, costs.min()).tolist()
        ]
        found = roll_out(unseen, policy, thresholds[best])
        yield curve_of(test, found, np.eye(len(best)), policy.lookahead)
