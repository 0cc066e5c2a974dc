"""Whole episodes on a log: decide, run, look, decide again, at many prices at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import headrace as hr
import numpy as np
from headrace._estimators.protocol import Estimator
from headrace._log import QueryLog
from numpy.typing import NDArray
from workloads import Floats

EPISODES = 2**15
"""Episodes that are played at once: what is in memory, whatever the number of prices."""
STARTS = 33
HALVINGS = 12
THRESHOLD_TRIALS = 200
THRESHOLD_SPREAD = 0.3


@dataclass(frozen=True)
class Episodes:
    """What happened to ``n`` queries at ``m`` knobs; arrays have shape (m, n)."""

    quality: Floats
    cost: Floats
    models: Floats
    latency: Floats | None

    @classmethod
    def of(cls, log: QueryLog, ran: NDArray[np.bool_], answers: NDArray[np.int64]) -> Episodes:
        """Look up what the run models, shape (m, n, k), and the answers, (m, n), come to."""
        return cls(
            quality=log.quality[np.arange(log.n_queries), answers],
            cost=np.where(ran, log.cost, 0.0).sum(axis=-1),
            models=ran.sum(axis=-1).astype(np.float64),
            latency=None if log.latency is None else np.where(ran, log.latency, 0.0).sum(axis=-1),
        )


class Policy(Protocol):
    """A family of policies with one knob from 0 (spend freely) to 1 (spend nothing)."""

    def play(self, log: QueryLog, knobs: Floats) -> Episodes:
        """Answer every query of the log at every knob."""
        ...


@dataclass(frozen=True)
class Decisions:
    """Policies of `headrace.batch_select`; the knob is lambda, on a logarithmic scale."""

    estimator: Estimator
    strategy: str = "cascade_routing"
    max_depth: int | None = None
    lookahead: float = 1.0
    """Factor on the uncertainty; with 0 there is none."""
    lambdas: tuple[float, float] = (1e-1, 1e7)

    def play(self, log: QueryLog, knobs: Floats) -> Episodes:
        """Answer every query of the log at every knob."""
        low, high = np.log(self.lambdas)
        lambdas = np.exp(low + knobs * (high - low))
        n, k = log.n_queries, log.n_models
        at_once = max(1, EPISODES // n)
        parts = [
            self._roll_out(log, lambdas[start : start + at_once])
            for start in range(0, len(lambdas), at_once)
        ]
        ran = np.concatenate([part[0] for part in parts]).reshape(-1, n, k)
        answers = np.concatenate([part[1] for part in parts]).reshape(-1, n)
        return Episodes.of(log, ran, answers)

    def _roll_out(
        self, log: QueryLog, lambdas: Floats
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        query = np.tile(np.arange(log.n_queries), len(lambdas))
        price = np.repeat(lambdas, log.n_queries)
        ran = np.zeros((len(query), log.n_models), dtype=np.bool_)
        answers = np.zeros(len(query), dtype=np.int64)
        active = np.arange(len(query))
        while len(active):
            qualities, costs, sigmas = self._estimate(log, query[active], ran[active])
            known = ran[active]
            answers[active] = np.where(known, qualities, -np.inf).argmax(axis=1)
            undecided = ~known.all(axis=1)
            if self.strategy == "routing":
                undecided &= ~known.any(axis=1)
            active = active[undecided]
            if not len(active):
                break
            selection = hr.batch_select(
                qualities[undecided],
                costs[undecided],
                price[active],
                sigmas=sigmas[undecided] if self.lookahead else None,
                ran=known[undecided],
                strategy=self.strategy,
                max_depth=self.max_depth,
                n_threads=1,
            )
            goes_on = selection.next_model >= 0
            active = active[goes_on]
            ran[active, selection.next_model[goes_on]] = True
        return ran, answers

    def _estimate(
        self, log: QueryLog, query: NDArray[np.int64], ran: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats]:
        """Ask the estimator once for each set of run models, and once for each query of it."""
        qualities, costs, sigmas = (np.empty(ran.shape) for _ in range(3))
        for run, members in run_sets(ran):
            different, place = np.unique(query[members], return_inverse=True)
            estimates = self.estimator.estimate(log.queries.rows(different), run)
            qualities[members] = estimates.qualities[place]
            costs[members] = estimates.costs[place]
            deviations = self.lookahead * estimates.deviations()
            sigmas[members] = deviations[place] if deviations.ndim == 2 else deviations
        return qualities, costs, sigmas


@dataclass(frozen=True)
class ThresholdCascade:
    """The classical baseline: walk the columns until an answer looks good enough.

    The knob goes from "nothing is good enough" to "everything is"; the answer is that of the last
    model that ran.
    """

    estimator: Estimator

    def play(self, log: QueryLog, knobs: Floats) -> Episodes:
        """Answer every query of the log at every knob."""
        seen = self.seen(log)
        low, high = seen.min(), seen.max()
        return stop_at(log, seen, np.tile((high - knobs * (high - low))[:, None], log.n_models))

    def seen(self, log: QueryLog) -> Floats:
        """Return the estimate of every answer once the models up to it have run."""
        estimates = [
            self.estimator.estimate(log.queries, range(model + 1)) for model in range(log.n_models)
        ]
        return np.column_stack([each.qualities[:, i] for i, each in enumerate(estimates)])


def stop_at(log: QueryLog, seen: Floats, thresholds: Floats) -> Episodes:
    """Walk the columns of the log until `seen` reaches a threshold of (m, k); play m times."""
    enough = seen >= thresholds[:, None, :]
    enough[..., -1] = True
    last = enough.argmax(axis=-1)
    return Episodes.of(log, np.arange(log.n_models) <= last[..., None], last)


def run_sets(ran: NDArray[np.bool_]) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    """Yield each set of run models, ascending, with the rows that have it."""
    packed = np.packbits(ran, axis=1)
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group))
    for index, end in enumerate(ends):
        start = ends[index - 1] if index else 0
        yield np.flatnonzero(ran[first[index]]).tolist(), order[start:end]


def knobs_for(policy: Policy, log: QueryLog, budgets: Floats) -> Floats:
    """Return the knob for each budget: the most that keeps within it on the log.

    All budgets are bisected at once, from a common grid. A budget below the cost of spending
    nothing gets the knob 1.
    """

    def mean_cost(knobs: Floats) -> Floats:
        different, place = np.unique(knobs, return_inverse=True)
        cost: Floats = policy.play(log, different).cost.mean(axis=1)[place]
        return cost

    grid = np.linspace(0.0, 1.0, STARTS)
    fits = mean_cost(grid) <= budgets[:, None]
    above = np.where(fits.any(axis=1), fits.argmax(axis=1), STARTS - 1)
    high, low = grid[above], grid[np.maximum(above - 1, 0)]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        within = mean_cost(middle) <= budgets
        high, low = np.where(within, middle, high), np.where(within, low, middle)
    return high


def play_budgets(policy: Policy, tuning: QueryLog, test: QueryLog, budgets: Floats) -> Episodes:
    """Tune the knob for every budget on one log and answer the queries of another."""
    return policy.play(test, np.unique(knobs_for(policy, tuning, budgets)))


def play_thresholds(
    cascade: ThresholdCascade, tuning: QueryLog, test: QueryLog, budgets: Floats, seed: int = 0
) -> Episodes:
    """Do the same with a threshold for every step, as the paper tunes its baseline.

    Of the shared threshold and random changes of it, the best on the tuning log within the budget.
    """
    rng = np.random.default_rng(seed)
    seen = cascade.seen(tuning)
    low, high = seen.min(), seen.max()
    chosen = []
    for knob, budget in zip(knobs_for(cascade, tuning, budgets), budgets, strict=True):
        shared = np.full((1, tuning.n_models), high - knob * (high - low))
        changes = THRESHOLD_SPREAD * rng.standard_normal((THRESHOLD_TRIALS, tuning.n_models))
        candidates = np.vstack([shared, shared + changes])
        tried = stop_at(tuning, seen, candidates)
        cost = tried.cost.mean(axis=1)
        within = cost <= max(budget, cost[0])
        chosen.append(candidates[np.where(within, tried.quality.mean(axis=1), -np.inf).argmax()])
    return stop_at(test, cascade.seen(test), np.unique(chosen, axis=0))
