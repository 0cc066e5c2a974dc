"""Simulate whole rollouts on a log: decide, run the model, update, until every query stops.

A state is a query with the set of models that have run on it. Rollouts at many prices share their
work: a state is estimated once, and it is decided only at as many prices as it takes to prove the
others. Tradeoffs are linear in the price, so a supermodel that is best at two prices is best at
every price in between (up to the tolerance of ties): the prices of a state are bisected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headrace._backends import pick
from headrace._check import check_threads
from headrace._forecasts import Forecasts
from headrace._log import Integers, QueryLog
from headrace._policy import Policy
from headrace._problem import Bools, Floats
from headrace._rollout_problem import STOP, Bytes, Forecast, RolloutProblem


@dataclass(frozen=True, eq=False)
class Rollouts:
    """What a policy did with ``n`` queries at ``L`` prices.

    Attributes
    ----------
    rows : int64 array of shape (n,)
        Position of each query in the log.
    paths : int64 array of shape (L, n, T)
        Models in the order in which they ran, then -1.
    answers : int64 array of shape (L, n)
        Model whose answer was given.
    plans : uint8 array of shape (L, n, T + 1, w)
        Supermodel of each decision, as bits. Where two prices agree in all plans of a query, so do
        all prices in between, if the policy is linear.
    decisions, estimates : int64 array of shape (L, n)
        How many decisions were taken, and how many states were estimated for it.
    """

    rows: Integers
    paths: Integers
    answers: Integers
    plans: Bytes
    decisions: Integers
    estimates: Integers

    def at(self, place: int) -> Rollouts:
        """Return those at one of the prices."""
        return self._part(self.rows, np.s_[place : place + 1])

    def of(self, queries: Bools) -> Rollouts:
        """Return those of the queries where a mask is true."""
        return self._part(self.rows[queries], np.s_[:, queries])

    def _part(self, rows: Integers, where: Any) -> Rollouts:
        return Rollouts(
            rows,
            self.paths[where],
            self.answers[where],
            self.plans[where],
            self.decisions[where],
            self.estimates[where],
        )

    @property
    def steps(self) -> Integers:
        """Number of models that ran, shape (L, n)."""
        steps: Integers = (self.paths >= 0).sum(axis=2)
        return steps

    def summed(self, values: Floats) -> Floats:
        """Sum a log's values of shape (n, k) over the models that ran; shape (L, n)."""
        total = np.zeros(self.answers.shape)
        for models in np.moveaxis(self.paths, 2, 0):
            total += np.where(models >= 0, values[self.rows, models], 0.0)
        return total

    def until_first_token(
        self, latency: Floats, first_token_latency: Floats, sure_at: int | None
    ) -> Floats:
        """Return the seconds until the first token of the answer can be shown, shape (L, n).

        It can once it is sure whose answer is given: when the last run is over, or from its first
        token on if it is that of step ``sure_at``, whose answer is given whatever it says.
        """
        total = self.summed(latency)
        if sure_at is None:
            return total
        steps = self.steps
        last = np.take_along_axis(self.paths, steps[:, :, None] - 1, axis=2)[:, :, 0]
        begun = total - latency[self.rows, last] + first_token_latency[self.rows, last]
        first: Floats = np.where(steps == sure_at, begun, total)
        return first

    def answered(self, values: Floats) -> Floats:
        """Take a log's values of shape (n, k) at the answers; shape (L, n)."""
        taken: Floats = values[self.rows, self.answers]
        return taken


def roll_out(
    forecasts: Forecasts,
    policy: Policy,
    prices: ArrayLike,
    *,
    rows: Integers | None = None,
    ties: str = "cheapest",
) -> Rollouts:
    """Roll a policy out at one or many prices.

    Parameters
    ----------
    forecasts : Forecasts
        The queries, what is expected of them, and the order of the models.
    policy : Policy
        What decides.
    prices : array-like of shape (L,) or (L, T)
        Prices lambda, or thresholds; the same decisions as one by one. Of one dimension they are
        multiplied by the policy's factors of the steps; of two, they are the price at each step,
        the last one at all later steps.
    rows : int64 array, optional
        Positions of the queries, ascending; all by default.
    ties : {"cheapest", "dearest"}
        As in :func:`headrace.batch_select`.
    """
    given = np.asarray(prices, dtype=np.float64)
    by_step = policy.prices(given) if given.ndim == 1 else given
    rows = np.arange(len(forecasts.queries)) if rows is None else rows

    def forecast(ran: tuple[int, ...], states: Integers) -> Forecast:
        return policy.forecast(forecasts.at(ran, rows[states]), partial(forecasts.factor, ran))

    k = forecasts.n_models
    problem = RolloutProblem(
        forecast=forecast,
        n_queries=len(rows),
        n_models=k,
        prices=np.ascontiguousarray(by_step),
        strategy=policy.strategy,
        search=policy.search,
        max_models=policy.most_models(k),
        ties=ties,
        samples=policy.samples(k),
    )
    traces = pick(policy.backend).roll_out(problem, check_threads(policy.n_threads))
    names = np.append(forecasts.order, STOP)  # position -1 stays -1
    return Rollouts(
        rows=rows,
        paths=names[traces.paths],
        answers=names[traces.answers],
        plans=traces.plans,
        decisions=traces.decisions,
        estimates=traces.estimates,
    )


def refuse_missing(what: str, log: QueryLog, array: Floats) -> None:
    """Refuse a log in which a cell is missing that a rollout may need."""
    missing = np.isnan(array)
    if missing.any():
        row, column = (int(i) for i in np.argwhere(missing)[0])
        raise ValueError(
            f"the {what} of model {log.models[column]!r} is missing for query {row} "
            f"({int(missing.sum())} cells in all): a rollout may run any model, so leave such rows "
            "out, or fit the estimator alone on them and tune the router with refit=False on others"
        )
