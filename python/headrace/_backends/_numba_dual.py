"""The dual bound of facility location (Erlenkotter, 1978).

On common samples the best supermodel is an uncapacitated facility location: models are facilities
with opening costs, their prices; samples are clients. For any level w_s per sample,

    mean(w) + sum over the (at most ``slots``) largest of [mean((x_i - w)+) - price_i]+

bounds the tradeoff of every set of models; where some are included already, w_s must not be below
their best draw.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from headrace._backends._numba_best_two import BestTwo
from headrace._backends._numba_compile import compiled
from headrace._backends._numba_heap import make_heap, sift_down
from headrace._backends._numba_pool import Pool
from headrace._backends._numba_query import Integers
from headrace._backends._numba_samples import copy_to
from headrace._problem import Floats

MOST_STEPS = 20
CLOSE_ENOUGH = 1e-3
"""Of a price: near its level the bound is flat."""

BOUND = np.dtype(
    [
        ("base", np.float64),
        ("total", np.float64),  # the bound
        ("entry", np.float64),  # least gain that finds a slot
        ("next", np.float64),  # gain that takes a slot which falls free
        ("highest", np.float64),  # of all gains, paying or not
        ("second", np.float64),
        ("n_paying", np.int64),
        ("needs_one", np.bool_),  # the empty set of free models is no choice
    ]
)
"""The bound from its parts."""


@compiled
def set_bound(
    dual: Any,
    base: float,
    gains: Floats,
    slots: int,
    needs_one: bool,
    paying: Floats,
    places: Integers,
) -> None:
    """Add up a bound; at least one gain, one slot.

    ``base`` is mean(w) less what is paid already, and ``gains`` the reduced gains
    mean((x_i - w)+) - price_i of the free models; ``paying`` and ``places`` are room for as many.
    """
    highest = -np.inf
    second = -np.inf
    n_paying = 0
    paid = 0.0  # added by itself: it may be small beside the base
    for gain in gains:
        second = max(second, min(gain, highest))
        highest = max(highest, gain)
        if gain > 0.0:
            paying[n_paying] = gain
            n_paying += 1
            paid += gain
    dual.entry = 0.0
    dual.next = 0.0
    if n_paying >= slots:
        make_heap(paying, places, n_paying)
        paid = 0.0
        for slot in range(slots):
            paid += paying[0]
            dual.entry = paying[0]
            last = n_paying - slot - 1
            paying[0] = paying[last]
            sift_down(paying, places, 0, last)
        if n_paying > slots:
            dual.next = paying[0]
    elif n_paying == 0 and needs_one:
        paid = highest
    dual.base = base
    dual.total = base + paid
    dual.highest = highest
    dual.second = second
    dual.n_paying = n_paying
    dual.needs_one = needs_one


@compiled
def bound_with(dual: Any, gain: float) -> float:
    """Bound the sets that contain a model, by its gain."""
    if dual.n_paying == 0 and dual.needs_one:
        return float(dual.base + gain)
    if gain < dual.entry or gain < 0.0:
        return float(dual.total + (gain - dual.entry))
    return float(dual.total)


@compiled
def bound_without(dual: Any, gain: float) -> float:
    """Bound the sets that do not contain a model, by its gain."""
    if not counts(dual, gain):
        return float(dual.total)
    if dual.needs_one and dual.n_paying <= 1:
        return float(dual.base + dual.second)
    return float(dual.total - gain + dual.next)


@compiled
def counts(dual: Any, gain: float) -> bool:
    """Whether the bound counts a model of this gain."""
    if gain > 0.0:
        return bool(gain >= dual.entry)
    return bool(dual.n_paying == 0 and dual.needs_one and gain == dual.highest)


@compiled
def slack_levels(
    two: BestTwo, pool: Pool, places: Integers, level: Floats, served: Integers
) -> None:
    """Fill in levels by complementary slackness, for the set that ``two`` holds.

    Each of its models is paid for exactly by the samples that it serves, all lowered to a common
    level but not below their second best. ``served`` is room for them.
    """
    best, second, owner = two.best, two.second, two.owner
    copy_to(level, best)
    for place in range(len(places)):
        count = 0
        for s in range(pool.n_samples):
            if owner[s] == place:
                served[count] = s
                count += 1
        own = served[:count]
        to = common_level(best, second, own, pool.prices[places[place]] * pool.n_samples)
        for s in own:
            level[s] = max(second[s], min(best[s], to))


@compiled
def common_level(best: Floats, second: Floats, samples: Integers, price: float) -> float:
    """Find the level t with sum of (best - max(second, min(best, t))) = price over the samples.

    The highest where they cannot pay that much. What they pay is piecewise linear in t: Newton's
    steps, kept within a bracket.
    """
    count = len(samples)
    if count == 0:
        return 0.0
    low = np.inf
    high = -np.inf
    for s in samples:
        low = min(low, best[s])
        high = max(high, best[s])
    low -= price / count
    level = high - price / count
    for _ in range(MOST_STEPS):
        if not low < high:
            break
        payment = 0.0
        slope = 0.0
        for s in samples:
            payment += best[s] - max(second[s], min(best[s], level))
            slope += 1.0 if second[s] < level < best[s] else 0.0
        if abs(payment - price) <= CLOSE_ENOUGH * price:
            break
        if payment > price:
            low = level
        else:
            high = level
        newton = level + (payment - price) / slope if slope > 0.0 else high
        level = newton if low < newton < high else 0.5 * (low + high)
    return level
