"""Find the price at which a policy meets a budget or a quality on a log.

Theorem 1 of cascade routing (Dekoninck, Baader and Vechev, ICML 2025): the best policy at a budget
mixes two, next to each other in the price lambda. A query takes the cheaper one with probability
gamma, so that the mean is met with equality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from headrace._forecasts import Forecasts
from headrace._log import Integers
from headrace._policy import Policy
from headrace._problem import Bools, Floats
from headrace._rollout import Rollouts, roll_out

STEP = 8.0
"""Factor between the prices tried until the target lies between two of them."""
MAX_STEPS = 14
PARTS = 9
"""Parts into which one round of the search divides the interval of prices."""
TOLERANCE = 1e-9
"""Prices closer than this, in relation to their size, are neighbours."""

Values = Callable[[Rollouts], Floats]
"""What is to meet the target, for each price and query."""


@dataclass(frozen=True)
class Point:
    """A price, or a threshold, and which of tied choices is taken."""

    price: float
    ties: str = "cheapest"


@dataclass(frozen=True)
class Mixture:
    """Two policies: a query takes the cheaper one with probability gamma, else the dearer one."""

    cheap: Point
    dear: Point
    gamma: float

    def roll_out(self, forecasts: Forecasts, policy: Policy) -> Iterator[tuple[float, Rollouts]]:
        """Roll both policies out, with their shares; a policy without a share is left out."""
        for point, share in ((self.cheap, self.gamma), (self.dear, 1.0 - self.gamma)):
            if share > 0.0:
                yield share, roll_out(forecasts, policy, [point.price], ties=point.ties)

    def mean(self, forecasts: Forecasts, policy: Policy, values: Values) -> float:
        """Return the mean of values over queries, as expected of the mixture."""
        return sum(
            share * float(values(rollouts).mean())
            for share, rollouts in self.roll_out(forecasts, policy)
        )


class TargetError(ValueError):
    """No policy meets the target."""


@dataclass(frozen=True, eq=False)
class _End:
    """A policy at one end of the interval: what it did with the queries that are not settled."""

    point: Point
    rollouts: Rollouts
    at: int
    values: Floats

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    def kept(self, rows: Bools) -> _End:
        one = slice(self.at, self.at + 1)
        done = self.rollouts
        kept = Rollouts(
            done.rows[rows],
            done.paths[one, rows],
            done.answers[one, rows],
            done.plans[one, rows],
            done.decisions[one, rows],
            done.estimates[one, rows],
        )
        return _End(self.point, kept, 0, self.values[rows])


def meet(
    forecasts: Forecasts,
    policy: Policy,
    values: Values,
    target: float,
    *,
    what: str,
    start: float | None = None,
    tolerance: float = TOLERANCE,
) -> Mixture:
    """Find the mixture of neighbouring policies whose mean value is the target.

    Parameters
    ----------
    forecasts, policy : Forecasts, Policy
        What is rolled out.
    values : callable
        From rollouts to an array of shape (L, n); its mean falls, on the whole, as the price
        rises. It need not fall everywhere: the crossing at the highest price found is taken.
    target : float
        What the mean is to be.
    what : str
        Name of the target, for messages.
    start : float, optional
        Price to begin with.
    tolerance : float
        Relative difference of the prices at which the search ends.

    Raises
    ------
    TargetError
        No policy reaches the target.
    """

    def ends(prices: Floats, rows: Integers | None = None, ties: str = "cheapest") -> list[_End]:
        rollouts = roll_out(forecasts, policy, prices, rows=rows, ties=ties)
        found = values(rollouts)
        return [
            _End(Point(float(price), ties), rollouts, i, found[i]) for i, price in enumerate(prices)
        ]

    bracket = _thresholds if policy.by_threshold else _prices
    dear, cheap = bracket(forecasts, ends, target, what, start)
    for settle in (True, False):
        near = _narrowed(ends, dear, cheap, target, tolerance, settle)
        mixture = _mixed(ends, *near, target)
        if mixture is not None:
            return mixture
    raise AssertionError("the target lies between no two neighbouring prices")


Ends = Callable[..., "list[_End]"]


def _prices(
    forecasts: Forecasts, ends: Ends, target: float, what: str, start: float | None
) -> tuple[_End, _End]:
    """Return two prices between which the target lies: the lower (dearer) and the higher."""
    if start is None:
        start = typical_price(forecasts)
    (here,) = ends(np.array([start]))
    up = here.mean > target
    last = here
    for _ in range(MAX_STEPS):
        price = last.point.price * STEP if up else last.point.price / STEP
        (here,) = ends(np.array([price]))
        if up and here.mean <= target:
            return last, here
        if not up and here.mean >= target:
            return here, last
        last = here
    (free,) = ends(np.zeros(1))
    (dearest,) = ends(np.zeros(1), ties="dearest")
    if not up:
        if free.mean >= target:
            return free, last
        if dearest.mean >= target:
            return dearest, free
        (last,) = ends(np.array([start * STEP**MAX_STEPS]))
    return _nearest(what, target, last, max(free, dearest, key=lambda end: end.mean))


def _thresholds(
    forecasts: Forecasts, ends: Ends, target: float, what: str, start: float | None
) -> tuple[_End, _End]:
    """Return a threshold below all estimates and one above."""
    del start
    everything = np.arange(len(forecasts.queries))
    k = forecasts.n_models
    seen = [
        forecasts.at(tuple(range(position + 1)), everything).qualities[:, position]
        for position in range(k)
    ]
    low, high = float(np.min(seen)), float(np.max(seen))
    margin = max(high - low, abs(low), abs(high), 1.0)
    (cheap,) = ends(np.array([low]))
    (dear,) = ends(np.array([high + margin]))
    if cheap.mean <= target <= dear.mean:
        return dear, cheap
    return _nearest(what, target, cheap, dear)


def typical_price(forecasts: Forecasts) -> float:
    """Return a price at which quality and cost weigh about the same before any model runs."""
    first = forecasts.at((), np.arange(len(forecasts.queries)))
    quality = float(np.ptp(first.qualities, axis=1).mean() + np.mean(first.deviations()))
    cost = float(np.ptp(first.costs, axis=1).mean()) or float(first.costs.mean())
    price = quality / cost if cost > 0.0 else 1.0
    return price if price > 0.0 and np.isfinite(price) else 1.0


def _narrowed(
    ends: Ends, dear: _End, cheap: _End, target: float, tolerance: float, settle: bool
) -> tuple[_End, _End]:
    """Divide the interval until its ends are neighbours.

    A query on which both ends plan alike does the same in between: it is settled, and left out.
    """
    n = len(dear.values)
    settled = 0.0
    while True:
        if settle:
            open_ = _differing(dear, cheap)
            settled += float(dear.values[~open_].sum())
            dear, cheap = dear.kept(open_), cheap.kept(open_)
        prices = _divided(dear.point, cheap.point, tolerance)
        if not len(prices) or not len(dear.values):
            return dear, cheap
        inner = ends(prices, dear.rollouts.rows)
        line = [dear, *inner, cheap]
        means = np.array([(settled + end.values.sum()) / n for end in line])
        at = int(np.flatnonzero(means[:-1] >= target)[-1]) if means[0] >= target else 0
        dear, cheap = line[at], line[at + 1]


def _differing(one: _End, other: _End) -> Bools:
    """Say on which queries two policies plan differently anywhere."""
    differs: Bools = np.zeros(len(one.values), dtype=np.bool_)
    for left, right in (
        (one.rollouts.paths[one.at], other.rollouts.paths[other.at]),
        (
            one.rollouts.plans[one.at].astype(np.int64).reshape(len(differs), -1),
            other.rollouts.plans[other.at].astype(np.int64).reshape(len(differs), -1),
        ),
    ):
        width = min(left.shape[1], right.shape[1])
        differs |= (left[:, :width] != right[:, :width]).any(axis=1)
        for rest in (left[:, width:], right[:, width:]):
            differs |= (rest > 0).any(axis=1)
    return differs


def _divided(dear: Point, cheap: Point, tolerance: float) -> Floats:
    """Return prices strictly in between, evenly spread in log; thresholds fall, evenly spread."""
    low, high = sorted((dear.price, cheap.price))
    if dear.ties != cheap.ties or low == 0.0 or high - low <= tolerance * max(abs(low), abs(high)):
        return np.empty(0)
    if dear.price > cheap.price:
        return np.linspace(high, low, PARTS + 1)[1:-1]
    return np.geomspace(low, high, PARTS + 1)[1:-1]


def _mixed(ends: Ends, dear: _End, cheap: _End, target: float) -> Mixture | None:
    """Mix two policies so that the target is met, measured on all queries.

    Where more than one query tells the neighbours apart, its choices tie at the price between them:
    then both policies can be had at one price, which is the form of the theorem.
    """
    pairs = [(dear.point, cheap.point)]
    if len(dear.values) and _differing(dear, cheap).sum() > 1 and cheap.point.ties == "cheapest":
        pairs.insert(0, (Point(cheap.point.price, "dearest"), cheap.point))
    for high, low in pairs:
        (above,) = ends(np.array([high.price]), ties=high.ties)
        (below,) = ends(np.array([low.price]), ties=low.ties)
        slack = TOLERANCE * abs(target)
        if below.mean - slack <= target <= above.mean + slack:
            difference = above.mean - below.mean
            gamma = (above.mean - target) / difference if difference > 0.0 else 1.0
            if gamma <= 0.0:
                return Mixture(high, high, 1.0)
            return Mixture(low, high, min(gamma, 1.0))
    return None


def _nearest(what: str, target: float, cheap: _End, dear: _End) -> tuple[_End, _End]:
    """Return the end that the target only misses by rounding, or raise."""
    for end in (cheap, dear):
        if abs(end.mean - target) <= TOLERANCE * abs(target):
            return end, end
    low, high = sorted((cheap.mean, dear.mean))
    raise TargetError(
        f"{what} {target:g} cannot be met: on this log the policies reach from {low:g} to {high:g}"
    )
