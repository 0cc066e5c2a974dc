"""A policy: how one decision is taken from estimates, at any price lambda."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from headrace._backends import BACKENDS, pick
from headrace._check import (
    check_depth,
    check_factor,
    check_integer,
    check_name,
    check_number,
    check_sample_count,
    check_samples,
    check_threads,
)
from headrace._estimators.protocol import Estimates
from headrace._log import Integers
from headrace._options import SEARCHES, STRATEGIES
from headrace._problem import Bools, Floats, Problem
from headrace._rollout_problem import THRESHOLD_CASCADE, Forecast, best_answers, goes_on
from headrace._selection import Selection

POLICIES = (*STRATEGIES, THRESHOLD_CASCADE)


@dataclass(frozen=True)
class Policy:
    """A strategy with its options. Models are columns here: positions in the order of a cascade.

    Attributes
    ----------
    strategy : str
        A strategy of :func:`headrace.batch_select`, or ``"threshold_cascade"``, for which the
        threshold takes the place of the price.
    lookahead : float
        Factor on the uncertainty that decisions look ahead with; at 0 nothing is uncertain.
    step_factors : tuple of float
        Factors on the price at each step of a query, the last one for all later steps.
    search, max_depth, n_samples, seed, n_threads, backend
        As in :func:`headrace.batch_select`.
    """

    strategy: str = "cascade_routing"
    search: str = "exact"
    max_depth: int | None = None
    lookahead: float = 1.0
    step_factors: tuple[float, ...] = (1.0,)
    n_samples: int = 128
    seed: int = 0
    n_threads: int | None = None
    backend: str | None = None

    def __post_init__(self) -> None:
        check_name("strategy", self.strategy, POLICIES)
        check_name("search", self.search, SEARCHES)
        check_number("lookahead", self.lookahead)
        check_threads(self.n_threads)
        if self.backend is not None:
            check_name("backend", self.backend, BACKENDS)
        if self.max_depth is not None:
            check_depth(self.max_depth, self.strategy)
        if not self.by_threshold:
            check_sample_count(self.n_samples)
            check_integer("seed", self.seed, 0)

    @property
    def by_threshold(self) -> bool:
        """Whether a threshold takes the place of the price."""
        return self.strategy == THRESHOLD_CASCADE

    @property
    def looks_ahead(self) -> bool:
        """Whether uncertainty changes decisions."""
        return self.strategy not in ("routing", THRESHOLD_CASCADE)

    def with_lookahead(self, lookahead: float) -> Policy:
        """Return the same policy with another factor on the uncertainty."""
        return replace(self, lookahead=float(lookahead))

    def with_step_factors(self, step_factors: Sequence[float]) -> Policy:
        """Return the same policy with other prices at its steps."""
        return replace(self, step_factors=tuple(float(factor) for factor in step_factors))

    def prices(self, prices: Floats) -> Floats:
        """Return the price at each step, shape (L, T), for prices of shape (L,)."""
        by_step: Floats = prices[:, None] * np.asarray(self.step_factors)
        return by_step

    def most_models(self, n_models: int) -> int:
        """Return how many models may run on one query."""
        if self.strategy == "routing":
            return 1
        return n_models if self.max_depth is None else min(self.max_depth, n_models)

    def sure_step(self, n_models: int) -> int | None:
        """Return the step whose answer is given whatever it says, if there is one."""
        last = self.most_models(n_models)
        return last if self.by_threshold or last == 1 else None

    def forecast(
        self, estimates: Estimates, factor: Callable[[], Floats | None] | None = None
    ) -> Forecast:
        """Return what decisions take of estimates, with the uncertainty that they look ahead with.

        ``factor`` gives the Cholesky factor of the covariance, should it be known already.
        """
        qualities = np.ascontiguousarray(estimates.qualities, dtype=np.float64)
        costs = np.ascontiguousarray(estimates.costs, dtype=np.float64)
        known = partial(Forecast, qualities, costs)
        if not (self.looks_ahead and self.lookahead > 0.0):
            return known()
        if estimates.covariance is not None and self.takes_covariance:
            lower = None if factor is None else factor()
            if lower is None:
                lower = check_factor(estimates.covariance, *qualities.shape)
            return known(factor=self.lookahead * lower)
        if estimates.reveals is not None:
            return known(reveals=estimates.reveals.scaled(self.lookahead))
        if estimates.sigmas is None and estimates.covariance is None:
            return known()
        sigmas = self.lookahead * estimates.deviations()
        return known(sigmas=np.ascontiguousarray(sigmas.reshape(-1, qualities.shape[1])))

    @property
    def takes_covariance(self) -> bool:
        """Whether decisions look at more of a covariance than its diagonal."""
        return self.looks_ahead and self.strategy != "index" and self.lookahead > 0.0

    def samples(self, n_models: int) -> Floats | None:
        """Return the standardised draws that decisions look ahead with, shape (k, S)."""
        if self.by_threshold or not STRATEGIES[self.strategy].uses_samples:
            return None
        return check_samples(None, self.n_samples, self.seed, n_models)

    def problem(
        self, known: Forecast, ran: Bools, price: float, ties: str, samples: Floats | None
    ) -> Problem:
        """Return the problem of ``n`` states at a price; a threshold cascade has none.

        ``samples`` are the rows of `samples` that belong to the columns.
        """
        certain = known.sigmas is None and known.factor is None and known.reveals is None
        return Problem(
            qualities=known.qualities,
            costs=known.costs,
            lambda_=np.array([price]),
            sigmas=known.sigmas,
            factor=known.factor,
            ran=ran,
            samples=None if certain else samples,
            strategy=self.strategy,
            search=self.search,
            max_models=self.most_models(ran.shape[1]),
            fixed_order=False,
            ties=ties,
            node_limit=None,
            time_limit=None,
            reveals=known.reveals,
        )

    def solve(self, problem: Problem) -> Selection:
        """Decide; at least one model of each state has not run."""
        n_threads = 1 if problem.n_queries == 1 else check_threads(self.n_threads)
        return pick(self.backend).select(problem, n_threads)

    def answer(self, qualities: Floats, ran: Sequence[int]) -> Integers:
        """Say whose answer is given once ``ran`` have run."""
        return best_answers(qualities, tuple(ran), self.by_threshold)

    def compare(self, qualities: Floats, ran: Bools, threshold: float) -> Selection:
        """Decide ``n`` states of a threshold cascade."""
        n, k = ran.shape
        rows = np.arange(n)
        n_ran = ran.sum(axis=1)
        next_model = np.where(n_ran > 0, k - ran[:, ::-1].argmax(axis=1), 0)  # after the last
        last = np.where(n_ran > 0, qualities[rows, next_model - 1], -np.inf)
        more = (next_model < k) & (n_ran < self.most_models(k))
        going = (n_ran == 0) | (goes_on(last, threshold) & more)
        selection = Selection.empty(n, k)
        selection.supermodel[:] = ran
        selection.supermodel[rows[going], next_model[going]] = True
        selection.next_model[going] = next_model[going]
        selection.upper_bound[:] = np.inf
        selection.quality[:] = last
        selection.tradeoff[:] = last
        return selection
