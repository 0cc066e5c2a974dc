"""Find the price at which a policy meets a budget or a quality on a log.

Theorem 1 of cascade routing (Dekoninck, Baader and Vechev, ICML 2025): the best policy at a budget
mixes two, next to each other in the price lambda. A query takes the cheaper one with probability
gamma, so that the mean is met with equality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from headrace._forecasts import Forecasts
from headrace._log import Integers
from headrace._policy import Policy
from headrace._problem import Bools, Floats
from headrace._rollout import Rollouts, roll_out
from headrace._state import Kind, Part, Value

STEP = 8.0
"""Most that a price is multiplied by at once until the target lies between two prices."""
MAX_STEPS = 14
N_SAMPLED = 250
"""Queries on which a price is looked for first, if there are several times as many."""
CLOSE = 1.1
"""Factor around the price of the sample between which that of all queries is expected."""
PARTS = 4
"""Parts into which one round of the search divides the interval of prices: few, as each round
settles queries, and the next one costs less."""
N_LINE = 9
"""Prices on a line to begin with."""
N_CLOSER = 3
"""Rounds in which the line that is searched for a quality gets more prices where it is best."""
N_CLOSE = 7
"""Prices that an interval of it gets."""
N_LEVELS = 16
"""A line of prices resolves this share of the range of means, where it can."""
N_REMEMBERED = 8
"""Rollouts at one price that are kept: those of a mixture are asked for again."""
MOST_ALONE = 2
"""So many prices are rolled out to be kept: those of a mixture."""
TOLERANCE = 1e-9
"""Prices closer than this, in relation to their size, are neighbours."""

Values = Callable[[Rollouts], Floats]
"""What is to meet the target, for each price and query."""


@dataclass(frozen=True)
class Point:
    """A price, or a threshold, and which of tied choices is taken."""

    price: float
    ties: str = "cheapest"

    STATE: ClassVar[dict[str, Kind]] = {"price": Value((float,)), "ties": Value((str,))}


@dataclass(frozen=True)
class Mixture:
    """Two policies: a query takes the cheaper one with probability gamma, else the dearer one."""

    cheap: Point
    dear: Point
    gamma: float

    STATE: ClassVar[dict[str, Kind]] = {
        "cheap": Part((Point,)),
        "dear": Part((Point,)),
        "gamma": Value((float,)),
    }

    def roll_out(self, forecasts: Forecasts, policy: Policy) -> Iterator[tuple[float, Rollouts]]:
        """Roll both policies out, with their shares; a policy without a share is left out."""
        both = (self.cheap, self.gamma), (self.dear, 1.0 - self.gamma)
        parts = [(point, share) for point, share in both if share > 0.0]
        rolled_out = roll_out_each(forecasts, policy, [point for point, _ in parts])
        for (_, share), rollouts in zip(parts, rolled_out, strict=True):
            yield share, rollouts

    def mean(self, forecasts: Forecasts, policy: Policy, values: Values) -> float:
        """Return the mean of values over queries, as expected of the mixture."""
        return sum(
            share * float(values(rollouts).mean())
            for share, rollouts in self.roll_out(forecasts, policy)
        )


def roll_out_each(forecasts: Forecasts, policy: Policy, points: Sequence[Point]) -> list[Rollouts]:
    """Roll a policy out on all queries at each point; the last few of the queries are remembered.

    Points with the same ties are rolled out at once, which costs less.
    """
    known: dict[tuple[Policy, Point], Rollouts] = forecasts.rollouts
    new = [point for point in dict.fromkeys(points) if (policy, point) not in known]
    for ties in dict.fromkeys(point.ties for point in new):
        alike = [point for point in new if point.ties == ties]
        rollouts = roll_out(forecasts, policy, [point.price for point in alike], ties=ties)
        known.update({(policy, point): rollouts.at(i) for i, point in enumerate(alike)})
    found = [known[policy, point] for point in points]
    for oldest in list(known)[:-N_REMEMBERED]:
        del known[oldest]
    return found


class TargetError(ValueError):
    """No policy meets the target."""


@dataclass(frozen=True, eq=False)
class _End:
    """A policy at one end of the interval: what it did with the queries that are not settled."""

    point: Point
    rollouts: Rollouts
    values: Floats

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    def kept(self, rows: Bools) -> _End:
        return _End(self.point, self.rollouts.of(rows), self.values[rows])


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
    forecasts: Forecasts, policy: Policy, values: Values, spent: Values, target: float, *, what: str
) -> Mixture:
    """Find the mixture of two policies whose mean value reaches a target and that spends least.

    Any two policies may be mixed. Realised quality need not fall with the price, so a line of
    prices from the cheapest policy to the dearest is looked at as a whole, then more closely around
    the two that are best. The target is met with equality, unless the cheapest does better.

    Raises
    ------
    TargetError
        No policy found reaches the target.
    """
    ends = partial(_ends, forecasts, policy, values)

    def measured(prices: Floats) -> Floats:
        rollouts = roll_out(forecasts, policy, prices)
        return np.column_stack(
            [prices, values(rollouts).mean(axis=1), spent(rollouts).mean(axis=1)]
        )

    line = measured(np.unique(_whole_line(forecasts, policy, spent)))
    for last in (False,) * N_CLOSER + (True,):
        best = _cheapest_mixture(line[:, 1], line[:, 2], target)
        cheap, dear = (int(line[:, 1].argmax()),) * 2 if best is None else best
        if last:
            break
        line = np.concatenate([line, measured(_around(line[:, 0], {cheap, dear}))])
        line = line[np.argsort(line[:, 0], kind="stable")]
    if best is None:
        raise TargetError(
            f"{what} {target:g} cannot be met: on this log the policies found reach up to "
            f"{_inward(line[:, 1].max(), -np.inf)}"
        )
    low, high = ends([Point(float(line[i, 0])) for i in (cheap, dear)])
    above = high.mean - low.mean
    gamma = min(max((high.mean - target) / above, 0.0), 1.0) if above > 0.0 else 1.0
    return Mixture(low.point, high.point, gamma)


def _whole_line(forecasts: Forecasts, policy: Policy, spent: Values) -> Floats:
    """Return prices of policies from the dearest to the cheapest that there are."""
    if policy.by_threshold:
        return price_line(forecasts, policy, spent, -np.inf, np.inf)
    ends = partial(_ends, forecasts, policy, spent)
    free, cheapest = ends([Point(0.0), Point(typical_price(forecasts) * STEP**MAX_STEPS)])
    line = price_line(forecasts, policy, spent, cheapest.mean, free.mean)
    return np.append(0.0, line)


def _around(prices: Floats, chosen: set[int]) -> Floats:
    """Return prices between chosen ones and their neighbours; prices rise."""
    parts = []
    for place in {i - 1 for i in chosen} | chosen:
        if 0 <= place < len(prices) - 1:
            low, high = prices[place], prices[place + 1]
            spread = np.geomspace if low > 0.0 else np.linspace
            parts.append(spread(low, high, N_CLOSE + 2)[1:-1])
    return np.setdiff1d(np.concatenate([*parts, np.empty(0)]), prices)


def _cheapest_mixture(means: Floats, costs: Floats, target: float) -> tuple[int, int] | None:
    """Return the two policies, the first cheaper, whose mixture reaches a mean and costs least."""
    reaching = means >= target - TOLERANCE * abs(target)
    if not reaching.any():
        return None
    single = np.flatnonzero(reaching)[np.argmin(costs[reaching])]
    best, least = (int(single), int(single)), float(costs[single])
    below = np.flatnonzero(~reaching)
    if len(below):
        above = np.flatnonzero(reaching)
        share = (target - means[below, None]) / (means[above] - means[below, None])
        mixed = costs[below, None] + share * (costs[above] - costs[below, None])
        i, j = np.unravel_index(int(mixed.argmin()), mixed.shape)
        if mixed[i, j] < least:
            best = int(below[i]), int(above[j])
    return best


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
    line = ends([Point(price) for price in prices.tolist()])
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
        ends = means_at(prices[[-1, 0]])
        low, high = max(low, float(ends.min())), min(high, float(ends.max()))
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
    points: Sequence[Point],
    rows: Integers | None = None,
) -> list[_End]:
    """Roll out at points; those of some rows, or of a long line, have the same ties."""
    if rows is None and len(points) <= MOST_ALONE:
        rolled_out = roll_out_each(forecasts, policy, points)
        return [
            _End(point, rollouts, values(rollouts)[0])
            for point, rollouts in zip(points, rolled_out, strict=True)
        ]
    prices = [point.price for point in points]
    rollouts = roll_out(forecasts, policy, prices, rows=rows, ties=points[0].ties)
    found = values(rollouts)
    return [_End(point, rollouts.at(i), found[i]) for i, point in enumerate(points)]


def _prices(
    forecasts: Forecasts, ends: Ends, target: float, what: str, start: float | None
) -> tuple[_End, _End]:
    """Return two prices between which the target lies: the lower (dearer) and the higher."""
    n = len(forecasts.queries)
    start = typical_price(forecasts) if start is None else start
    if n >= 4 * N_SAMPLED:
        with suppress(TargetError):
            sample = np.arange(0, n, n // N_SAMPLED)
            dear, cheap = _bracket(partial(ends, rows=sample), target, what, start, STEP)
            dear, cheap, _ = _narrowed(ends, dear, cheap, target, CLOSE - 1.0, True)
            close = float(np.sqrt(dear.point.price * cheap.point.price))
            dear, cheap = _bracket(ends, target, what, close, CLOSE)
            if dear.point.price > 0.0:
                return dear, cheap
    return _bracket(ends, target, what, start, STEP)


def _bracket(ends: Ends, target: float, what: str, start: float, step: float) -> tuple[_End, _End]:
    """Go from a price to both sides, by longer and longer steps, until the target lies between."""
    dear, cheap = ends([Point(start / step), Point(start * step)])
    if dear.mean >= target >= cheap.mean:
        return dear, cheap
    up = cheap.mean > target
    last = cheap if up else dear
    seen = [dear, cheap]
    for _ in range(MAX_STEPS):
        step = min(step * step, STEP)
        price = last.point.price * step if up else last.point.price / step
        (here,) = ends([Point(price)])
        if up and here.mean <= target:
            return last, here
        if not up and here.mean >= target:
            return here, last
        last = here
    (free,), (dearest,) = ends([Point(0.0)]), ends([Point(0.0, "dearest")])
    if not up:
        if free.mean >= target:
            return free, last
        if dearest.mean >= target:
            return dearest, free
        seen += ends([Point(start * STEP**MAX_STEPS)])
    seen += [last, free, dearest]
    low, high = (find(seen, key=lambda end: end.mean) for find in (min, max))
    if low.mean <= target <= high.mean:  # what is cheaper by estimate is dearer in truth
        return high, low
    return _nearest(what, target, low, high)


def _threshold_range(forecasts: Forecasts, policy: Policy) -> tuple[float, float]:
    """Return a threshold at which every query stops at once, and one at which none does."""
    everything = np.arange(len(forecasts.queries))
    seen = [
        forecasts.at(tuple(range(last + 1)), everything).qualities[:, last]
        for last in range(policy.most_models(forecasts.n_models))
    ]
    low, high = float(np.min(seen)), float(np.max(seen))
    return low, high + 1e-6 * max(high - low, abs(high), 1e-300)


def _thresholds(
    forecasts: Forecasts, policy: Policy, ends: Ends, target: float, what: str
) -> tuple[_End, _End]:
    low, high = _threshold_range(forecasts, policy)
    dear, cheap = ends([Point(high), Point(low)])
    if cheap.mean <= target <= dear.mean:
        return dear, cheap
    return _nearest(what, target, cheap, dear)


def typical_price(forecasts: Forecasts) -> float:
    """Return a price at which quality and cost weigh about the same before any model runs."""
    first = forecasts.at((), np.arange(len(forecasts.queries)))
    quality = float(np.ptp(first.qualities, axis=1).mean() + np.mean(first.deviations()))
    cost, mean = float(np.ptp(first.costs, axis=1).mean()), float(first.costs.mean())
    if cost <= TOLERANCE * mean:  # they differ by rounding
        cost = mean
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
        points = _divided(dear.point, cheap.point, tolerance)
        if not points or not len(dear.values):
            return dear, cheap, settled
        inner = ends(points, dear.rollouts.rows)
        line = [dear, *inner, cheap]
        means = np.array([(settled + end.values.sum()) / n for end in line])
        at = int(np.flatnonzero(means[:-1] >= target)[-1]) if means[0] >= target else 0
        dear, cheap = line[at], line[at + 1]


def _differing(one: _End, other: _End) -> Bools:
    """Say on which queries two policies plan differently anywhere."""
    differs: Bools = np.zeros(len(one.values), dtype=np.bool_)
    for left, right in (
        (one.rollouts.paths[0], other.rollouts.paths[0]),
        (
            one.rollouts.plans[0].astype(np.int64).reshape(len(differs), -1),
            other.rollouts.plans[0].astype(np.int64).reshape(len(differs), -1),
        ),
    ):
        width = min(left.shape[1], right.shape[1])
        differs |= (left[:, :width] != right[:, :width]).any(axis=1)
        for rest in (left[:, width:], right[:, width:]):
            differs |= (rest > 0).any(axis=1)
    return differs


def _divided(dear: Point, cheap: Point, tolerance: float) -> list[Point]:
    """Return points strictly in between, evenly spread in log; thresholds fall, evenly spread."""
    low, high = sorted((dear.price, cheap.price))
    if dear.ties != cheap.ties or high - low <= tolerance * max(abs(low), abs(high)):
        return []
    if dear.price > cheap.price:  # thresholds, of any sign
        parts = np.linspace(high, low, PARTS + 1)[1:-1]
        if not high > parts[0] >= parts[-1] > low:
            return []
    elif low == 0.0:
        return []
    else:
        parts = np.geomspace(low, high, PARTS + 1)[1:-1]
    return [Point(price, dear.ties) for price in parts.tolist()]


def _mixed(ends: Ends, dear: _End, cheap: _End, target: float) -> Mixture | None:
    """Mix two policies so that the target is met, measured on all queries.

    Where more than one query tells the neighbours apart, its choices tie at the price between them:
    then both policies can be had at one price, which is the form of the theorem.
    """
    pairs = [(dear.point, cheap.point)]
    if len(dear.values) and _differing(dear, cheap).sum() > 1 and cheap.point.ties == "cheapest":
        pairs.insert(0, (Point(cheap.point.price, "dearest"), cheap.point))
    for high, low in pairs:
        above, below = ends([high, low])
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
    lowest, highest = _inward(low, np.inf), _inward(high, -np.inf)
    if float(lowest) > float(highest):
        lowest, highest = repr(low), repr(high)
    raise TargetError(
        f"{what} {target:g} cannot be met: on this log the policies reach from "
        f"{lowest} to {highest}"
    )


def _inward(mean: float, towards: float) -> str:
    """Return a mean in few digits, rounded so that it can be met."""
    text = f"{mean:g}"
    rounded = float(text)
    if rounded != mean and (rounded < mean) == (towards > mean):
        exponent = np.floor(np.log10(abs(mean))) if mean else 0.0
        text = f"{mean + np.copysign(10.0 ** (exponent - 5), towards):g}"
    return text
