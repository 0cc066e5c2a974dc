"""What a router is tuned for, and the policy that meets it best on a log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

import numpy as np

from headrace._forecasts import Forecasts
from headrace._log import QueryLog
from headrace._policy import Policy
from headrace._problem import Floats
from headrace._progress import progress_bar
from headrace._rollout import Rollouts
from headrace._step_prices import Aim, find_step_factors
from headrace._tuning import Mixture, Point, TargetError, meet, reach

LOOKAHEADS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Factors on the uncertainty that are tried where the user gives none."""


class Target(ABC):
    """What policies are to meet on a log, and how those that do are compared."""

    def __init__(self, value: float, log: QueryLog) -> None:
        self.value = value
        self.log = log

    def cost(self, rollouts: Rollouts) -> Floats:
        """Return what was paid."""
        return rollouts.summed(self.log.cost)

    def gained(self, rollouts: Rollouts) -> Floats:
        """Return the realised quality of the answers."""
        return rollouts.answered(self.log.quality)

    @abstractmethod
    def meet(self, forecasts: Forecasts, policy: Policy) -> Mixture:
        """Return the policy's mixture that meets the target; raise TargetError if none does."""

    @abstractmethod
    def score(self, forecasts: Forecasts, policy: Policy, mixture: Mixture) -> float:
        """Return what is to be high among those that meet the target."""

    @abstractmethod
    def aim(self) -> Aim:
        """Return the same for prices by step."""


class Budget(Target):
    """A mean cost, met with equality; the realised quality is to be high."""

    _start: float | None = None

    def meet(self, forecasts: Forecasts, policy: Policy) -> Mixture:
        """Begin at the price of the mixture before."""
        mixture = meet(forecasts, policy, self.cost, self.value, what="budget", start=self._start)
        self._start = mixture.cheap.price or None
        return mixture

    def score(self, forecasts: Forecasts, policy: Policy, mixture: Mixture) -> float:
        """Return the mean quality."""
        return mixture.mean(forecasts, policy, self.gained)

    def aim(self) -> Aim:
        """Quality at this cost."""
        return Aim(self.gained, self.cost, self.value)


class Quality(Target):
    """A mean realised quality; the cost is to be low."""

    def meet(self, forecasts: Forecasts, policy: Policy) -> Mixture:
        """Look for the cheapest mixture."""
        return reach(forecasts, policy, self.gained, self.cost, self.value, what="quality")

    def score(self, forecasts: Forecasts, policy: Policy, mixture: Mixture) -> float:
        """Return minus the mean cost."""
        return -mixture.mean(forecasts, policy, self.cost)

    def aim(self) -> Aim:
        """Low cost at this quality."""
        return Aim(lambda rollouts: -self.cost(rollouts), self.gained, self.value)


class Price(Target):
    """A fixed price or threshold; quality is to be high, at this price for the cost."""

    def meet(self, forecasts: Forecasts, policy: Policy) -> Mixture:
        """Take the price as it is."""
        point = Point(self.value)
        return Mixture(point, point, 1.0)

    def score(self, forecasts: Forecasts, policy: Policy, mixture: Mixture) -> float:
        """Return the mean of quality minus price times cost; a threshold is no price."""
        quality = mixture.mean(forecasts, policy, self.gained)
        if policy.by_threshold:
            return quality
        return quality - self.value * mixture.mean(forecasts, policy, self.cost)

    def aim(self) -> Aim:
        """The same, by query."""
        return Aim(lambda done: self.gained(done) - self.value * self.cost(done), None, self.value)


def tune(
    target: Target,
    forecasts: Forecasts,
    policy: Policy,
    *,
    chooses: bool,
    per_step: bool,
    progress: bool,
) -> tuple[Mixture, Policy]:
    """Return the best mixture that meets the target, and the policy that it is of.

    Parameters
    ----------
    target, forecasts, policy : Target, Forecasts, Policy
        What is to be met, on what, with which options.
    chooses : bool
        Try several factors on the uncertainty, should there be any; the first of equals is taken.
    per_step : bool
        Look for prices that differ from step to step, too.
    progress : bool
        Show a progress bar.

    Raises
    ------
    TargetError
        No policy meets the target.
    """
    candidates = [policy]
    if chooses and is_uncertain(forecasts):
        candidates = [policy.with_lookahead(factor) for factor in LOOKAHEADS]
    compares = len(candidates) > 1 or per_step

    def scored(policy: Policy) -> tuple[float, Mixture]:
        mixture = target.meet(forecasts, policy)
        return target.score(forecasts, policy, mixture) if compares else 0.0, mixture

    best: tuple[float, Mixture] | None = None
    failure: TargetError | None = None
    for candidate in progress_bar(candidates, progress and len(candidates) > 1, "look-ahead"):
        try:
            found = scored(candidate)
        except TargetError as error:
            failure = error
            continue
        if best is None or found[0] > best[0]:
            best, policy = found, candidate
    if best is None:
        assert failure is not None
        raise failure
    if per_step:
        stepped = find_step_factors(
            forecasts, policy, target.aim(), best[1].cheap.price, progress=progress
        )
        with suppress(TargetError):
            found = scored(stepped)
            if found[0] > best[0]:
                best, policy = found, stepped
    return best[1], policy


def is_uncertain(forecasts: Forecasts) -> bool:
    """Say whether the estimator states any uncertainty before a model has run."""
    first = forecasts.at((), np.arange(len(forecasts.queries)))
    return bool(np.any(first.deviations() > 0.0))
