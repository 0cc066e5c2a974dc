"""The definition of every decision, written out plainly for one query.

Nothing of the package is imported here: all admissible supermodels are enumerated with Python
loops and their tradeoffs added with `math.fsum`. It is slow on purpose, and only for few models.

A query is described by

- `qualities`, `costs`: k numbers each; `lambda_`: one number;
- `deviations` (k standard deviations) or `factor` (k x k, lower Cholesky factor) or neither;
- `samples`: (k, S) standardised draws, needed with `deviations` or `factor`;
- `ran`: the indices of the models that have run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

TIE = 1e-9
ROUNDING = 1e-12

Members = tuple[int, ...]
Matrix = npt.NDArray[np.float64]


class Decision(TypedDict):
    """What the oracle answers for one query."""

    next_model: int
    supermodel: set[int]
    tradeoff: float
    quality: float
    cost: float
    best: float
    """Highest tradeoff of the admissible supermodels (of the wider problem for greedy search)."""
    ambiguous: bool
    """True if rounding can decide whether some supermodel is among the ties."""


class Option(TypedDict):
    """Something that can be chosen: a supermodel with what it is worth."""

    members: Members
    value: float
    quality: float
    cost: float


def decide(
    qualities: Sequence[float],
    costs: Sequence[float],
    lambda_: float,
    *,
    deviations: Sequence[float] | None = None,
    factor: Matrix | None = None,
    samples: Matrix | None = None,
    ran: Collection[int] = (),
    strategy: str = "cascade_routing",
    search: str = "exact",
    max_depth: int | None = None,
    fixed_order: bool = False,
    ties: str = "cheapest",
) -> Decision:
    """Decide for one query by enumeration."""
    has_run = tuple(sorted(ran))
    if strategy == "index":
        return _decide_index(qualities, costs, lambda_, deviations, has_run, ties)

    if strategy == "routing":
        deviations, factor = None, None
    outcomes = sample_outcomes(qualities, deviations, factor, samples)
    n_models = len(qualities)

    options = [
        _evaluate(members, outcomes, costs, lambda_, has_run)
        for members in admissible(n_models, has_run, strategy, search, max_depth, fixed_order)
    ]
    candidates = [i for i in range(n_models) if i not in has_run]
    scale = max(abs(x) for column in outcomes for x in column)
    scale += lambda_ * math.fsum(costs[i] for i in candidates)
    chosen, ambiguous = choose(options, has_run, ties, ROUNDING * max(1.0, scale))

    best = max(option["value"] for option in options)
    if strategy == "cascade_routing" and search == "greedy":
        wider = admissible(n_models, has_run, strategy, "exact", max_depth, fixed_order)
        best = max(_evaluate(m, outcomes, costs, lambda_, has_run)["value"] for m in wider)

    in_order = fixed_order or strategy == "cascade"
    return Decision(
        next_model=next_to_run(chosen["members"], has_run, costs, in_order),
        supermodel=set(chosen["members"]),
        tradeoff=chosen["value"],
        quality=chosen["quality"],
        cost=chosen["cost"],
        best=best,
        ambiguous=ambiguous,
    )


def admissible(
    n_models: int,
    has_run: Members,
    strategy: str,
    search: str,
    max_depth: int | None,
    fixed_order: bool,
) -> Iterator[Members]:
    """All supermodels that may be chosen, as sorted tuples of indices."""
    depth = n_models if max_depth is None else max_depth
    # A cascade brings its own order: its prefixes stay admissible whatever ran out of turn.
    after = max(has_run, default=-1) if fixed_order and strategy != "cascade" else -1
    for size in range(1, n_models + 1):
        for members in itertools.combinations(range(n_models), size):
            if members == has_run:
                yield members
                continue
            added = [i for i in members if i not in has_run]
            if size > depth or not set(has_run) <= set(members) or min(added) <= after:
                continue
            if strategy == "routing" and (has_run or size > 1):
                continue
            if strategy == "cascade" and members != tuple(range(size)):
                continue
            if strategy == "cascade_routing" and search == "greedy" and len(added) > 1:
                continue
            yield members


def sample_outcomes(
    qualities: Sequence[float],
    deviations: Sequence[float] | None,
    factor: Matrix | None,
    samples: Matrix | None,
) -> list[list[float]]:
    """One list of S sampled qualities for each model."""
    if deviations is None and factor is None:
        return [[float(q)] for q in qualities]
    assert samples is not None
    draws = samples.tolist()
    outcomes = []
    for i, q in enumerate(qualities):
        column = []
        for s in range(len(draws[i])):
            if factor is None:
                assert deviations is not None
                noise = float(deviations[i]) * draws[i][s]
            else:
                noise = 0.0
                for j in range(i + 1):
                    noise += float(factor[i, j]) * draws[j][s]
            column.append(float(q) + noise)
        outcomes.append(column)
    return outcomes


def expected_maximum(outcomes: Sequence[Sequence[float]], members: Iterable[int]) -> float:
    """Mean over the samples of the best sampled quality among `members`."""
    best = [max(column) for column in zip(*(outcomes[i] for i in members), strict=True)]
    return math.fsum(best) / len(best)


def total_cost(costs: Sequence[float], members: Iterable[int]) -> float:
    """Sum of costs, the smallest first, so that the order of the models does not matter."""
    total = 0.0
    for cost in sorted(float(costs[i]) for i in members):
        total += cost
    return total


def next_to_run(members: Members, has_run: Members, costs: Sequence[float], in_order: bool) -> int:
    """The model of a supermodel that runs next, or -1."""
    added = [i for i in members if i not in has_run]
    if not added:
        return -1
    return min(added) if in_order else min(added, key=lambda i: (costs[i], i))


def choose(
    options: Sequence[Option], has_run: Members, ties: str, rounding: float
) -> tuple[Option, bool]:
    """The tie rule, and whether rounding errors could change what ties."""
    best = max(option["value"] for option in options)
    edge = best - TIE
    tied = [option for option in options if option["value"] >= edge]
    sign = {"cheapest": 1.0, "dearest": -1.0}[ties]

    def rank(option: Option) -> tuple[float, int, Members]:
        return sign * option["cost"], len(option["members"]), option["members"]

    chosen = min(tied, key=rank)
    winners = [option for option in options if option["value"] == best]
    if math.isinf(best):
        return chosen, False
    others = [option for option in options if option is not winners[0]]
    ambiguous = any(abs(option["value"] - edge) <= rounding for option in others)
    if rounding >= TIE:
        ambiguous |= any(option["value"] >= edge - rounding for option in others)
    return chosen, ambiguous


def _evaluate(
    members: Members,
    outcomes: Sequence[Sequence[float]],
    costs: Sequence[float],
    lambda_: float,
    has_run: Members,
) -> Option:
    quality = expected_maximum(outcomes, members)
    cost = total_cost(costs, (i for i in members if i not in has_run))
    return Option(members=members, value=quality - lambda_ * cost, quality=quality, cost=cost)


# The index rule of Weitzman (1979) for independent normal estimates.


def _decide_index(
    qualities: Sequence[float],
    costs: Sequence[float],
    lambda_: float,
    deviations: Sequence[float] | None,
    has_run: Members,
    ties: str,
) -> Decision:
    revealed = max((float(qualities[i]) for i in has_run), default=None)
    options = []
    if revealed is not None:
        options.append(Option(members=has_run, value=revealed, quality=revealed, cost=0.0))
    for i, quality in enumerate(qualities):
        if i in has_run:
            continue
        deviation = 0.0 if deviations is None else float(deviations[i])
        options.append(
            Option(
                members=tuple(sorted((*has_run, i))),
                value=reservation_value(float(quality), deviation, lambda_ * float(costs[i])),
                quality=expected_better(float(quality), deviation, revealed),
                cost=float(costs[i]),
            )
        )
    finite = [abs(o["value"]) for o in options if math.isfinite(o["value"])]
    rounding = 10.0 * ROUNDING * max([1.0, *finite])
    chosen, ambiguous = choose(options, has_run, ties, rounding)
    return Decision(
        next_model=next_to_run(chosen["members"], has_run, costs, False),
        supermodel=set(chosen["members"]),
        tradeoff=chosen["quality"] - lambda_ * chosen["cost"],
        quality=chosen["quality"],
        cost=chosen["cost"],
        best=max(option["value"] for option in options),
        ambiguous=ambiguous,
    )


def upper_tail_mean(u: float) -> float:
    """E[(Z - u)^+] of a standard normal Z."""
    density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    return density - u * 0.5 * math.erfc(u / math.sqrt(2.0))


def reservation_value(quality: float, deviation: float, price: float) -> float:
    """The z with E[(X - z)^+] = price for X ~ N(quality, deviation^2), by bisection."""
    if deviation == 0.0:
        return quality - price
    if price == 0.0:
        return math.inf
    target = price / deviation
    if target > 1e17:
        return quality - price
    low, high = -target - 1.0, 40.0
    while True:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            return quality + deviation * middle
        if upper_tail_mean(middle) > target:
            low = middle
        else:
            high = middle


def expected_better(quality: float, deviation: float, revealed: float | None) -> float:
    """E[max(revealed, X)] for X ~ N(quality, deviation^2)."""
    if revealed is None:
        return quality
    if deviation == 0.0:
        return max(revealed, quality)
    return revealed + deviation * upper_tail_mean((revealed - quality) / deviation)


def cholesky(covariance: Matrix) -> Matrix:
    """Lower Cholesky factor, row by row; a pivot that is zero up to rounding clears its column."""
    n_models = len(covariance)
    negligible = 1e-10 * max(float(covariance[i, i]) for i in range(n_models))
    factor = np.zeros_like(covariance)
    for i in range(n_models):
        for j in range(i + 1):
            rest = float(covariance[i, j])
            for m in range(j):
                rest -= float(factor[i, m]) * float(factor[j, m])
            if i == j:
                factor[i, i] = math.sqrt(rest) if rest > negligible else 0.0
            elif factor[j, j] > 0.0:
                factor[i, j] = rest / float(factor[j, j])
    return factor


def value_of_nodes(revealed: Sequence[float], chances: Sequence[float], price: float) -> float:
    """Solve E[(X - z)+] = price for z, X being one of the numbers revealed, by its chances.

    Between two neighbouring numbers the expectation is linear in z, and so it is below them all.
    """
    nodes = sorted(zip(revealed, chances, strict=True), reverse=True)
    for count in range(1, len(nodes) + 1):
        above = nodes[:count]
        chance = math.fsum(c for _, c in above)
        if chance <= 0.0:
            continue
        z = (math.fsum(v * c for v, c in above) - price) / chance
        if count == len(nodes) or z >= nodes[count][0]:
            return z
    raise AssertionError("no chance is positive")


def excess_of_nodes(revealed: Sequence[float], chances: Sequence[float], level: float) -> float:
    """Return E[(X - level)+] of the same X."""
    return math.fsum(c * max(v - level, 0.0) for v, c in zip(revealed, chances, strict=True))
