"""A policy: how one decision is taken from estimates, at any price lambda."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headrace._backends import pick
from headrace._check import (
    Unchecked,
    check_factor,
    check_integer,
    check_name,
    check_problem,
    check_samples,
    check_threads,
    check_values,
)
from headrace._estimators.protocol import Estimates
from headrace._log import Integers
from headrace._options import SEARCHES, STRATEGIES
from headrace._problem import Bools, Floats
from headrace._selection import Selection

THRESHOLD_CASCADE = "threshold_cascade"
"""The classical baseline: continue while the estimate of the last answer is below a threshold."""

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
        Factor on the standard deviations that decisions look ahead with; at 0 nothing is uncertain.
    search, max_depth, n_samples, seed, n_threads, backend
        As in :func:`headrace.batch_select`.
    """

    strategy: str = "cascade_routing"
    search: str = "exact"
    max_depth: int | None = None
    lookahead: float = 1.0
    n_samples: int = 128
    seed: int = 0
    n_threads: int | None = None
    backend: str | None = None

    def __post_init__(self) -> None:
        check_name("strategy", self.strategy, POLICIES)
        check_name("search", self.search, SEARCHES)
        if not (np.isfinite(self.lookahead) and self.lookahead >= 0.0):
            raise ValueError(
                f"lookahead must be a finite factor, not negative, got {self.lookahead}"
            )
        check_threads(self.n_threads)
        if self.by_threshold:
            if self.max_depth is not None:
                check_integer("max_depth", self.max_depth, 1)
            return
        zero = np.zeros((1, 1))
        check_problem(
            [],
            zero,
            zero,
            0.0,
            sigmas=None,
            covariance=None,
            ran=None,
            ties="cheapest",
            **self._options(),
        )

    def _options(self) -> dict[str, Any]:
        return {
            "strategy": self.strategy,
            "search": self.search,
            "max_depth": self.max_depth,
            "fixed_order": False,
            "n_samples": self.n_samples,
            "seed": self.seed,
            "samples": None,
            "node_limit": None,
            "time_limit": None,
        }

    @property
    def by_threshold(self) -> bool:
        """Whether a threshold takes the place of the price."""
        return self.strategy == THRESHOLD_CASCADE

    @property
    def looks_ahead(self) -> bool:
        """Whether uncertainty changes decisions."""
        return self.strategy not in ("routing", THRESHOLD_CASCADE)

    @property
    def linear(self) -> bool:
        """Whether a choice that is best at two prices is best at all prices in between.

        So it is where tradeoffs are compared, which are linear in the price. Reservation values
        are not.
        """
        return self.strategy not in ("index", THRESHOLD_CASCADE)

    def with_lookahead(self, lookahead: float) -> Policy:
        """Return the same policy with another factor on the uncertainty."""
        return replace(self, lookahead=float(lookahead))

    def most_models(self, n_models: int) -> int:
        """Return how many models may run on one query."""
        if self.strategy == "routing":
            return 1
        return n_models if self.max_depth is None else min(self.max_depth, n_models)

    def decide(
        self,
        estimates: Estimates,
        ran: Bools,
        prices: Floats,
        ties: str = "cheapest",
        factor: Floats | None = None,
    ) -> Selection:
        """Decide ``n`` states, each at its own price; at least one model of each has not run.

        ``factor`` saves the work of factorising the covariance of the estimates again.
        """
        if self.by_threshold:
            return self._compare(estimates, ran, prices)
        uncertain = self.looks_ahead and self.lookahead > 0.0
        sigmas = None
        if uncertain and estimates.sigmas is not None:
            sigmas = self.lookahead * estimates.sigmas
        elif uncertain and estimates.covariance is not None and self.strategy == "index":
            sigmas = self.lookahead * estimates.deviations()
        unchecked: Unchecked = []
        problem = check_problem(
            unchecked,
            estimates.qualities,
            estimates.costs,
            prices,
            sigmas=sigmas,
            covariance=None,
            ran=ran,
            ties=ties,
            **self._options(),
        )
        if uncertain and sigmas is None and estimates.covariance is not None:
            n, k = ran.shape
            if factor is None:
                factor = check_factor(estimates.covariance, n, k)
            samples = check_samples(None, self.n_samples, self.seed, k)
            problem = replace(problem, factor=self.lookahead * factor, samples=samples)
        check_values(unchecked)
        return pick(self.backend).select(problem, check_threads(self.n_threads))

    def answer(self, qualities: Floats, ran: Sequence[int]) -> Integers:
        """Say whose answer is given once ``ran`` have run: the best estimate, the first of equals.

        A threshold cascade gives the last one.
        """
        columns = np.asarray(ran)
        if self.by_threshold:
            return np.full(len(qualities), columns[-1])
        best: Integers = columns[qualities[:, columns].argmax(axis=1)]
        return best

    def _compare(self, estimates: Estimates, ran: Bools, thresholds: Floats) -> Selection:
        n, k = ran.shape
        rows = np.arange(n)
        next_model = ran.sum(axis=1)
        last = np.where(next_model > 0, estimates.qualities[rows, next_model - 1], -np.inf)
        goes_on = (next_model == 0) | ((last < thresholds) & (next_model < self.most_models(k)))
        selection = Selection.empty(n, k)
        selection.supermodel[:] = ran
        selection.supermodel[rows[goes_on], next_model[goes_on]] = True
        selection.next_model[goes_on] = next_model[goes_on]
        selection.upper_bound[:] = np.inf
        selection.quality[:] = last
        selection.tradeoff[:] = last
        return selection
