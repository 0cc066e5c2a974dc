"""The definition: enumerate, evaluate, compare. The judge of the other backends.

Nothing here is fast on purpose. One function is one sentence of the definition of cascade
routing (Dekoninck, Baader and Vechev, ICML 2025) or of the index rule (Weitzman, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations

import numpy as np

from headrace._backends import _levels
from headrace._problem import MAX_ENUMERATED, TIE_TOLERANCE, Floats, Problem
from headrace._reservation import expected_excess, reservation_value
from headrace._reveals import LARGEST_PRICE
from headrace._rollout_problem import RolloutProblem, Traces
from headrace._selection import Selection

CHECKS_VALUES = False

LANES = 8

Models = tuple[int, ...]


@dataclass(frozen=True)
class Query:
    """One row of a problem."""

    qualities: Floats
    costs: Floats
    lambda_: float
    sigmas: Floats | None
    draws: Floats
    """Draws of each model's quality, shape (k, S)."""
    ran: Models
    candidates: Models
    """Models that may run next: not run and, in a fixed order, after the last one run."""
    max_models: int
    nodes: tuple[Floats, Floats, float] | None = None
    """Chances of nodes with a right and a wrong answer, shape (k, T); the factor on the change."""


@dataclass(frozen=True)
class Option:
    """One thing that a query may do: run ``models``, all of which contain what has run."""

    models: Models
    value: float
    """What is compared: a tradeoff, or a reservation value."""
    quality: float
    cost: float


@dataclass(frozen=True)
class Decision:
    """The chosen option, and a value that no other exceeds but for rounding."""

    option: Option
    upper_bound: float


def available() -> str | None:
    """Say why the backend cannot run; None: it can."""
    return None


def select(problem: Problem, n_threads: int) -> Selection:
    """Decide query by query; ``n_threads`` changes nothing here."""
    del n_threads
    if problem.node_limit is not None or problem.time_limit is not None:
        raise ValueError(
            "backend 'reference' enumerates every supermodel and cannot stop early: leave out "
            "node_limit and time_limit, or use backend 'cpp' or 'numba'"
        )
    selection = Selection.empty(problem.n_queries, problem.n_models)
    for row in range(problem.n_queries):
        query = query_of(problem, row)
        decision = decide(problem, query)
        option = decision.option
        allowance = rounding_allowance(query)
        selection.next_model[row] = next_model(problem, query, option)
        selection.supermodel[row, list(option.models)] = True
        selection.quality[row] = option.quality
        selection.cost[row] = option.cost
        selection.tradeoff[row] = option.quality - query.lambda_ * option.cost
        selection.upper_bound[row] = decision.upper_bound + allowance
        selection.optimal[row] = (
            problem.search != "greedy"
            or problem.strategy != "cascade_routing"
            or decision.upper_bound - option.value <= TIE_TOLERANCE + allowance
        )
    return selection


def roll_out(problem: RolloutProblem, n_threads: int) -> Traces:
    """Roll out on batches of decisions."""
    return _levels.roll_out(problem, partial(select, n_threads=n_threads))


def query_of(problem: Problem, row: int) -> Query:
    """Take one row of the problem; arrays of one row serve all queries."""

    def own(array: Floats) -> Floats:
        result: Floats = array[row if array.shape[0] == problem.n_queries else 0]
        return result

    models = range(problem.n_models)
    ran = () if problem.ran is None else tuple(int(i) for i in np.flatnonzero(problem.ran[row]))
    first = ran[-1] + 1 if problem.fixed_order and ran else 0
    sigmas = None if problem.sigmas is None else own(problem.sigmas)
    factor = None if problem.factor is None else own(problem.factor)
    qualities = problem.qualities[row]
    nodes = nodes_of(problem, row)
    return Query(
        qualities=qualities,
        costs=own(problem.costs),
        lambda_=float(problem.lambda_[row if len(problem.lambda_) > 1 else 0]),
        sigmas=sigmas,
        draws=(
            draws(qualities, sigmas, factor, problem.samples)
            if nodes is None or problem.samples is None
            else revealed_draws(qualities, nodes, ran, problem.samples)
        ),
        ran=ran,
        candidates=tuple(i for i in models if i not in ran and i >= first),
        max_models=problem.max_models,
        nodes=nodes,
    )


def nodes_of(problem: Problem, row: int) -> tuple[Floats, Floats, float] | None:
    """Take what may be revealed of one row's models, node by node."""
    reveals = problem.reveals
    if reveals is None:
        return None
    group = reveals.group[row]
    return reveals.right[group], reveals.wrong[group], reveals.scale


def draws(
    qualities: Floats, sigmas: Floats | None, factor: Floats | None, samples: Floats | None
) -> Floats:
    """Draws of every model's quality, shape (k, S): ``q + sigma z``, or ``q + L z``."""
    if samples is None:
        return qualities[:, None]
    if factor is not None:
        correlated = np.zeros_like(samples)
        for i in range(len(qualities)):
            for j in range(i + 1):
                correlated[i] += factor[i, j] * samples[j]
        return qualities[:, None] + correlated
    assert sigmas is not None
    return qualities[:, None] + sigmas[:, None] * samples


def revealed_draws(
    qualities: Floats, nodes: tuple[Floats, Floats, float], ran: Models, samples: Floats
) -> Floats:
    """Draws of the belief after a run: means of S equal parts of its cases.

    The most telling part comes first, and goes to a model's largest sample.
    """
    right, wrong, scale = nodes
    k, n_samples = samples.shape
    result = np.repeat(qualities[:, None], n_samples, axis=1)
    for i in set(range(k)).difference(ran):
        belief, before = float(qualities[i]), 0.0
        for n, s in enumerate(sorted(range(n_samples), key=lambda s: -samples[i, s])):
            gained = gained_in(belief, right[i].tolist(), wrong[i].tolist(), (n + 1) / n_samples)
            after = n_samples * (gained - before)
            result[i, s] = belief + scale * (after - belief)
            before = gained
    return result


def gained_in(belief: float, right: list[float], wrong: list[float], share: float) -> float:
    """Belief after the run times chance, summed over the most telling share of all cases."""
    gain_before = chance_before = 0.0
    for r, w in zip(right, wrong, strict=True):
        gain = belief * r
        chance = gain + (1.0 - belief) * w
        if chance >= share:
            slope = (gain - gain_before) / (chance - chance_before)
            return gain_before + (share - chance_before) * slope
        gain_before, chance_before = gain, chance
    return gain_before


def mean(values: Floats) -> float:
    """Average over samples. Eight running sums fix the order of addition for all backends."""
    padded = np.zeros(-(-len(values) // LANES) * LANES)
    padded[: len(values)] = values
    lane = reduce(np.add, padded.reshape(-1, LANES), np.zeros(LANES))
    total = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + (
        (lane[4] + lane[5]) + (lane[6] + lane[7])
    )
    return float(total / len(values))


def cost_of(query: Query, models: Models) -> float:
    """Cost still to be paid. Adding from the cheapest up makes it independent of the order."""
    return reduce(float.__add__, sorted(float(query.costs[i]) for i in models), 0.0)


def supermodel(query: Query, new: Models) -> Option:
    """Evaluate the supermodel that adds ``new`` to what has run: E[max] - lambda cost."""
    models = tuple(sorted(query.ran + new))
    quality = mean(query.draws[list(models)].max(axis=0))
    cost = cost_of(query, new)
    return Option(models, quality - query.lambda_ * cost, quality, cost)


def routing(query: Query) -> Iterator[Option]:
    """One model, by its estimate; once a model has run, stop."""
    if query.ran:
        best = float(query.qualities[list(query.ran)].max())
        yield Option(query.ran, best, best, 0.0)
        return
    for i in query.candidates:
        quality, cost = float(query.qualities[i]), float(query.costs[i])
        yield Option((i,), quality - query.lambda_ * cost, quality, cost)


def cascade(query: Query) -> Iterator[Option]:
    """What has run, or a prefix of the models that contains it."""
    if query.ran:
        yield supermodel(query, ())
    for length in range(1, min(len(query.qualities), query.max_models) + 1):
        prefix = set(range(length))
        if prefix.issuperset(query.ran) and len(query.ran) < length:
            yield supermodel(query, tuple(sorted(prefix.difference(query.ran))))


def cascade_routing(query: Query, max_new: int) -> Iterator[Option]:
    """What has run, with any ``max_new`` candidates at the most."""
    most = min(max_new, query.max_models - len(query.ran), len(query.candidates))
    for size in range(0 if query.ran else 1, max(most, 0) + 1):
        for new in combinations(query.candidates, size):
            yield supermodel(query, new)


def index(query: Query) -> Iterator[Option]:
    """Stop, or run a model; the value of running is the model's reservation value."""
    best = max((float(query.qualities[i]) for i in query.ran), default=-math.inf)
    if query.ran:
        yield Option(query.ran, best, best, 0.0)
    for i in query.candidates:
        quality, cost = float(query.qualities[i]), float(query.costs[i])
        price = query.lambda_ * cost
        if query.nodes is not None:
            value = reveal_value(query, i, price)
            more = reveal_excess(query, i, best) if query.ran else 0.0
        else:
            sigma = 0.0 if query.sigmas is None else float(query.sigmas[i])
            value = reservation_value(quality, sigma, price)
            more = expected_excess(quality, sigma, best) if query.ran else 0.0
        if query.ran:
            quality = best + more
        yield Option(tuple(sorted((*query.ran, i))), value, quality, cost)


def reveal_chances(query: Query, i: int) -> Iterator[tuple[float, float]]:
    """For each node of a model: the chance of it or one before, with a right answer, and at all."""
    assert query.nodes is not None
    right, wrong, _ = query.nodes
    belief = float(query.qualities[i])
    for r, w in zip(right[i].tolist(), wrong[i].tolist(), strict=True):
        gain = belief * r
        yield gain, max(gain + (1.0 - belief) * w, 1e-300)


def reveal_value(query: Query, i: int, price: float) -> float:
    """Solve E[(X - z)+] = price, X = q + scale (belief after the run - q)."""
    assert query.nodes is not None
    scale, belief = query.nodes[2], float(query.qualities[i])
    if scale == 0.0 or price / scale > LARGEST_PRICE:
        return belief - price
    best = max((gain - price / scale) / chance for gain, chance in reveal_chances(query, i))
    return belief + scale * (best - belief)


def reveal_excess(query: Query, i: int, level: float) -> float:
    """E[(X - level)+] of the same X."""
    assert query.nodes is not None
    scale, belief = query.nodes[2], float(query.qualities[i])
    if scale == 0.0:
        return max(belief - level, 0.0)
    inner = belief + (level - belief) / scale
    best = max(gain - inner * chance for gain, chance in reveal_chances(query, i))
    return scale * max(best, 0.0)


def decide(problem: Problem, query: Query) -> Decision:
    """Choose among the options of the strategy."""
    if problem.strategy == "cascade_routing":
        greedy = problem.search == "greedy"
        if not greedy:
            refuse_too_many(query)
        options = list(cascade_routing(query, 1 if greedy else len(query.candidates)))
    else:
        options = list(OPTIONS[problem.strategy](query))
    chosen = tie_winner(options, problem.ties)
    if problem.strategy == "cascade_routing" and problem.search == "greedy":
        return Decision(chosen, supermodel_bound(query, chosen))
    return Decision(chosen, max(option.value for option in options))


OPTIONS: dict[str, Callable[[Query], Iterator[Option]]] = {
    "routing": routing,
    "cascade": cascade,
    "index": index,
}


def tie_winner(options: list[Option], ties: str) -> Option:
    """Among the best within the tolerance: by cost, then fewest models, then lowest indices."""
    best = max(option.value for option in options)
    sign = 1.0 if ties == "cheapest" else -1.0
    return min(
        (option for option in options if option.value >= best - TIE_TOLERANCE),
        key=lambda option: (sign * option.cost, len(option.models), option.models),
    )


def next_model(problem: Problem, query: Query, option: Option) -> int:
    """The cheapest model of the choice that has not run; in a fixed order, the first."""
    new = [i for i in option.models if i not in query.ran]
    if problem.fixed_order or problem.strategy == "cascade":
        return min(new, default=-1)
    return min(new, key=lambda i: (query.costs[i], i), default=-1)


def supermodel_bound(query: Query, chosen: Option) -> float:
    """Bound every supermodel's tradeoff from above, whatever was chosen.

    With ``v`` the best draw of the chosen set, E[max over M] <= mean(v) + the sum over the models
    added of mean((x - v)+): the dual of facility location (Erlenkotter, 1978).
    """
    v = query.draws[list(chosen.models)].max(axis=0)
    gains = sorted(
        (
            mean(np.maximum(query.draws[i] - v, 0.0)) - query.lambda_ * float(query.costs[i])
            for i in query.candidates
        ),
        reverse=True,
    )
    slots = max(query.max_models - len(query.ran), 0)
    return mean(v) + math.fsum(gain for gain in gains[:slots] if gain > 0.0)


def rounding_allowance(query: Query) -> float:
    """Bound the rounding error of a tradeoff, whatever the order of addition."""
    k, n_samples = query.draws.shape
    largest = float(np.abs(query.draws).max())
    paid = query.lambda_ * math.fsum(float(query.costs[i]) for i in query.candidates)
    epsilon = float(np.finfo(np.float64).eps)
    return epsilon * float(n_samples + k + 8) * (largest + paid)


def refuse_too_many(query: Query) -> None:
    """Refuse an enumeration that would not end."""
    most = min(query.max_models - len(query.ran), len(query.candidates))
    count = sum(map(partial(math.comb, len(query.candidates)), range(max(most, 0) + 1)))
    if count > MAX_ENUMERATED:
        raise ValueError(
            f"enumerating {count} supermodels of {len(query.candidates)} candidate models would "
            f"take too long (at most {MAX_ENUMERATED}): use search='exact' on backend 'cpp' or "
            f"'numba', or a lower max_depth"
        )
