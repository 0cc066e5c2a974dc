"""Is a budget that is met on one half of a log met on the other half?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import headrace as hr

SPLITS = 10
TWO = 2.0
WIDTHS = 3.92
"""Standard errors in a 95 % interval."""


@dataclass(frozen=True)
class Realised:
    """The realised cost of one split.

    Attributes
    ----------
    budget, cost : float
        Mean cost of a query, as asked for and on the half that was not fitted on.
    error : float
        Standard error of the test half's mean.
    error_of_both : float
        The same with the training half's: its mean meets the budget, and varies as well.
    """

    budget: float
    cost: float
    error: float
    error_of_both: float

    @property
    def errors(self) -> float:
        """By how many standard errors of the test mean the budget is missed."""
        return abs(self.cost - self.budget) / self.error

    @property
    def errors_of_both(self) -> float:
        """The same with the training half's error."""
        return abs(self.cost - self.budget) / self.error_of_both


def realised_costs(log: hr.QueryLog, router: hr.Router) -> Iterator[Realised]:
    """Fit the router on halves of the log, at half the range of the single models' costs."""
    for seed in range(SPLITS):
        train, test = log.split(0.5, seed=seed)
        costs = train.cost.mean(axis=0)
        budget = float(costs.min() + costs.max()) / 2.0
        router.fit(train, budget=budget)
        met, found = (router.evaluate(half).cost for half in (train, test))
        error = (found.high - found.low) / WIDTHS
        error_of_train = (met.high - met.low) / WIDTHS
        yield Realised(budget, found.mean, error, (error**2 + error_of_train**2) ** 0.5)
