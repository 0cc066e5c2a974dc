"""What a router asks of an estimator."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from headrace._log import Integers, Queries, QueryLog
from headrace._problem import Floats
from headrace._reveals import Reveals


@dataclass(frozen=True, eq=False)
class Estimates:
    """What is expected of ``n`` queries on which the same models have run.

    Attributes
    ----------
    qualities : float64 array of shape (n, k)
        Posterior mean of every model's quality. Of a model that has run, the estimate of the answer
        that is there.
    costs : float64 array of shape (n, k)
        Expected cost of running each model, not negative.
    sigmas : float64 array of shape (k,) or (n, k), or None
        Standard deviation of the *change* of the estimate that running the model will bring (not
        of the quality): 0 for models that have run.
    covariance : float64 array of shape (k, k), or None
        Covariance of those changes, shared by all the queries; excludes `sigmas`. Zero rows and
        columns for models that have run.
    reveals : Reveals, or None
        Of qualities that are probabilities: the distribution of those changes, beside their
        spread; with the same nodes in all the estimates of a fit. Decisions look ahead by it where
        it is given, but for those that take a covariance.
    """

    qualities: Floats
    costs: Floats
    sigmas: Floats | None = None
    covariance: Floats | None = None
    reveals: Reveals | None = None

    def scaled(self, lookahead: float) -> Estimates:
        """Return the same with the uncertainty (as a standard deviation) times a factor."""
        return Estimates(
            self.qualities,
            self.costs,
            None if self.sigmas is None else lookahead * self.sigmas,
            None if self.covariance is None else lookahead**2 * self.covariance,
            None if self.reveals is None else self.reveals.scaled(lookahead),
        )

    def rows(self, chosen: NDArray[np.generic]) -> Estimates:
        """Return those of the queries at these positions, or where a mask is true."""
        sigmas = self.sigmas
        return Estimates(
            self.qualities[chosen],
            self.costs[chosen],
            sigmas if sigmas is None or sigmas.ndim == 1 else sigmas[chosen],
            self.covariance,
            None if self.reveals is None else self.reveals.rows(chosen),
        )

    def in_order(self, order: Integers) -> Estimates:
        """Return the same with the models in an order."""
        covariance = self.covariance
        return Estimates(
            self.qualities[:, order],
            self.costs[:, order],
            None if self.sigmas is None else self.sigmas[..., order],
            None if covariance is None else covariance[np.ix_(order, order)],
            None if self.reveals is None else self.reveals.in_order(order),
        )

    def deviations(self) -> Floats:
        """Return the standard deviations of the changes, shape (k,) or (n, k)."""
        if self.sigmas is not None:
            return self.sigmas
        if self.covariance is not None:
            return np.sqrt(np.diag(self.covariance))
        return np.zeros(self.qualities.shape[1])


@runtime_checkable
class Estimator(Protocol):
    """Learns from a log; then says what to expect, given what is known so far.

    Estimates are posterior means: what is expected of an estimate after another run is the
    estimate before it, and the stated uncertainty is the spread of that change.
    :func:`headrace.check_estimator` measures both.
    """

    def fit(self, log: QueryLog) -> Estimator:
        """Learn from a log; return the estimator itself."""
        ...

    def estimate(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Say what to expect of queries on which just the models ``ran`` (ascending) have run.

        Looks at ``queries.features``, ``queries.groups`` and ``queries.signals[:, ran]`` only. The
        same for a query whatever others come with it.
        """
        ...


def fitted_copy(estimator: Estimator, log: QueryLog) -> Estimator:
    """Fit a copy of an estimator; its ``fit`` may return it or nothing."""
    made = copy.deepcopy(estimator)
    fitted: Estimator | None = made.fit(log)
    return made if fitted is None else fitted


@runtime_checkable
class SavableEstimator(Estimator, Protocol):
    """An estimator of your own that a saved router can hold.

    What is saved are arrays of float64, int64 or bool, numbers, texts, truth values and None, by
    names. Nothing of a file is executed, so the estimator itself is given to
    :func:`headrace.load_router`, and takes its state from there.
    """

    def get_state(self) -> dict[str, Any]:
        """Return all that `set_state` needs."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Become the estimator that the state is of; raise ValueError if it does not fit."""
        ...
