"""Simulate whole rollouts on a log: decide, run the model, update, until every query stops.

A state is a query with the set of models that have run on it. Rollouts at many prices share their
work: a state is estimated once, and it is decided only at as many prices as it takes to prove the
others. Tradeoffs are linear in the price, so a supermodel that is best at two prices is best at
every price in between (up to the tolerance of ties): the prices of a state are bisected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headrace._estimators.protocol import Estimates
from headrace._forecasts import Forecasts
from headrace._log import Integers
from headrace._policy import Policy
from headrace._problem import Bools, Floats

Bytes = NDArray[np.uint8]

STOP = -1


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

    @property
    def steps(self) -> Integers:
        """Number of models that ran, shape (L, n)."""
        steps: Integers = (self.paths >= 0).sum(axis=2)
        return steps

    def summed(self, values: Floats) -> Floats:
        """Sum a log's values of shape (n, k) over the models that ran; shape (L, n)."""
        cells = values[self.rows[:, None], self.paths]
        total: Floats = np.where(self.paths >= 0, cells, 0.0).sum(axis=2)
        return total

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
    prices : array-like of shape (L,)
        Prices lambda, or thresholds; the same decisions as one by one.
    rows : int64 array, optional
        Positions of the queries, ascending; all by default.
    ties : {"cheapest", "dearest"}
        As in :func:`headrace.batch_select`.
    """
    given = np.asarray(prices, dtype=np.float64)
    ascending = np.argsort(given, kind="stable")
    price = given[ascending]
    rows = np.arange(len(forecasts.queries)) if rows is None else rows
    n, n_prices, k = len(rows), len(price), forecasts.n_models
    most = policy.most_models(k)
    shape = (n_prices, n)
    answers = np.full(shape, STOP)
    decisions = np.zeros(shape, dtype=np.int64)
    estimates = np.zeros(shape, dtype=np.int64)
    paths: list[Integers] = []
    plans: list[Bytes] = []

    run_sets: list[tuple[int, ...]] = [()]
    at = np.repeat(np.arange(n), n_prices)  # the pairs (state, price) that go on, sorted
    which = np.tile(np.arange(n_prices), n)
    run_set = np.zeros(n * n_prices, dtype=np.int64)
    while len(at):
        starts = np.flatnonzero(np.diff(run_set * n + at, prepend=-1))
        depth = len(run_sets[run_set[0]])
        decides = depth < most
        level = _Level(forecasts, policy, run_sets, run_set[starts], rows[at[starts]])
        if decides or level.ambiguous:
            level.estimate()
            estimates[which, at] += 1
        state = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(at)))
        chosen = np.full(len(at), STOP)
        plan = np.zeros((len(at), (k + 7) // 8), dtype=np.uint8)
        if decides:
            decisions[which, at] += 1

            def decide(
                pairs: Integers,
                level: _Level = level,
                state: Integers = state,
                which: Integers = which,
            ) -> tuple[Integers, Bytes]:
                return level.decide(state[pairs], price[which[pairs]], ties)

            if policy.linear:
                _bisect(decide, starts, np.append(starts[1:], len(at)) - 1, chosen, plan)
            else:
                chosen, plan = decide(np.arange(len(at)))
        ends = chosen == STOP
        if depth:
            answers[which[ends], at[ends]] = level.answers()[state[ends]]
        path = np.full(shape, STOP)
        path[which, at] = chosen
        paths.append(path)
        told = np.zeros((*shape, plan.shape[1]), dtype=np.uint8)
        told[which, at] = plan
        plans.append(told)

        going = ~ends
        at, which, chosen = at[going], which[going], chosen[going]
        run_sets, run_set = _with_model(run_sets, run_set[going], chosen, k)
        by_state = np.lexsort((which, at, run_set))
        at, which, run_set = at[by_state], which[by_state], run_set[by_state]

    back = np.argsort(ascending, kind="stable")
    order = np.append(forecasts.order, STOP)  # position -1 stays -1
    return Rollouts(
        rows=rows,
        paths=order[np.stack(paths[:-1], axis=2)[back]],
        answers=order[answers[back]],
        plans=np.stack(plans, axis=2)[back],
        decisions=decisions[back],
        estimates=estimates[back],
    )


class _Level:
    """The states of one depth, sorted by what has run."""

    def __init__(
        self,
        forecasts: Forecasts,
        policy: Policy,
        run_sets: list[tuple[int, ...]],
        run_set: Integers,
        rows: Integers,
    ) -> None:
        self.forecasts = forecasts
        self.policy = policy
        self.rows = rows
        bounds = np.append(np.flatnonzero(np.diff(run_set, prepend=-1)), len(run_set))
        self.groups = [
            (run_sets[run_set[first]], slice(first, end))
            for first, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]
        n_run = len(self.groups[0][0])
        self.ambiguous = n_run > 1 and not policy.by_threshold

    def estimate(self) -> None:
        """Collect the estimates of all states."""
        shape = (len(self.rows), self.forecasts.n_models)
        self.qualities, self.costs = np.empty(shape), np.empty(shape)
        self.sigmas: Floats | None = None
        self.covariances: list[Floats] = []
        self.ran: Bools = np.zeros(shape, dtype=np.bool_)
        for ran, states in self.groups:
            known = self.forecasts.at(ran, self.rows[states])
            self.qualities[states], self.costs[states] = known.qualities, known.costs
            self.ran[states, list(ran)] = True
            if known.sigmas is not None:
                if self.sigmas is None:
                    self.sigmas = np.zeros(shape)
                self.sigmas[states] = known.sigmas
            self.covariances += [] if known.covariance is None else [known.covariance]
        if self.covariances and len(self.covariances) < len(self.groups):
            raise ValueError(
                "the estimator must give a covariance for all sets of models run, or for none"
            )

    def answers(self) -> Integers:
        """Return the answer of each state, should it stop."""
        answers = np.empty(len(self.rows), dtype=np.int64)
        for ran, states in self.groups:
            if self.ambiguous:
                answers[states] = self.policy.answer(self.qualities[states], ran)
            else:
                answers[states] = ran[-1]
        return answers

    def decide(self, states: Integers, prices: Floats, ties: str) -> tuple[Integers, Bytes]:
        """Decide states at a price each: the next model, or -1, and the supermodel as bits."""
        if not (self.covariances and self.policy.looks_ahead):
            return self._decide(states, prices, ties)
        chosen = np.empty(len(states), dtype=np.int64)
        plan = np.empty((len(states), (self.forecasts.n_models + 7) // 8), dtype=np.uint8)
        by_state = np.argsort(states, kind="stable")
        firsts = [group.start for _, group in self.groups]
        bounds = np.append(np.searchsorted(states[by_state], firsts), len(states)).tolist()
        for (ran, _), covariance, first, end in zip(
            self.groups, self.covariances, bounds[:-1], bounds[1:], strict=True
        ):
            if end > first:
                some = by_state[first:end]
                chosen[some], plan[some] = self._decide(
                    states[some], prices[some], ties, covariance, self.forecasts.factor(ran)
                )
        return chosen, plan

    def _decide(
        self,
        states: Integers,
        prices: Floats,
        ties: str,
        covariance: Floats | None = None,
        factor: Floats | None = None,
    ) -> tuple[Integers, Bytes]:
        estimates = Estimates(
            self.qualities[states],
            self.costs[states],
            None if self.sigmas is None else self.sigmas[states],
            covariance,
        )
        selection = self.policy.decide(estimates, self.ran[states], prices, ties, factor)
        return selection.next_model, np.packbits(selection.supermodel, axis=1)


def _bisect(
    decide: Callable[[Integers], tuple[Integers, Bytes]],
    first: Integers,
    last: Integers,
    chosen: Integers,
    plan: Bytes,
) -> None:
    """Decide the pairs ``first`` to ``last`` of each state, whose prices ascend."""
    todo = np.unique(np.concatenate([first, last]))
    while len(todo):
        chosen[todo], plan[todo] = decide(todo)
        inner = last - first > 1
        first, last = first[inner], last[inner]
        same = (plan[first] == plan[last]).all(axis=1)
        proven = _between(first[same], last[same])
        like = np.repeat(first[same], last[same] - first[same] - 1)
        chosen[proven], plan[proven] = chosen[like], plan[like]
        first, last = first[~same], last[~same]
        todo = (first + last) // 2
        first, last = np.concatenate([first, todo]), np.concatenate([todo, last])


def _between(first: Integers, last: Integers) -> Integers:
    """Return all positions strictly between each first and last, in turn."""
    lengths = last - first - 1
    before = np.cumsum(lengths) - lengths
    between: Integers = np.repeat(first + 1 - before, lengths) + np.arange(lengths.sum())
    return between


def _with_model(
    run_sets: list[tuple[int, ...]], run_set: Integers, chosen: Integers, n_models: int
) -> tuple[list[tuple[int, ...]], Integers]:
    """Add the chosen model to what has run; number the sets that result."""
    moves, inverse = np.unique(run_set * n_models + chosen, return_inverse=True)
    numbers: dict[tuple[int, ...], int] = {}
    renumbered = np.empty(len(moves), dtype=np.int64)
    for i, move in enumerate(moves.tolist()):
        ran = tuple(sorted((*run_sets[move // n_models], move % n_models)))
        renumbered[i] = numbers.setdefault(ran, len(numbers))
    return list(numbers), renumbered[inverse.reshape(-1)]
