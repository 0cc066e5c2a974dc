"""Exact search: branch and bound with a certificate.

On common samples the best supermodel is an uncapacitated facility location: models are facilities
whose opening costs are their prices, samples are clients. For any level w per sample,

    mean(w) + sum over the (at most `slots`) largest of [mean((x_i - w)+) - price_i]+

bounds the tradeoff of every set of free models (Erlenkotter, 1978); where models are included
already, w must not be below their best draws. The search improves w by subgradient steps of
Polyak's length, excludes models by their reduced cost and by Lemma 1 of the cascade-routing paper
applied to every member, and branches on what is left.

It runs twice. First for the best tradeoff; then, "settling", for the winner of the tie. Bounds are
compared with an allowance for rounding, and every set that counts is evaluated as the contract
says, so that the choice is that of enumeration.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_query import (
    Answer,
    Batch,
    Integers,
    Query,
    load,
    make_buffers,
    rounding_allowance,
    write,
)
from headrace._backends._numba_samples import copy_to, lower_to, mean_excess, raise_to, total
from headrace._backends._numba_sets import (
    Ground,
    ground_of,
    make_ground_buffers,
    models_of,
    wins_tie,
)
from headrace._problem import TIE_TOLERANCE, Bools, Floats

ROOT_STEPS = 40
CHILD_STEPS = 12
PATIENCE = 4
"""Steps without progress before they are halved."""

STATE = np.dtype(
    [
        ("settling", np.int64),  # whether the second search is on
        ("restart", np.int64),  # a better tradeoff turned up while the tie was settled
        ("cut", np.int64),  # a limit was reached
        ("nodes", np.int64),
        ("depth", np.int64),  # of the node in work, and the number of models included
        ("deadline", np.float64),
        ("allowance", np.float64),  # of rounding
        ("lowest", np.float64),  # no useful level is below
        # The choice so far.
        ("tradeoff", np.float64),  # the best, which the choice ties with
        ("quality", np.float64),
        ("cost", np.float64),
        ("n_added", np.int64),
        # Of the level in work.
        ("least_paying", np.float64),  # reduced cost of the last model that fits; 0: there is room
        ("unrestricted", np.float64),  # bound of all sets, the empty one included
        ("only", np.int64),  # the model of the bound where one must run but none pays, else -1
    ]
)


class Search(NamedTuple):
    """What the search of a query works with."""

    state: Any
    """One record of ``STATE``."""
    added: Integers
    """The models of the choice so far, ascending."""
    included: Integers
    chosen: Integers
    ordered: Integers
    models: Integers
    # Of the level in work.
    level: Floats
    top: Floats
    slope: Floats
    gap: Floats
    reduced: Floats
    paying: Floats
    # Of the set in work.
    best: Floats
    second: Floats
    owner: Integers
    loss: Floats


class Path(NamedTuple):
    """The nodes from the root to the one in work: one row each."""

    best: Floats
    """Best draws of what has run or is included."""
    level: Floats
    """Level of the best bound found."""
    free: Integers
    """Models that are neither included nor excluded; the first ``n_free`` count."""
    n_free: Integers
    bound: Floats
    """Of every set below the node that is still open."""
    paid: Floats
    """Price of what is included."""
    opened: Bools


@compiled
def make_search(m: int, length: int) -> Search:
    """Make room for one search at a time."""
    return Search(
        np.zeros(1, STATE),
        np.empty(m, np.int64),
        np.empty(m, np.int64),
        np.empty(m, np.int64),
        np.empty(m, np.int64),
        np.empty(m, np.int64),
        np.zeros(length),
        np.zeros(length),
        np.zeros(length),
        np.zeros(length),
        np.empty(m),
        np.empty(m),
        np.zeros(length),
        np.zeros(length),
        np.empty(length, np.int64),
        np.empty(m),
    )


@compiled
def make_path(size: int, m: int, length: int) -> Path:
    """Make room for so many nodes."""
    return Path(
        np.zeros((size, length)),
        np.zeros((size, length)),
        np.empty((size, m), np.int64),
        np.zeros(size, np.int64),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size, np.bool_),
    )


@compiled
def longer(path: Path) -> Path:
    """Copy to twice the room."""
    size, m = path.free.shape
    copy = make_path(2 * size, m, path.best.shape[1])
    copy.best[:size] = path.best
    copy.level[:size] = path.level
    copy.free[:size] = path.free
    copy.n_free[:size] = path.n_free
    copy.bound[:size] = path.bound
    copy.paid[:size] = path.paid
    copy.opened[:size] = path.opened
    return copy


@compiled_once
def decide_exact(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """Search for the best supermodel of each row."""
    buffers = make_buffers(batch)
    k, length = buffers.draws.shape
    ground_buffers = make_ground_buffers(batch, length)
    search = make_search(k, length)
    path = make_path(min(k + 1, 8), k, length)
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        ground = ground_of(batch, query, ground_buffers)
        state = search.state[0]
        start(batch, query, ground, search)
        n_chosen = construct(batch, ground, search)
        start_levels(ground, search, search.chosen[:n_chosen], path.level[0])
        proven, path = run(batch, ground, search, path)
        upper_bound = state.tradeoff + state.allowance if proven else open_bound(search, path)
        state.settling = 1
        state.restart = 1
        while proven and state.restart == 1:
            state.restart = 0
            proven, path = run(batch, ground, search, path)
            upper_bound = max(upper_bound, state.tradeoff + state.allowance)
        write(
            batch,
            query,
            answer,
            row,
            search.added[: state.n_added],
            state.quality,
            state.cost,
            upper_bound + state.allowance,
            batch.fixed_order,
        )
        answer.optimal[row] = proven
        answer.nodes[row] = state.nodes


@compiled
def start(batch: Batch, query: Query, ground: Ground, search: Search) -> None:
    """Set the state before the first search."""
    state = search.state[0]
    state.settling = 0
    state.cut = 0
    state.nodes = 0
    state.deadline = batch.clock[0] + batch.time_limit
    state.allowance = rounding_allowance(query)
    state.tradeoff = -np.inf
    state.n_added = 0
    lowest = np.inf
    m = len(ground.order)
    for j in range(m):
        for s in range(ground.n_samples):
            lowest = min(lowest, ground.draws[j, s])
    state.lowest = lowest - ground.prices[m - 1] if m > 0 else lowest


@compiled
def cost_of(ground: Ground, places: Integers, ordered: Integers) -> float:
    """Add up costs from the cheapest up; leaves the places in order."""
    count = len(places)
    for place in range(count):
        ordered[place] = places[place]
    ordered[:count].sort()
    cost = 0.0
    for place in range(count):
        cost += ground.costs[ordered[place]]
    return cost


@compiled
def evaluate(ground: Ground, search: Search, places: Integers, best: Floats) -> None:
    """Evaluate what has run with more models, whose best draws are given; keep what wins."""
    state = search.state[0]
    cost = cost_of(ground, places, search.ordered)
    quality = total(best) / ground.n_samples
    tradeoff = quality - ground.lambda_ * cost
    if tradeoff > state.tradeoff:
        state.tradeoff = tradeoff
        state.restart = 1  # where the tie is settled, by less than the allowance: it has moved
    elif state.settling == 0 or not tradeoff >= state.tradeoff - TIE_TOLERANCE:
        return
    else:
        models = models_of(ground, places, search.models)
        added = search.added[: state.n_added]
        if not wins_tie(cost, models, state.cost, added, ground.dearest):
            return
    models_of(ground, places, search.added)
    state.n_added = len(places)
    state.quality = quality
    state.cost = cost


@compiled
def construct(batch: Batch, ground: Ground, search: Search) -> int:
    """Fill in a first set, ``search.chosen``, and return its size.

    Adds the model of the highest gain while there is one, then drops what became redundant.
    """
    chosen, best = search.chosen, search.best
    count = 0
    copy_to(best, ground.best_run)
    if ground.any_ran:
        evaluate(ground, search, chosen[:0], best)
    while count < ground.max_new and not (count > 0 and limit_reached(batch, search)):
        first = count == 0 and not ground.any_ran
        most = -np.inf if first else 0.0
        pick = -1
        for j in range(len(ground.order)):
            if first:
                quality = total(ground.draws[j]) / ground.n_samples
            else:
                quality = mean_excess(ground.draws[j], best, ground.n_samples, search.gap)
            if quality - ground.prices[j] > most:
                most = quality - ground.prices[j]
                pick = j
        if pick < 0:
            break
        chosen[count] = pick
        count += 1
        if first:
            copy_to(best, ground.draws[pick])
        else:
            raise_to(best, ground.draws[pick])
        evaluate(ground, search, chosen[:count], best)
    while count > (0 if ground.any_ran else 1) and not batch.stop[0]:
        best_and_second(ground, search, chosen[:count])
        worst = least_marginal(ground, search, chosen[:count])
        if search.loss[worst] - ground.prices[chosen[worst]] >= 0.0:
            break
        count -= 1
        for place in range(worst, count):
            chosen[place] = chosen[place + 1]
        best_and_second(ground, search, chosen[:count])
        evaluate(ground, search, chosen[:count], best)
    return count


@compiled
def best_and_second(ground: Ground, search: Search, places: Integers) -> None:
    """Fill in ``best`` and ``second``: the best draws of a set, with and without the best model.

    ``owner`` is the place of that model in the set (-1: it has run), and ``loss`` what the set
    loses without each.
    """
    best, second, owner, loss = search.best, search.second, search.owner, search.loss
    count = len(places)
    for s in range(ground.n_samples):
        best[s] = ground.best_run[s] if ground.any_ran else -np.inf
        second[s] = -np.inf
        owner[s] = -1
    for place in range(count):
        x = ground.draws[places[place]]
        for s in range(ground.n_samples):
            if x[s] > best[s]:
                second[s] = best[s]
                best[s] = x[s]
                owner[s] = place
            elif x[s] > second[s]:
                second[s] = x[s]
    for place in range(count):
        loss[place] = 0.0
    for s in range(ground.n_samples):
        if owner[s] >= 0:
            loss[owner[s]] += best[s] - second[s]
    for place in range(count):
        loss[place] /= ground.n_samples


@compiled
def least_marginal(ground: Ground, search: Search, places: Integers) -> int:
    """Find the place of the model that the set misses least."""
    worst = 0
    least = np.inf
    for place in range(len(places)):
        marginal = search.loss[place] - ground.prices[places[place]]
        if marginal < least:
            least = marginal
            worst = place
    return worst


@compiled
def start_levels(ground: Ground, search: Search, places: Integers, level: Floats) -> None:
    """Fill in levels by complementary slackness.

    Each model of the first set is paid for exactly by the samples that it serves, all lowered to a
    common level but not below their second best.
    """
    best_and_second(ground, search, places)
    best, second, owner = search.best, search.second, search.owner
    for s in range(ground.n_samples):
        level[s] = best[s]
    for place in range(len(places)):
        price = ground.prices[places[place]]
        low = search.state[0].lowest
        high = -np.inf
        for s in range(ground.n_samples):
            if owner[s] == place:
                high = max(high, best[s])
        for _ in range(20):
            if not low < high:
                break
            middle = 0.5 * (low + high)
            payment = 0.0
            for s in range(ground.n_samples):
                if owner[s] == place:
                    payment += best[s] - max(second[s], min(best[s], middle))
            if payment / ground.n_samples > price:
                low = middle
            else:
                high = middle
        for s in range(ground.n_samples):
            if owner[s] == place:
                level[s] = max(second[s], min(best[s], high))


@compiled
def run(batch: Batch, ground: Ground, search: Search, path: Path) -> tuple[bool, Path]:
    """Search depth first; return whether it came to its end within the limits."""
    state = search.state[0]
    m = len(ground.order)
    copy_to(path.best[0], ground.best_run)
    for j in range(m):
        path.free[0, j] = j
    path.n_free[0] = m
    path.bound[0] = np.inf
    path.paid[0] = 0.0
    path.opened[0] = False
    state.depth = 0
    while True:
        is_open = enter(ground, search, path) and improve_bound(batch, ground, search, path)
        if state.cut == 1:
            return False, path
        if is_open and path.n_free[state.depth] > 0:
            if state.depth + 1 == len(path.bound):
                path = longer(path)
            descend(ground, search, path)
        elif state.depth == 0:
            return True, path
        else:
            state.depth -= 1


@compiled
def open_bound(search: Search, path: Path) -> float:
    """Bound all that is open when a limit ends the search."""
    state = search.state[0]
    highest = state.tradeoff
    for depth in range(state.depth + 1):
        if path.bound[depth] < np.inf:
            highest = max(highest, path.bound[depth])
    return float(highest + state.allowance)


@compiled
def enter(ground: Ground, search: Search, path: Path) -> bool:
    """On the first visit, evaluate the included set; False where no set above it can count."""
    depth = search.state[0].depth
    if path.opened[depth]:
        return True
    path.opened[depth] = True
    if depth == 0 and not ground.any_ran:
        return True
    best = path.best[depth]
    evaluate(ground, search, search.included[:depth], best)
    if depth == ground.max_new:
        return False
    if search.state[0].settling == 1 and hopeless_key(ground, search, path):
        return False
    if not members_pay(ground, search):
        return False
    free = path.free[depth]
    count = 0
    for j in free[: path.n_free[depth]]:
        excess = mean_excess(ground.draws[j], best, ground.n_samples, search.gap)
        if may_gain(search, excess - ground.prices[j]):
            free[count] = j
            count += 1
    path.n_free[depth] = count
    return True


@compiled
def may_gain(search: Search, gain: float) -> bool:
    """Whether a set that counts may hold a model of this marginal gain.

    By submodularity the model gains no more in a larger set, and without it that set would be no
    worse.
    """
    state = search.state[0]
    if state.settling == 1:
        return bool(gain + state.allowance >= -TIE_TOLERANCE)
    if coarse(state.allowance):
        return bool(gain + state.allowance >= 0.0)
    return gain > 0.0


@compiled
def coarse(allowance: float) -> bool:
    """Whether rounding may hide more than what ties.

    Then only what is worse beyond it is dropped; else also what is no better but for rounding,
    which spares the search a host of equals.
    """
    return allowance > 0.1 * TIE_TOLERANCE


@compiled
def members_pay(ground: Ground, search: Search) -> bool:
    """Lemma 1 of the cascade-routing paper on every member of the included set."""
    depth = search.state[0].depth
    if depth == 0 or (depth == 1 and not ground.any_ran):
        return True
    included = search.included[:depth]
    best_and_second(ground, search, included)
    worst = least_marginal(ground, search, included)
    return may_gain(search, search.loss[worst] - ground.prices[included[worst]])


@compiled
def hopeless_key(ground: Ground, search: Search, path: Path) -> bool:
    """Whether no set above the included one can win the tie against the choice so far."""
    state = search.state[0]
    depth = state.depth
    included = search.included[:depth]
    cost = cost_of(ground, included, search.ordered)
    if ground.dearest:
        # The dearest that fit: candidates are in the order of their costs.
        free = np.sort(path.free[depth, : path.n_free[depth]])
        free = free[max(0, len(free) - (ground.max_new - depth)) :]
        for place in range(depth):
            search.models[place] = included[place]
        for place in range(len(free)):
            search.models[depth + place] = free[place]
        most = cost_of(ground, search.models[: depth + len(free)], search.ordered)
        if most != state.cost:
            return bool(most < state.cost)
    else:
        # Sets above cost no less and have more models.
        quality = total(path.best[depth]) / ground.n_samples
        if quality - ground.lambda_ * cost >= state.tradeoff - TIE_TOLERANCE:
            return True
        if cost != state.cost:
            return bool(cost > state.cost)
    return bool(depth >= state.n_added)


@compiled
def rules_out(search: Search, bound: float) -> bool:
    """Whether a bound rules out that anything below it counts."""
    state = search.state[0]
    if state.settling == 1:
        return bool(bound + state.allowance < state.tradeoff - TIE_TOLERANCE)
    slack = -state.allowance if coarse(state.allowance) else state.allowance
    return bool(bound <= state.tradeoff + slack)


@compiled
def limit_reached(batch: Batch, search: Search) -> bool:
    """Whether the search of this query is to end before its time."""
    state = search.state[0]
    return bool(
        batch.stop[0]
        or (batch.node_limit > 0 and state.nodes > batch.node_limit)
        or batch.clock[0] > state.deadline
    )


@compiled
def improve_bound(batch: Batch, ground: Ground, search: Search, path: Path) -> bool:
    """Lower the bound of a node and drop its free models; return whether it stays open."""
    state = search.state[0]
    depth = state.depth
    state.nodes += 1
    if path.n_free[depth] == 0:
        return False
    first_level(ground, search, path)
    best = np.inf
    steps = ROOT_STEPS if depth == 0 else CHILD_STEPS
    length = 1.0
    stale = 0
    for step in range(steps + 1):
        bound = evaluate_level(ground, search, path)
        if bound < best:
            stale = 0 if best - bound > 0.01 * (best - state.tradeoff) else stale + 1
            best = bound
            path.bound[depth] = min(path.bound[depth], bound)
            copy_to(path.level[depth], search.level)
        else:
            stale += 1
        if rules_out(search, bound):
            return False
        if limit_reached(batch, search):
            state.cut = 1
            return True
        exclude(search, path)
        if path.n_free[depth] == 0:
            return False
        if step == steps:
            break
        if stale == PATIENCE:
            length *= 0.5
            stale = 0
            copy_to(search.level, path.level[depth])
            if length < 0.1:
                break
            evaluate_level(ground, search, path)
        if not move_level(ground, search, path, length, bound):
            break
    return True


@compiled
def first_level(ground: Ground, search: Search, path: Path) -> None:
    """Start from the level of the parent.

    No level is worth more than the best draw there is, nor less than what is included.
    """
    depth = search.state[0].depth
    free = path.free[depth, : path.n_free[depth]]
    copy_to(search.top, ground.draws[free[0]])
    for j in free:
        raise_to(search.top, ground.draws[j])
    copy_to(search.level, path.level[depth])
    if depth > 0 or ground.any_ran:
        raise_to(search.top, path.best[depth])
        raise_to(search.level, path.best[depth])
    lower_to(search.level, search.top)


@compiled
def evaluate_level(ground: Ground, search: Search, path: Path) -> float:
    """Return the bound of a level; fill in the reduced costs and what depends on them."""
    state = search.state[0]
    depth = state.depth
    slots = ground.max_new - depth
    base = total(search.level) / ground.n_samples - path.paid[depth]
    reduced, paying = search.reduced, search.paying
    most = path.free[depth, 0]
    count = 0
    for j in path.free[depth, : path.n_free[depth]]:
        excess = mean_excess(ground.draws[j], search.level, ground.n_samples, search.gap)
        reduced[j] = excess - ground.prices[j]
        if reduced[j] > reduced[most]:
            most = j
        if reduced[j] > 0.0:
            paying[count] = reduced[j]
            count += 1
    first = 0
    state.least_paying = 0.0
    if count >= slots:
        paying[:count].sort()
        first = count - slots
        state.least_paying = paying[first]
    bound = base
    for gain in paying[first:count]:
        bound += gain
    state.unrestricted = bound
    state.only = -1
    if depth == 0 and not ground.any_ran and reduced[most] < 0.0:
        state.only = most
        bound = base + reduced[most]
    return float(bound)


@compiled
def exclude(search: Search, path: Path) -> None:
    """Drop free models that no set which counts contains, by their reduced cost."""
    state = search.state[0]
    free = path.free[state.depth]
    count = 0
    for j in free[: path.n_free[state.depth]]:
        reduced = search.reduced[j]
        if reduced > state.least_paying or not rules_out(
            search, state.unrestricted - state.least_paying + reduced
        ):
            free[count] = j
            count += 1
    path.n_free[state.depth] = count


@compiled
def move_level(ground: Ground, search: Search, path: Path, length: float, bound: float) -> bool:
    """Take one step down the subgradient: 1 - (number of paying models above the level).

    Returns False where the level is the best there is.
    """
    state = search.state[0]
    level, top, slope = search.level, search.top, search.slope
    free = path.free[state.depth, : path.n_free[state.depth]]
    none = state.depth == 0 and not ground.any_ran
    for s in range(ground.n_samples):
        slope[s] = -1.0
    for j in free:
        reduced = search.reduced[j]
        if j == state.only or (reduced > 0.0 and reduced >= state.least_paying):
            x = ground.draws[j]
            for s in range(ground.n_samples):
                slope[s] += 1.0 if x[s] > level[s] else 0.0
    norm = 0.0
    for s in range(ground.n_samples):
        floor = state.lowest if none else path.best[state.depth, s]
        if slope[s] < 0.0 and level[s] <= floor:
            slope[s] = 0.0
        if slope[s] > 0.0 and level[s] >= top[s]:
            slope[s] = 0.0
        norm += slope[s] * slope[s]
    if norm == 0.0:
        return False
    target = state.tradeoff - (2.0 * TIE_TOLERANCE if state.settling == 1 else 0.0)
    move = length * (bound - target) * ground.n_samples / norm
    for s in range(ground.n_samples):
        floor = state.lowest if none else path.best[state.depth, s]
        level[s] = min(top[s], max(floor, level[s] + move * slope[s]))
    return True


@compiled
def descend(ground: Ground, search: Search, path: Path) -> None:
    """Branch on the free model that serves most, first with it; the node keeps it excluded."""
    state = search.state[0]
    depth = state.depth
    child = depth + 1
    free = path.free[depth]
    pick = 0
    for place in range(path.n_free[depth]):
        if serves(ground, search, free[place]) > serves(ground, search, free[pick]):
            pick = place
    j = free[pick]
    path.n_free[depth] -= 1
    for place in range(pick, path.n_free[depth]):
        free[place] = free[place + 1]
    for place in range(path.n_free[depth]):
        path.free[child, place] = free[place]
    path.n_free[child] = path.n_free[depth]
    copy_to(path.best[child], path.best[depth])
    if depth == 0 and not ground.any_ran:
        copy_to(path.best[child], ground.draws[j])
    else:
        raise_to(path.best[child], ground.draws[j])
    copy_to(path.level[child], path.level[depth])
    path.bound[child] = np.inf
    path.paid[child] = path.paid[depth] + ground.prices[j]
    path.opened[child] = False
    search.included[depth] = j
    state.depth = child


@compiled
def serves(ground: Ground, search: Search, j: int) -> float:
    """Mean excess of a model over the level in work."""
    return float(search.reduced[j] + ground.prices[j])
