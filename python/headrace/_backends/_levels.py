"""Rollouts level by level in NumPy, for backends that decide batches and no more.

A state is a query with the set of models that have run on it; the pairs of states and prices of one
depth are decided together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headrace._problem import Floats, Problem
from headrace._reveals import Integers, Reveals
from headrace._rollout_problem import (
    STOP,
    Bytes,
    Forecast,
    RolloutProblem,
    Traces,
    best_answers,
    goes_on,
)
from headrace._selection import Selection

LINEAR = ("routing", "cascade", "cascade_routing")
"""Strategies whose choice, if it is best at two prices, is best at all prices in between.

So it is where tradeoffs are compared, which are linear in the price. Reservation values are not.
"""

Select = Callable[[Problem], Selection]


def roll_out(problem: RolloutProblem, select: Select) -> Traces:
    """Roll out by a function that decides batches."""
    n, k = problem.n_queries, problem.n_models
    n_prices, n_steps = problem.prices.shape
    shape = (n_prices, n)
    answers = np.full(shape, STOP)
    decisions = np.zeros(shape, dtype=np.int64)
    estimates = np.zeros(shape, dtype=np.int64)
    paths: list[Integers] = []
    plans: list[Bytes] = []

    run_sets: list[tuple[int, ...]] = [()]
    at = np.repeat(np.arange(n), n_prices)  # the pairs (state, price) that go on
    which = np.tile(np.arange(n_prices), n)
    run_set = np.zeros(n * n_prices, dtype=np.int64)
    while len(at):
        depth = len(run_sets[run_set[0]])
        price = problem.prices[:, min(depth, n_steps - 1)]
        sorted_ = np.lexsort((price[which], at, run_set))
        at, which, run_set = at[sorted_], which[sorted_], run_set[sorted_]
        starts = np.flatnonzero(np.diff(run_set * n + at, prepend=-1))
        state = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(at)))
        level = _Level(problem, select, run_sets, run_set[starts], at[starts])
        decides = depth < problem.max_models
        if decides or (depth > 1 and not problem.by_threshold):
            level.ask()
            estimates[which, at] += 1
        chosen = np.full(len(at), STOP)
        plan = np.zeros((len(at), (k + 7) // 8), dtype=np.uint8)
        if decides:
            decisions[which, at] += 1

            def decide(
                pairs: Integers,
                level: _Level = level,
                state: Integers = state,
                prices: Floats = price[which],
            ) -> tuple[Integers, Bytes]:
                return level.decide(state[pairs], prices[pairs])

            if problem.strategy in LINEAR:
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

    return Traces(
        paths=np.stack(paths[:-1], axis=2),
        answers=answers,
        plans=np.stack(plans, axis=2),
        decisions=decisions,
        estimates=estimates,
    )


@dataclass(eq=False)
class _Group:
    """States in which the same models have run."""

    ran: tuple[int, ...]
    states: slice
    forecast: Forecast | None = None


class _Level:
    """The states of one depth, sorted by what has run."""

    def __init__(
        self,
        problem: RolloutProblem,
        select: Select,
        run_sets: list[tuple[int, ...]],
        run_set: Integers,
        queries: Integers,
    ) -> None:
        self.problem = problem
        self.select = select
        self.queries = queries
        bounds = np.append(np.flatnonzero(np.diff(run_set, prepend=-1)), len(run_set))
        self.groups = [
            _Group(run_sets[run_set[first]], slice(first, end))
            for first, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]

    def ask(self) -> None:
        """Collect what is expected of all states."""
        shape = (len(self.queries), self.problem.n_models)
        self.qualities, self.costs = np.empty(shape), np.empty(shape)
        self.ran = np.zeros(shape, dtype=np.bool_)
        self.sigmas: Floats | None = None
        self.factors = False
        reveals: list[Reveals] = []
        for group in self.groups:
            found = self.problem.forecast(group.ran, self.queries[group.states])
            group.forecast = found
            self.qualities[group.states], self.costs[group.states] = found.qualities, found.costs
            self.ran[group.states, list(group.ran)] = True
            if found.sigmas is not None:
                if self.sigmas is None:
                    self.sigmas = np.zeros(shape)
                self.sigmas[group.states] = found.sigmas
            self.factors |= found.factor is not None
            if found.reveals is not None:
                reveals.append(found.reveals)
        self.reveals = Reveals.joined(reveals) if reveals else None

    def answers(self) -> Integers:
        """Return the answer of each state, should it stop."""
        answers = np.empty(len(self.queries), dtype=np.int64)
        for group in self.groups:
            if len(group.ran) == 1 or self.problem.by_threshold:
                answers[group.states] = group.ran[-1]
            else:
                answers[group.states] = best_answers(self.qualities[group.states], group.ran, False)
        return answers

    def decide(self, states: Integers, prices: Floats) -> tuple[Integers, Bytes]:
        """Decide states at a price each: the next model, or -1, and the supermodel as bits."""
        if self.problem.by_threshold:
            return self._compare(states, prices)
        if not self.factors:
            return self._decide(states, prices, None)
        chosen = np.empty(len(states), dtype=np.int64)
        plan = np.empty((len(states), (self.problem.n_models + 7) // 8), dtype=np.uint8)
        by_state = np.argsort(states, kind="stable")
        firsts = [group.states.start for group in self.groups]
        bounds = np.append(np.searchsorted(states[by_state], firsts), len(states)).tolist()
        for group, first, end in zip(self.groups, bounds[:-1], bounds[1:], strict=True):
            if end > first:
                assert group.forecast is not None
                some = by_state[first:end]
                chosen[some], plan[some] = self._decide(
                    states[some], prices[some], group.forecast.factor
                )
        return chosen, plan

    def _compare(self, states: Integers, thresholds: Floats) -> tuple[Integers, Bytes]:
        n_run = len(self.groups[0].ran)
        ran = self.ran[states]
        going = np.ones(len(states), dtype=np.bool_)
        if n_run:
            going = goes_on(self.qualities[states, n_run - 1], thresholds)
        ran[going, n_run] = True
        return np.where(going, n_run, STOP), np.packbits(ran, axis=1)

    def _decide(
        self, states: Integers, prices: Floats, factor: Floats | None
    ) -> tuple[Integers, Bytes]:
        certain = self.sigmas is None and self.reveals is None and factor is None
        selection = self.select(
            Problem(
                qualities=self.qualities[states],
                costs=self.costs[states],
                lambda_=prices,
                sigmas=None if self.sigmas is None else self.sigmas[states],
                factor=factor,
                ran=self.ran[states],
                samples=None if certain else self.problem.samples,
                strategy=self.problem.strategy,
                search=self.problem.search,
                max_models=self.problem.max_models,
                fixed_order=False,
                ties=self.problem.ties,
                node_limit=None,
                time_limit=None,
                reveals=None if self.reveals is None else self.reveals.rows(states),
            )
        )
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
