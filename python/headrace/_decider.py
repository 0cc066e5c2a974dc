"""What a fitted router decides with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace._check import check_factor
from headrace._estimators._answers import checked
from headrace._estimators.protocol import Estimates, Estimator
from headrace._fit import Fit
from headrace._log import Integers, Queries
from headrace._policy import Policy
from headrace._problem import Bools, Floats, Problem
from headrace._remembered import Remembered
from headrace._rollout_problem import Forecast
from headrace._selection import Selection
from headrace._state import Array, Kind
from headrace._tuning import Point

if TYPE_CHECKING:
    import headrace._core as _core

NO_MODELS: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Candidates:
    """The models that a decision is among, those that have run included.

    Attributes
    ----------
    order : int64 array of shape (c,)
        Columns of the log, in the order of a cascade.
    samples : float64 array of shape (c, S), or None
        Their standardised draws: a model keeps its draws whatever others are candidates.
    """

    order: Integers
    samples: Floats | None


@dataclass(frozen=True, eq=False)
class Draws:
    """What decisions look ahead with, saved for readers that do not draw it themselves.

    Attributes
    ----------
    samples : float64 array of shape (k, S)
        Standardised draws of the models, in the order of a cascade.
    """

    samples: Floats

    STATE: ClassVar[dict[str, Kind]] = {"samples": Array("f", ("k", "n_samples"))}

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes by the names of the table."""
        return {"k": self.samples.shape[0], "n_samples": self.samples.shape[1]}


@dataclass(frozen=True, eq=False)
class _Factor:
    """The Cholesky factor, times the look-ahead, of what an estimator gave as a covariance."""

    covariance: Floats
    factor: Floats


class Decider:
    """A fit, its estimator and a policy. Nothing of it changes: threads and sessions share it.

    ``parameters`` are those of the router that it is of, by name. ``compiled`` is its compiled
    form, which the first session makes, if it can.

    Models are columns of the log. Excluded models (``barred``) are dropped from the problem before
    a backend sees it, so that no candidate supermodel has one.
    """

    def __init__(
        self, fit: Fit, estimator: Estimator, policy: Policy, parameters: dict[str, Any]
    ) -> None:
        self.parameters = parameters
        self.fit = fit
        self.estimator = estimator
        self.policy = policy.with_lookahead(fit.lookahead).with_step_factors(
            fit.step_factors.tolist()
        )
        k = len(fit.models)
        # Of the fit, for sessions to have at hand.
        self.models = fit.models
        self.n_features = fit.n_features
        self.n_signals = fit.n_signals
        self.gamma = fit.mixture.gamma
        self.columns = {name: column for column, name in enumerate(fit.models)}
        self._place = np.argsort(fit.order).tolist()
        self._all = Candidates(fit.order, self.policy.samples(k))
        self._factors: Remembered[_Factor] = Remembered(2 * k * k)
        self.compiled: _core.Router | None = None
        self.may_compile = True
        self.unseen = self.no_signals()
        """Signals of a query of which nothing has been seen; not to be written to."""
        if self.unseen is not None:
            self.unseen.setflags(write=False)

    @property
    def n_models(self) -> int:
        """Number of models, k."""
        return len(self.models)

    @property
    def draws(self) -> Draws | None:
        """What decisions look ahead with, if they do."""
        samples = self._all.samples
        return Draws(samples) if samples is not None and self.policy.lookahead > 0.0 else None

    def no_signals(self) -> Floats | None:
        """Return room for the signals of a query, shape (1, k, m)."""
        return np.full((1, self.n_models, self.n_signals), np.nan) if self.n_signals else None

    def estimates(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Ask the estimator; ``ran`` are ascending."""
        given = self.estimator.estimate(queries, ran)
        return checked(given, len(queries), self.n_models, ran)

    def candidates(self, barred: Iterable[int] = NO_MODELS) -> Candidates:
        """Return all the models but these."""
        if not barred:
            return self._all
        order, samples = self._all.order, self._all.samples
        kept = np.array([model not in barred for model in order.tolist()])
        return Candidates(order[kept], None if samples is None else samples[kept])

    def point(self, dear: bool) -> Point:
        """Return the dearer or the cheaper of the two policies."""
        return self.fit.mixture.dear if dear else self.fit.mixture.cheap

    def price(self, dear: bool, n_ran: int) -> float:
        """Return the price, or threshold, once so many models have run."""
        factors = self.policy.step_factors
        return self.point(dear).price * factors[min(n_ran, len(factors) - 1)]

    def decide(
        self, estimates: Estimates, ran: Sequence[int], dear: bool, among: Candidates
    ) -> Selection:
        """Decide queries on which just ``ran`` have run; at least one candidate has not.

        The columns of the selection are positions in the candidates' order.
        """
        if self.policy.by_threshold:
            has_run = self._has_run(ran, among, len(estimates.qualities))
            qualities = estimates.qualities[:, among.order]
            return self.policy.compare(qualities, has_run, self.price(dear, len(ran)))
        return self.policy.solve(self.problem(estimates, ran, dear, among))

    def problem(
        self, estimates: Estimates, ran: Sequence[int], dear: bool, among: Candidates
    ) -> Problem:
        """Return what a backend decides; a threshold cascade has no such problem."""
        return self.policy.problem(
            self._forecast(estimates, ran, among),
            self._has_run(ran, among, len(estimates.qualities)),
            self.price(dear, len(ran)),
            self.point(dear).ties,
            among.samples,
        )

    def best(self, qualities: Floats, ran: Sequence[int]) -> Integers:
        """Say whose answer is given once ``ran``, not empty, have run."""
        return self.policy.answer(qualities, sorted(ran, key=self._place.__getitem__))

    def _has_run(self, ran: Sequence[int], among: Candidates, n: int) -> Bools:
        models = np.zeros(self.n_models, dtype=np.bool_)
        models[list(ran)] = True
        row = models[among.order][None]
        return row if n == 1 else np.repeat(row, n, axis=0)

    def _forecast(self, estimates: Estimates, ran: Sequence[int], among: Candidates) -> Forecast:
        """Return what the decision takes of the estimates."""
        covariance, order = estimates.covariance, among.order
        if covariance is None:
            return self.policy.forecast(estimates.in_order(order))
        qualities, costs = estimates.qualities[:, order], estimates.costs[:, order]
        if not self.policy.takes_covariance:
            reveals = None if estimates.reveals is None else estimates.reveals.in_order(order)
            deviations = estimates.deviations()[order]
            return self.policy.forecast(Estimates(qualities, costs, deviations, reveals=reveals))
        factor = self._factor(covariance, ran, among)
        return Forecast(np.ascontiguousarray(qualities), np.ascontiguousarray(costs), factor=factor)

    def _factor(self, covariance: Floats, ran: Sequence[int], among: Candidates) -> Floats:
        """Return the factor of a covariance, remembered by what has run.

        A covariance is looked at before the factor is used, unless it is the same that can not have
        changed.
        """
        key = (tuple(ran), None if among is self._all else tuple(among.order.tolist()))
        known = self._factors.get(key)
        if known is not None and (
            known.covariance is covariance or np.array_equal(known.covariance, covariance)
        ):
            return known.factor
        if covariance.flags.writeable:
            covariance = covariance.copy()
        order = among.order
        lower = check_factor(covariance[np.ix_(order, order)], 1, len(order))
        factor = self.policy.lookahead * lower
        self._factors.put(key, _Factor(covariance, factor))
        return factor
