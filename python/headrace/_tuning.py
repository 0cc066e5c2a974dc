"""Find the price at which a policy meets a budget or a quality on a log.

Theorem 1 of cascade routing (Dekoninck, Baader and Vechev, ICML 2025): the best policy at a budget
mixes two, next to each other in the price lambda. A query takes the cheaper one with probability
gamma, so that the mean is met with equality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from headrace._forecasts import Forecasts
from headrace._log import Integers
from headrace._policy import Policy
from headrace._problem import Bools, Floats
from headrace._rollout import Rollouts, roll_out

STEP = 8.0
"""Factor between the prices tried until the target lies between two of them."""
MAX_STEPS = 14
PARTS = 4
"""Parts into which one round of the search divides the interval of prices: few, as each round
settles queries, and the next one costs less."""
N_LINE = 9
"""Prices on a line to begin with."""
N_SCANNED = 65
"""Prices on the line that is searched for a quality."""
N_LEVELS = 16
"""A line of prices resolves this share of the range of means, where it can."""
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

    Raises
    ------
    TargetError
        No policy reaches the target.
    """
    ends = partial(_ends, forecasts, policy, values)
    if policy.by_threshold:
        dear, cheap = _thresholds(forecasts, policy, ends, target, what)
    else:
        dear, cheap = _prices(forecasts, ends, target, what, start)
    for settle in (True, False):
        near_dear, near_cheap, _ = _narrowed(ends, dear, cheap, target, TOLERANCE, settle)
        mixture = _mixed(ends, near_dear, near_cheap, target)
        if mixture is not None:
            return mixture
    raise AssertionError("the target lies between no two neighbouring prices")


def reach(
    forecasts: Forecasts, policy: Policy, values: Values, target: float, *, what: str
) -> Mixture:
    """Find the cheapest policy whose mean value reaches a target, on a line of prices.

    Realised quality need not fall with the price, so the line is searched from its cheap end. The
    target is met with equality, unless the cheapest policy does better.

    Raises
    ------
    TargetError
        No policy on the line reaches the target.
    """
    ends = partial(_ends, forecasts, policy, values)
    if policy.by_threshold:
        low, high = _threshold_range(forecasts, policy)
        prices = np.linspace(high, low, N_SCANNED)
    else:
        start = typical_price(forecasts)
        prices = np.geomspace(start / STEP**3, start * STEP**4, N_SCANNED)
        prices = np.append(0.0, prices)
    line = ends(prices)
    means = np.array([end.mean for end in line])
    reaching = np.flatnonzero(means >= target - TOLERANCE * abs(target))
    if not len(reaching):
        raise TargetError(
            f"{what} {target:g} cannot be met: on this log the policies reach up to {means.max():g}"
        )
    at = int(reaching[-1])
    if at < len(line) - 1 and means[at] > target:
        for settle in (True, False):
            dear, cheap, _ = _narrowed(ends, line[at], line[at + 1], target, TOLERANCE, settle)
            mixture = _mixed(ends, dear, cheap, target)
            if mixture is not None:
                return mixture
    return Mixture(line[at].point, line[at].point, 1.0)


def meet_each(
    forecasts: Forecasts,
    policy: Policy,
    values: Values,
    targets: Iterable[float],
    prices: Floats,
    *,
    tolerance: float = 1e-4,
) -> list[Mixture]:
    """Find a mixture for each target, starting from a line of prices, the dearest policy first.

    A target that no policy on the line meets is answered with the nearest policy. Means are met up
    to the changes that settled queries may still make.
    """
    ends = partial(_ends, forecasts, policy, values)
    line = ends(prices)
    means = np.array([end.mean for end in line])
    mixtures = []
    for target in targets:
        reaching = np.flatnonzero(means >= target)
        if not len(reaching) or reaching[-1] == len(line) - 1:
            nearest = line[int(np.argmin(np.abs(means - target)))].point
            mixtures.append(Mixture(nearest, nearest, 1.0))
            continue
        at = int(reaching[-1])
        dear, cheap, settled = _narrowed(ends, line[at], line[at + 1], target, tolerance, True)
        above = settled + float(dear.values.sum())
        below = settled + float(cheap.values.sum())
        share = 1.0 if above == below else (above - target * len(line[0].values)) / (above - below)
        mixtures.append(Mixture(cheap.point, dear.point, min(max(share, 0.0), 1.0)))
    return mixtures


def price_line(
    forecasts: Forecasts, policy: Policy, values: Values, low: float, high: float
) -> Floats:
    """Return prices of policies whose mean value falls from ``high`` to ``low``, if it can.

    Prices are added between neighbours whose means lie far apart.
    """

    def means_at(prices: Floats) -> Floats:
        found: Floats = values(roll_out(forecasts, policy, prices)).mean(axis=1)
        return found

    def walk(step: float, arrived: Callable[[float], bool]) -> float:
        price = typical_price(forecasts)
        for _ in range(MAX_STEPS):
            if arrived(float(means_at(np.array([price]))[0])):
                break
            price *= step
        return price

    if policy.by_threshold:
        cheapest, dearest = _threshold_range(forecasts, policy)
        prices = np.linspace(dearest, cheapest, N_LINE)
    else:
        dearest = walk(1.0 / STEP, lambda mean: mean >= high)
        cheapest = walk(STEP, lambda mean: mean <= low)
        prices = np.geomspace(dearest, max(cheapest, STEP * dearest), N_LINE)
    means = means_at(prices)
    for _ in range(MAX_STEPS):
        gaps = np.abs(np.diff(np.clip(means, low, high)))
        wide = np.flatnonzero(gaps > (high - low) / N_LEVELS)
        pairs = np.stack([prices[wide], prices[wide + 1]])
        if not len(wide) or len(prices) > 4 * N_LEVELS:
            break
        middle = pairs.mean(axis=0) if policy.by_threshold else np.sqrt(pairs.prod(axis=0))
        prices = np.insert(prices, wide + 1, middle)
        means = np.insert(means, wide + 1, means_at(middle))
    return prices


Ends = Callable[..., "list[_End]"]


def _ends(
    forecasts: Forecasts,
    policy: Policy,
    values: Values,
    prices: Floats,
    rows: Integers | None = None,
    ties: str = "cheapest",
) -> list[_End]:
    rollouts = roll_out(forecasts, policy, prices, rows=rows, ties=ties)
    found = values(rollouts)
    return [
        _End(Point(float(price), ties), rollouts, i, found[i]) for i, price in enumerate(prices)
    ]


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


def _threshold_range(forecasts: Forecasts, policy: Policy) -> tuple[float, float]:
    """Return a threshold at which every query stops at once, and one at which none does."""
    everything = np.arange(len(forecasts.queries))
    seen = [
        forecasts.at(tuple(range(last + 1)), everything).qualities[:, last]
        for last in range(policy.most_models(forecasts.n_models))
    ]
    low, high = float(np.min(seen)), float(np.max(seen))
    return low, high + 1e-6 * max(high - low, abs(high), 1.0)


def _thresholds(
    forecasts: Forecasts, policy: Policy, ends: Ends, target: float, what: str
) -> tuple[_End, _End]:
    low, high = _threshold_range(forecasts, policy)
    dear, cheap = ends(np.array([high, low]))
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
) -> tuple[_End, _End, float]:
    """Divide the interval until its ends are neighbours.

    A query on which both ends plan alike does the same in between: it is settled, and left out.
    The sum of the settled values is returned as well.
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
            return dear, cheap, settled
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
