"""What an estimator says of the states that queries pass through, each asked once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import check_factor
from headrace._estimators._answers import OF, checked
from headrace._estimators.protocol import Estimates, Estimator
from headrace._log import Integers, Queries, QueryLog
from headrace._problem import Floats
from headrace._reveals import Reveals

MOST_NUMBERS = 2**26
"""In covariances and factors that are remembered: 512 MiB."""


class Forecasts:
    """Estimates of an estimator for a set of queries, remembered by (query, models run).

    Columns are positions in ``order``, whatever order the log's columns have: so neither samples
    nor ties depend on how a user sorts the models.

    Parameters
    ----------
    estimator : Estimator
        Fitted.
    queries : Queries
        All the queries that may be asked for, by position.
    order : array-like of int
        The model at each position.
    """

    def __init__(self, estimator: Estimator, queries: Queries, order: ArrayLike) -> None:
        self.estimator = estimator
        self.queries = queries
        self.order: Integers = np.asarray(order, dtype=np.int64)
        self._known: dict[tuple[int, ...], tuple[Integers, Estimates]] = {}
        self._factors: dict[tuple[int, ...], Floats] = {}
        self._reveals: Reveals | None = None
        self.rollouts: dict[Any, Any] = {}
        """What whoever rolls out wants to find again; it goes with these estimates."""

    @property
    def n_models(self) -> int:
        """Number of models, k."""
        return len(self.order)

    def at(self, ran: tuple[int, ...], rows: Integers) -> Estimates:
        """Return the estimates of these queries (ascending) when just the positions ``ran`` ran."""
        if ran not in self._known:
            if 2 * self.n_models**2 * len(self._known) > MOST_NUMBERS:
                self._known.clear()
                self._factors.clear()
            self._known[ran] = rows, self._ask(ran, rows)
        known, estimates = self._known[ran]
        place = np.minimum(np.searchsorted(known, rows), len(known) - 1)
        new = rows[known[place] != rows]
        if len(new):
            estimates = _appended(estimates, self._ask(ran, new))
            known = np.concatenate([known, new])
            by_row = np.argsort(known)
            known, estimates = known[by_row], estimates.rows(by_row)
            self._known[ran] = known, estimates
            place = np.searchsorted(known, rows)
        elif len(known) == len(rows):
            return estimates
        return estimates.rows(place)

    def factor(self, ran: tuple[int, ...]) -> Floats | None:
        """Return the Cholesky factor of the covariance when just ``ran`` ran, if there is one."""
        covariance = self._known[ran][1].covariance
        if covariance is not None and ran not in self._factors:
            self._factors[ran] = check_factor(covariance, len(self.queries), self.n_models)
        return self._factors.get(ran)

    def _ask(self, ran: tuple[int, ...], rows: Integers) -> Estimates:
        models = sorted(int(self.order[position]) for position in ran)
        queries = self.queries
        if len(rows) < len(queries):
            queries = queries.rows(rows)
        given = checked(self.estimator.estimate(queries, models), len(rows), self.n_models, models)
        self._refuse_other_nodes(given.reveals)
        return given.in_order(self.order)

    def _refuse_other_nodes(self, reveals: Reveals | None) -> None:
        """Refuse nodes that depend on the query or on what has run: rollouts share them."""
        if not self._known:
            self._reveals = reveals
        first = self._reveals
        if first is None and reveals is None:
            return
        if first is None or reveals is None or not first.like(reveals):
            raise ValueError(
                f"{OF}reveals must have the same nodes and scale in all estimates, or be in none"
            )


def _appended(first: Estimates, second: Estimates) -> Estimates:
    sigmas, reveals = first.sigmas, first.reveals
    if sigmas is not None and sigmas.ndim == 2:
        assert second.sigmas is not None
        sigmas = np.concatenate([sigmas, second.sigmas])
    if reveals is not None:
        assert second.reveals is not None
        reveals = Reveals.joined([reveals, second.reveals])
    return Estimates(
        np.concatenate([first.qualities, second.qualities]),
        np.concatenate([first.costs, second.costs]),
        sigmas,
        first.covariance,
        reveals,
    )


def cost_order(log: QueryLog) -> Integers:
    """Return the models by mean cost, the first of equals first."""
    order: Integers = np.argsort(log.cost.mean(axis=0), kind="stable")
    return order
