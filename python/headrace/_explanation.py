"""Why a session goes on or stops, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from headrace._backends import reference
from headrace._decider import Candidates, Decider
from headrace._estimators.protocol import Estimates
from headrace._log import Queries
from headrace._problem import Floats, Problem

FURTHER = {
    "cascade_routing": ("no set of further models is worth its cost", "tradeoff"),
    "cascade": ("no further part of the cascade is worth its cost", "tradeoff"),
    "index": ("no further model is worth its cost", "reservation value"),
}
"""Why a strategy stops while there are candidates, and what it compares."""


@dataclass(frozen=True)
class Explanation:
    """One decision of a session.

    ``str()`` of it says it in words, `as_dict` in numbers that JSON holds.

    Attributes
    ----------
    reason : str
        Why the session stops or goes on.
    next_model, answer : str or None
        As of the session.
    models : tuple of str
    qualities, costs, deviations : tuple of float
        What is expected of each model: the quality of its answer, what running it costs (time
        included, where it has a price), and the standard deviation of the change of the quality's
        estimate that running it brings, before the look-ahead's factor.
    ran : tuple of str
        Models that have run, in turn.
    excluded : dict of str to str
        Models that are no candidates, and why.
    strategy : str
    lambda_ : float
        The price of this step; of a threshold cascade, the threshold.
    dearer : bool
        Whether it is that of the dearer of the two policies.
    supermodel : tuple of str
        The chosen models, those that have run included.
    quality, cost, tradeoff : float or None
        Of the supermodel: expected quality of its best answer, cost still to be paid, and what the
        decision compares: ``quality - lambda_ * cost``. None if nothing has run and nothing can.
    upper_bound : float or None
        No admissible choice has a higher tradeoff. None of a threshold cascade, which has none.
    optimal : bool
        Whether the choice is proven best.
    alternative : float or None
        The best value on the other side: of going on where the session stops, of stopping where it
        goes on. A tradeoff; of the index rule a reservation value, and the best answer so far.
    """

    reason: str
    next_model: str | None
    answer: str | None
    models: tuple[str, ...]
    qualities: tuple[float, ...]
    costs: tuple[float, ...]
    deviations: tuple[float, ...]
    ran: tuple[str, ...]
    excluded: dict[str, str]
    strategy: str
    lambda_: float
    dearer: bool
    supermodel: tuple[str, ...]
    quality: float | None
    cost: float | None
    tradeoff: float | None
    upper_bound: float | None
    optimal: bool
    alternative: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it in lists, texts and numbers; None where a number is infinite."""

        def plain(value: Any) -> Any:
            if isinstance(value, tuple):
                return [plain(one) for one in value]
            return None if isinstance(value, float) and not math.isfinite(value) else value

        return {name: plain(value) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        width = max(map(len, self.models))
        lines = [self.reason, f"{'model':<{width}}  quality      +-    cost"]
        for name, quality, deviation, cost in zip(
            self.models, self.qualities, self.deviations, self.costs, strict=True
        ):
            note = ""
            if name in self.ran:
                note = "  has run"
            elif name in self.excluded:
                note = f"  {self.excluded[name]}"
            elif name in self.supermodel:
                note = "  chosen"
            lines.append(f"{name:<{width}}  {quality:7.4g} {deviation:7.3g} {cost:7.4g}{note}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Choice:
    """What was chosen, with the value on the other side; models are columns of the log."""

    members: tuple[int, ...]
    quality: float | None = None
    cost: float | None = None
    tradeoff: float | None = None
    upper_bound: float | None = None
    optimal: bool = True
    value: float | None = None
    alternative: float | None = None


def explain(
    decider: Decider,
    queries: Queries,
    ran: tuple[int, ...],
    next_index: int,
    *,
    dearer: bool,
    barred: Mapping[int, str],
    surcharge: Floats | None,
) -> Explanation:
    """Explain a decision on one query by taking it once more."""
    names = decider.models
    run = sorted(ran)
    estimates = decider.estimates(queries, run)
    if surcharge is not None:
        estimates = replace(estimates, costs=estimates.costs + surcharge)
    qualities = estimates.qualities[0]
    among = decider.candidates(barred)
    best = int(decider.best(estimates.qualities, run)[0]) if run else None
    if len(among.order) > len(run):
        choice = _chosen(decider, estimates, run, dearer, among)
    else:
        value = None if best is None else float(qualities[best])
        choice = _Choice(tuple(run), value, None if best is None else 0.0, value, value)
    words = _Words(names, decider, run, best, qualities, decider.price(dearer, len(run)))
    if next_index < 0:
        reason = words.of_stopping(choice, any_left=len(among.order) > len(run))
    else:
        reason = words.of_going_on(choice, next_index, float(estimates.costs[0, next_index]))
    return Explanation(
        reason=reason,
        next_model=None if next_index < 0 else names[next_index],
        answer=None if best is None else names[best],
        models=names,
        qualities=tuple(qualities.tolist()),
        costs=tuple(estimates.costs[0].tolist()),
        deviations=tuple(estimates.deviations().reshape(-1).tolist()),
        ran=tuple(names[model] for model in ran),
        excluded={names[model]: why for model, why in barred.items()},
        strategy=decider.policy.strategy,
        lambda_=words.price,
        dearer=dearer,
        supermodel=tuple(names[model] for model in choice.members),
        quality=choice.quality,
        cost=choice.cost,
        tradeoff=choice.tradeoff,
        upper_bound=choice.upper_bound,
        optimal=choice.optimal,
        alternative=choice.alternative,
    )


def _chosen(
    decider: Decider, estimates: Estimates, run: Sequence[int], dearer: bool, among: Candidates
) -> _Choice:
    """Take the decision, and value what was not chosen."""
    chosen = decider.decide(estimates, run, dearer, among)
    positions = np.flatnonzero(chosen.supermodel[0])
    members = tuple(sorted(among.order[positions].tolist()))
    if decider.policy.by_threshold:
        quality = float(chosen.quality[0]) if run else None
        return _Choice(members, quality, None, quality, None, optimal=True)
    problem = decider.problem(estimates, run, dearer, among)
    stops = bool(chosen.next_model[0] < 0)
    value = float(chosen.tradeoff[0])
    if decider.policy.strategy == "index":
        options = list(reference.index(reference.query_of(problem, 0)))
        value = next(one.value for one in options if one.models == tuple(positions.tolist()))
        others = [one.value for one in options if (len(one.models) == len(run)) is not stops]
        alternative = max(others, default=None)
    else:
        alternative = _other_tradeoff(problem, stops)
    return _Choice(
        members,
        float(chosen.quality[0]),
        float(chosen.cost[0]),
        float(chosen.tradeoff[0]),
        float(chosen.upper_bound[0]),
        bool(chosen.optimal[0]),
        value,
        alternative,
    )


def _other_tradeoff(problem: Problem, stops: bool) -> float | None:
    """Return the best tradeoff of going on where stopping is best, else that of stopping.

    Where stopping is best, no set of further models is better than a single one: each gains at most
    its cost, and gains only shrink as a set grows.
    """
    assert problem.ran is not None
    ran = problem.ran[0]
    room = problem.max_models - int(ran.sum())
    if not ran.any() or (stops and room <= 0):
        return None
    draws = reference.query_of(problem, 0).draws
    seen = draws[ran].max(axis=0)
    if not stops:
        return float(seen.mean())
    further, prices = draws[~ran], problem.lambda_[0] * problem.costs[0][~ran]
    if problem.strategy == "cascade":
        further = np.maximum.accumulate(further[:room], axis=0)
        prices = prices[:room].cumsum()
    return float((np.maximum(further, seen).mean(axis=1) - prices).max())


@dataclass(frozen=True)
class _Words:
    """Words for a decision."""

    names: tuple[str, ...]
    decider: Decider
    run: Sequence[int]
    best: int | None
    qualities: Floats
    price: float

    def of_stopping(self, choice: _Choice, any_left: bool) -> str:
        """Say why the session stops."""
        if self.best is None:
            return "stops without an answer: no model is left to run"
        policy = self.decider.policy
        estimate = f"estimated at {self.qualities[self.best]:.4g}"
        given = f"stops with the answer of {self.names[self.best]!r}, {estimate}"
        if not any_left:
            return f"{given}: no other model is left"
        if len(self.run) >= policy.most_models(self.decider.n_models):
            if policy.strategy == "routing":
                return f"{given}: routing runs one model"
            return f"{given}: max_depth = {policy.max_depth} models have run"
        if policy.by_threshold:
            return f"{given}, which is not below the threshold {self.price:.4g}"
        why, what = FURTHER[policy.strategy]
        against = ""
        if choice.alternative is not None:
            against = f" (best {what} {choice.alternative:.4g} against {choice.value:.4g})"
        return f"{given}: {why}{against}"

    def of_going_on(self, choice: _Choice, model: int, cost: float) -> str:
        """Say why the session runs a model."""
        policy = self.decider.policy
        runs = f"runs {self.names[model]!r} next"
        if policy.by_threshold:
            if not self.run:
                return f"{runs}: the first of the cascade"
            assert choice.quality is not None
            return (
                f"{runs}: the last answer is estimated at {choice.quality:.4g}, below the "
                f"threshold {self.price:.4g}"
            )
        runs = f"{runs}, expected to cost {cost:.4g}"
        if policy.strategy == "index":
            said = f"{runs}: its reservation value {choice.value:.4g} is the highest"
            rest = "the best answer so far"
        else:
            new = [i for i in choice.members if i not in self.run]
            chosen = self._listed(new)
            said = f"{runs}: {chosen} has the best tradeoff, {choice.tradeoff:.4g}"
            rest = "stopping now"
        if choice.alternative is None:
            return said
        return f"{said}, against {choice.alternative:.4g} for {rest}"

    def _listed(self, models: Iterable[int]) -> str:
        quoted = [repr(self.names[model]) for model in models]
        if len(quoted) < 2:  # none where two ties were taken either way
            return quoted[0] if quoted else "no further model"
        return f"the set of {', '.join(quoted[:-1])} and {quoted[-1]}"
