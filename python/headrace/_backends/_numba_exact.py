"""Exact search: branch and bound with a certificate.

A greedy set comes first, then the dual bound of facility location at the levels of complementary
slackness. It excludes most models at once; the others make the pool. There the levels improve by
subgradient steps, models are excluded and included by their reduced gains and by Lemma 1 of the
cascade-routing paper applied to every member, and the search branches on what is left, until so few
models are free that every set of them is looked at.

Only what cannot tie with the best is ruled out, so that one pass finds every set that ties, as long
as there are few. Where there are many, the pass goes on to find the best tradeoff alone, and a
second one looks for the set that wins the tie. Bounds are compared with an allowance for rounding,
and every set that counts is evaluated as the contract says, so that the choice is that of
enumeration.

The functions have the names of ``cpp/src/exact.cpp``, where they can be read beside these.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from headrace._backends._numba_best_two import BestTwo, fill_losses, hold, least_marginal
from headrace._backends._numba_compile import compiled, compiled_once
from headrace._backends._numba_construct import (
    Construction,
    candidate_gains,
    greedy_set,
    improve_set,
)
from headrace._backends._numba_descent import PACE, Descent, forget, move, note, start_descent
from headrace._backends._numba_dual import (
    BOUND,
    bound_with,
    bound_without,
    counts,
    set_bound,
    slack_levels,
)
from headrace._backends._numba_pool import (
    Pool,
    cost_of,
    fill_pool,
    make_pool,
    models_of,
    sort_places,
)
from headrace._backends._numba_query import (
    Answer,
    Batch,
    Integers,
    Query,
    best_of_ran,
    late,
    load,
    make_buffers,
    write,
)
from headrace._backends._numba_samples import (
    at_least,
    copy_to,
    count_above,
    fill,
    lower_to,
    mean_excess,
    padded_length,
    raise_to,
    total,
)
from headrace._backends._numba_shortlist import wins_tie
from headrace._backends._numba_tied_sets import (
    TiedSets,
    add_tied,
    drop_tied_below,
    make_tied_sets,
)
from headrace._problem import TIE_TOLERANCE, Floats

FEW = 6
"""Free models of which sets are looked at one by one; a set takes longer here than in C++."""
ROOT_STEPS = 12
"""Branching soon proves more than further ones."""
CHILD_STEPS = 2
MEMORY = 0.8
"""Of the share of steps in which a model paid."""

ALL_TIED = 0
"""Goal: every set that ties with the best."""
BEST = 1
"""Goal: one set of the best tradeoff."""
TIE = 2
"""Goal: the set that wins the tie with the best tradeoff, which is known."""

STATE = np.dtype(
    [
        ("goal", np.int64),
        ("nodes", np.int64),
        ("depth", np.int64),  # of the node in work
        ("n_included", np.int64),
        ("n_undominated", np.int64),
        ("n_tied", np.int64),
        ("improved", np.bool_),  # the root's set has been
        ("moved", np.bool_),  # a better tradeoff turned up while the tie was settled
        ("cut", np.bool_),  # a limit was reached
        ("any_ran", np.bool_),
        ("allowance", np.float64),  # of rounding
        ("lowest", np.float64),  # no draw and no useful level is below
        ("first_bound", np.float64),
        # The choice so far.
        ("tradeoff", np.float64),  # the best, which the choice ties with
        ("quality", np.float64),
        ("cost", np.float64),
        ("n_added", np.int64),
        ("upper_bound", np.float64),
    ]
)


# Rows of ``Search.rows``.
RAN, LEVEL, FLOOR, TOP, SLOPE, BEST_SLOPE, DIRECTION, BEST_DRAWS, SECOND, OWNER, DRAWS = range(11)
# Rows of ``Search.numbers``.
FREQUENCY, GAINS, PAYING, LOSSES = range(4)
# Rows of ``Search.lists``.
ADDED, UNDOMINATED, INCLUDED, CHOSEN, ORDERED, MODELS = range(6)


class Search(NamedTuple):
    """What the search of a query works with: few arrays, for the sake of the compiler."""

    states: Any
    """One record of ``STATE``."""
    bounds: Any
    """One record of ``BOUND``: of the levels in work."""
    paces: Any
    """One record of ``PACE``: of the descent in work."""
    rows: Floats
    """By sample.

    - RAN: best draws of what has run.
    - LEVEL, FLOOR, TOP: the levels in work, between what is included and the best draws of all
      models that were free at the root; SLOPE, BEST_SLOPE, DIRECTION: of their descent.
    - BEST_DRAWS, SECOND, OWNER: of the set in work.
    - DRAWS: of one model.
    """
    numbers: Floats
    """By model.

    - FREQUENCY: of each model of the pool, how often its bound counted it.
    - GAINS, PAYING: of each free model; PAYING is out of order.
    - LOSSES: of the set in work.
    """
    lists: Integers
    """ADDED: the models of the choice so far, ascending; the others are places in the pool."""
    served: Integers
    tied: TiedSets
    # The nodes from the root to the one in work, one row each.
    nodes: Any
    """Records of ``NODE``."""
    best: Floats
    """Best draws of what has run or is included."""
    level: Floats
    """Level of the best bound found."""
    free: Integers
    """Models that are neither included nor excluded; the first ``n_free`` count."""
    few: Floats
    """Of sets with few free models: expected quality and what is paid, by how many are in."""


NODE = np.dtype(
    [
        ("n_free", np.int64),
        ("n_included", np.int64),
        ("bound", np.float64),  # of every set below the node that is still open
        ("paid", np.float64),  # sum of prices over the included, in any order
        ("opened", np.bool_),
    ]
)


@compiled
def make_search(k: int, length: int) -> Search:
    """Make room for one search at a time; what no search reaches is never touched."""
    return Search(
        np.zeros(1, STATE),
        np.zeros(1, BOUND),
        np.zeros(1, PACE),
        np.zeros((11, length)),
        np.zeros((4, k)),
        np.zeros((6, k), np.int64),
        np.zeros(length, np.int64),
        make_tied_sets(k),
        np.zeros(k + 1, NODE),
        np.empty((k + 1, length)),
        np.empty((k + 1, length)),
        np.empty((k + 1, k), np.int64),
        np.empty((2, FEW + 1)),
    )


@compiled
def two_of(search: Search) -> BestTwo:
    """Name the rows of the set in work."""
    rows = search.rows
    return BestTwo(rows[BEST_DRAWS], rows[SECOND], rows[OWNER], search.numbers[LOSSES])


@compiled
def descent_of(search: Search) -> Descent:
    """Name the rows of the descent in work."""
    rows = search.rows
    return Descent(search.paces, rows[SLOPE], rows[BEST_SLOPE], rows[DIRECTION])


@compiled
def construction_of(search: Search) -> Construction:
    """Name the room for a construction."""
    rows = search.rows
    return Construction(search.numbers[GAINS], search.lists[ORDERED], rows[LEVEL], rows[DRAWS])


@compiled_once
def decide_exact(batch: Batch, answer: Answer, begin: int, end: int) -> None:
    """Search for the best supermodel of each row."""
    buffers = make_buffers(batch)
    k, n_samples = batch.samples.shape
    length = padded_length(n_samples)
    room = make_pool(k, length)
    search = make_search(k, length)
    for row in range(begin, end):
        if batch.stop[0]:
            return
        query = load(batch, row, buffers)
        proven = decide(query, room, search)
        state = search.states[0]
        added = search.lists[ADDED, : state.n_added]
        bound = state.upper_bound + query.allowance
        in_order = batch.fixed_order
        write(batch, query, answer, row, added, state.quality, state.cost, bound, in_order)
        answer.optimal[row] = proven
        answer.nodes[row] = state.nodes


@compiled
def decide(query: Query, room: Pool, search: Search) -> bool:
    """Decide a query; return whether the choice is proven."""
    state = search.states[0]
    start(query, search)
    if query.max_new == 0:
        state.quality = total(search.rows[RAN]) / query.n_samples
        state.upper_bound = state.quality
        return True
    state.goal = BEST if coarse(state) else ALL_TIED
    pool = gather(query, room, search)
    proven = run(query, pool, search)
    state.upper_bound = state.tradeoff + state.allowance if proven else open_bound(search)
    all_tied = state.goal == ALL_TIED
    choose(query, search)
    if all_tied:
        return proven
    state.goal = TIE
    state.moved = True
    while proven and state.moved:
        state.moved = False
        proven = run(query, pool, search)
        if proven:
            state.upper_bound = max(state.upper_bound, state.tradeoff + state.allowance)
    return proven


@compiled
def start(query: Query, search: Search) -> None:
    """Set the state before the first pass."""
    state = search.states[0]
    best_of_ran(query, search.rows[RAN], search.rows[DRAWS])
    state.any_ran = len(query.ran) > 0
    state.allowance = query.allowance
    state.lowest = -query.largest
    state.n_tied = 0
    state.n_included = 0
    state.nodes = 0
    state.cut = False
    state.improved = False
    state.tradeoff = -np.inf
    state.n_added = 0
    state.cost = 0.0


@compiled
def nothing_yet(state: Any) -> bool:
    """Whether nothing has run and nothing is included."""
    return bool(state.n_included == 0 and not state.any_ran)


# Sets that count.


@compiled
def evaluate(query: Query, pool: Pool, search: Search, places: Integers, best: Floats) -> None:
    """Evaluate what has run with more models, whose best draws are given, as the contract says."""
    state = search.states[0]
    cost = cost_of(pool, places, search.lists[ORDERED])
    quality = total(best) / query.n_samples
    tradeoff = quality - query.lambda_ * cost
    if tradeoff < state.tradeoff - TIE_TOLERANCE:
        return
    better = tradeoff > state.tradeoff
    if state.goal == BEST and not better:
        return
    models = models_of(pool, places, search.lists[MODELS])
    if better:
        state.tradeoff = tradeoff
        state.moved = True  # where the tie is settled, by less than the allowance
        accept(search, models, quality, cost)
    elif state.goal == TIE and wins_choice(query, search, models, cost):
        accept(search, models, quality, cost)
    if state.goal == ALL_TIED:
        if better:
            state.n_tied = drop_tied_below(search.tied, state.n_tied, tradeoff - TIE_TOLERANCE)
        count = add_tied(search.tied, state.n_tied, tradeoff, quality, cost, models)
        if count < 0:
            state.goal = BEST
        else:
            state.n_tied = count


@compiled
def wins_choice(query: Query, search: Search, models: Integers, cost: float) -> bool:
    """Whether a set wins the tie against the choice so far."""
    state = search.states[0]
    added = search.lists[ADDED, : state.n_added]
    return wins_tie(cost, models, state.cost, added, query.dearest)


@compiled
def accept(search: Search, models: Integers, quality: float, cost: float) -> None:
    """Make a set the choice so far."""
    state = search.states[0]
    state.n_added = len(models)
    for place in range(len(models)):
        search.lists[ADDED, place] = models[place]
    state.quality = quality
    state.cost = cost


@compiled
def choose(query: Query, search: Search) -> None:
    """Take the winner among the best set and those that are known to tie with it."""
    state, tied = search.states[0], search.tied
    for i in range(drop_tied_below(tied, state.n_tied, state.tradeoff - TIE_TOLERANCE)):
        entry = tied.entries[i]
        models = tied.models[i, : entry.size]
        if wins_choice(query, search, models, entry.cost):
            accept(search, models, entry.quality, entry.cost)


# The pool.


@compiled
def gather(query: Query, room: Pool, search: Search) -> Pool:
    """Make a first set, the levels that it suggests, and the pool that their bound leaves."""
    state, dual, two = search.states[0], search.bounds[0], two_of(search)
    chosen, survivors = search.lists[CHOSEN], search.lists[MODELS]
    level, gains = search.level[0], search.numbers[GAINS]
    any_ran = state.any_ran
    n_chosen = greedy_set(query, search.rows[RAN], construction_of(search), survivors)
    pool = fill_pool(query, survivors[:n_chosen], room)
    for j in range(n_chosen):
        chosen[j] = j
    n_chosen = drop_redundant(pool, search, n_chosen)
    if any_ran:
        evaluate(query, pool, search, chosen[:0], search.rows[RAN])
    if n_chosen > 0:
        evaluate(query, pool, search, chosen[:n_chosen], two.best)
    slack_levels(two, pool, chosen[:n_chosen], level, search.served)

    count = len(query.candidates)
    candidate_gains(query, level, search.rows[DRAWS], gains)
    set_dual(search, total(level) / query.n_samples, count, query.max_new, not any_ran)
    state.first_bound = dual.total
    n_survivors = 0
    for c in range(count):
        if not cannot_tie(state, bound_with(dual, gains[c])):
            survivors[n_survivors] = query.candidates[c]
            n_survivors += 1
    for j in range(n_survivors):
        search.lists[UNDOMINATED, j] = j
    state.n_undominated = n_survivors
    return fill_pool(query, survivors[:n_survivors], room)


@compiled
def set_dual(search: Search, base: float, count: int, slots: int, needs_one: bool) -> None:
    """Add up the bound of so many gains."""
    numbers = search.numbers
    gains = numbers[GAINS, :count]
    set_bound(
        search.bounds[0], base, gains, slots, needs_one, numbers[PAYING], search.lists[ORDERED]
    )


@compiled
def hold_set(pool: Pool, search: Search, places: Integers) -> None:
    """Hold what has run with more models in ``two``."""
    state = search.states[0]
    hold(two_of(search), pool, places, search.rows[RAN], state.any_ran, state.lowest)


@compiled
def drop_redundant(pool: Pool, search: Search, count: int) -> int:
    """Drop from ``chosen`` what gains by going, the most first; leave the rest in ``two``."""
    chosen, two = search.lists[CHOSEN], two_of(search)
    least = 0 if search.states[0].any_ran else 1
    while True:
        hold_set(pool, search, chosen[:count])
        if count <= least:
            return count
        worst = least_marginal(two, pool, chosen[:count])
        if two.losses[worst] >= pool.prices[chosen[worst]]:
            return count
        count -= 1
        for place in range(worst, count):
            chosen[place] = chosen[place + 1]


# The search.


@compiled
def run(query: Query, pool: Pool, search: Search) -> bool:
    """Search depth first; return whether it came to its end within the limits."""
    state = search.states[0]
    root = search.nodes[0]
    state.n_included = 0
    state.depth = 0
    copy_to(search.best[0], search.rows[RAN])
    for f in range(state.n_undominated):
        search.free[0, f] = search.lists[UNDOMINATED, f]
    root.n_free = state.n_undominated
    root.bound = state.first_bound
    root.paid = 0.0
    root.n_included = 0
    root.opened = False
    fill(search.numbers[FREQUENCY], 0.0)
    while True:
        live = enter(query, pool, search) and improve_bound(query, pool, search)
        if state.cut:
            return False
        if live and state.depth == 0 and not state.improved:
            improve(query, pool, search)
        elif live:
            descend(pool, search)
        elif state.depth == 0:
            return True
        else:
            state.depth -= 1
            state.n_included = search.nodes[state.depth].n_included


@compiled
def open_bound(search: Search) -> float:
    """Bound all that is open when a limit ends the search."""
    state = search.states[0]
    bound = state.tradeoff
    for depth in range(state.depth + 1):
        bound = max(bound, search.nodes[depth].bound)
    return float(bound + state.allowance)


@compiled
def enter(query: Query, pool: Pool, search: Search) -> bool:
    """On the first visit, evaluate the included set; False where no set above it can count."""
    state = search.states[0]
    node = search.nodes[state.depth]
    if node.opened:
        return True
    node.opened = True
    return nothing_yet(state) or settle_included(query, pool, search)


@compiled
def settle_included(query: Query, pool: Pool, search: Search) -> bool:
    """After a change of what is included: False where no set above it can count.

    Else drops the free models that cannot gain any more. By submodularity no set above it gains
    more than they do one by one.
    """
    state = search.states[0]
    node = search.nodes[state.depth]
    included = search.lists[INCLUDED, : state.n_included]
    best = search.best[state.depth]
    free = search.free[state.depth]
    if len(included) > query.max_new:
        return False
    evaluate(query, pool, search, included, best)
    if len(included) == query.max_new:
        return False
    if state.goal == TIE and hopeless_key(query, pool, search):
        return False
    if not members_pay(pool, search):
        return False
    rise = 0.0  # added by itself: it may be small beside the rest
    kept = 0
    for j in free[: node.n_free]:
        gain = mean_excess(pool.draws[j], best, pool.n_samples) - pool.prices[j]
        rise += max(gain, 0.0)
        if may_gain(state, gain):
            free[kept] = j
            kept += 1
    node.n_free = kept
    bound = total(best) / query.n_samples - node.paid + rise
    node.bound = min(node.bound, bound)
    return not rules_out(state, bound)


@compiled
def may_gain(state: Any, gain: float) -> bool:
    """Whether a set that counts may hold a model of this marginal gain.

    By submodularity the model never gains more in a larger set, and without it that set would be
    no worse.
    """
    if state.goal != BEST:
        return bool(gain + state.allowance >= -TIE_TOLERANCE)
    if coarse(state):
        return bool(gain + state.allowance >= 0.0)
    return gain > 0.0


@compiled
def members_pay(pool: Pool, search: Search) -> bool:
    """Lemma 1 on every member."""
    state = search.states[0]
    included = search.lists[INCLUDED, : state.n_included]
    if len(included) <= (0 if state.any_ran else 1):
        return True
    hold_set(pool, search, included)
    two = two_of(search)
    worst = least_marginal(two, pool, included)
    return may_gain(state, two.losses[worst] - pool.prices[included[worst]])


@compiled
def hopeless_key(query: Query, pool: Pool, search: Search) -> bool:
    """Whether no set above the included one can win the tie against the choice so far."""
    state = search.states[0]
    included = search.lists[INCLUDED, : state.n_included]
    best = search.best[state.depth]
    free = search.free[state.depth, : search.nodes[state.depth].n_free]
    if not query.dearest:
        # Sets above cost no less and have more models.
        cost = cost_of(pool, included, search.lists[ORDERED])
        tradeoff = total(best) / query.n_samples - query.lambda_ * cost
        if tradeoff >= state.tradeoff - TIE_TOLERANCE:
            return True
        if cost != state.cost:
            return bool(cost > state.cost)
        return bool(len(included) >= state.n_added)
    everything = search.lists[CHOSEN]  # the dearest that fit
    for place in range(len(free)):
        everything[place] = free[place]
    sort_places(everything, len(free))
    count = min(len(free), query.max_new - len(included))
    first = len(free) - count
    every = first == 0 and count > 0 and pool.costs[everything[0]] > query.cost_rounding
    for place in range(count):
        everything[place] = everything[first + place]
    for place in range(len(included)):
        everything[count + place] = included[place]
    everything = everything[: count + len(included)]
    most = cost_of(pool, everything, search.lists[ORDERED])
    if every:  # dearer than all others here, so if it ties it is their winner
        level = search.rows[LEVEL]
        copy_to(level, best)
        for j in free:
            raise_to(level, pool.draws[j])
        tradeoff = total(level) / query.n_samples - query.lambda_ * most
        if tradeoff >= state.tradeoff - TIE_TOLERANCE:
            evaluate(query, pool, search, everything, level)
            return True
    if most != state.cost:
        return bool(most < state.cost)
    return bool(len(included) >= state.n_added)


@compiled
def cannot_tie(state: Any, bound: float) -> bool:
    """Whether nothing below a bound ties with the best."""
    return bool(bound + state.allowance < state.tradeoff - TIE_TOLERANCE)


@compiled
def rules_out(state: Any, bound: float) -> bool:
    """Whether a bound rules out that anything below it counts."""
    if state.goal != BEST:
        return cannot_tie(state, bound)
    slack = -state.allowance if coarse(state) else state.allowance
    return bool(bound <= state.tradeoff + slack)


@compiled
def coarse(state: Any) -> bool:
    """Whether rounding may hide more than what ties.

    Then only what is worse beyond it is dropped; else also what is no better but for rounding,
    which spares the search a host of equals.
    """
    return bool(state.allowance > 0.1 * TIE_TOLERANCE)


@compiled
def improve_bound(query: Query, pool: Pool, search: Search) -> bool:
    """Improve a node's levels, excluding and including models; return whether it stays open."""
    state, dual, descent = search.states[0], search.bounds[0], descent_of(search)
    node = search.nodes[state.depth]
    best, best_level = search.best[state.depth], search.level[state.depth]
    level, floor, top = search.rows[LEVEL], search.rows[FLOOR], search.rows[TOP]
    state.nodes += 1
    if node.n_free <= FEW:
        enumerate_free(query, pool, search)
        return False

    # No level is worth more than the best draw there is, nor less than what is included.
    if state.depth == 0 or state.goal == TIE:
        two = two_of(search)
        free = search.free[state.depth, : node.n_free]
        hold(two, pool, free, best, not nothing_yet(state), state.lowest)
        if state.depth == 0:
            copy_to(top, two.best)
        if include_essential(query, pool, search):
            if not settle_included(query, pool, search):
                return False
            if node.n_free <= FEW:
                enumerate_free(query, pool, search)
                return False
    copy_to(floor, best)
    if nothing_yet(state):
        fill(floor[: query.n_samples], state.lowest)
    copy_to(level, best_level)
    raise_to(level, floor)
    lower_to(level, top)
    for j in search.free[state.depth, : node.n_free]:
        search.numbers[FREQUENCY, j] = 0.0

    start_descent(descent)
    target = state.tradeoff - 2.0 * TIE_TOLERANCE
    steps = ROOT_STEPS if state.depth == 0 and state.nodes == 1 else CHILD_STEPS
    step = 0
    while True:
        measure(query, pool, search)
        if note(descent, dual.total, target):
            node.bound = min(node.bound, dual.total)
            copy_to(best_level, level)
        if rules_out(state, dual.total):
            return False
        if late(query) or 0 < query.node_limit < state.nodes:
            state.cut = True
            return True
        included = sift(pool, search)
        if included and not settle_included(query, pool, search):
            return False
        if node.n_free <= FEW:
            enumerate_free(query, pool, search)
            return False
        if included:
            copy_to(floor, best)
            raise_to(level, floor)
            copy_to(best_level, level)
            forget(descent)
        elif step >= steps or not move(
            descent, level, best_level, floor, top, target, query.n_samples
        ):
            return True
        step += 1


@compiled
def include_essential(query: Query, pool: Pool, search: Search) -> bool:
    """Include the free models, held by ``two``, that gain even where all the others are in.

    By submodularity they gain in every set that has room. Returns whether there is one.
    """
    state = search.states[0]
    node, free, two = search.nodes[state.depth], search.free[state.depth], two_of(search)
    count = node.n_free
    if count > query.max_new - state.n_included:
        return False
    enough = state.allowance + (0.0 if state.goal == BEST else TIE_TOLERANCE)
    fill_losses(two, count, query.n_samples)
    kept = 0
    for f in range(count):
        j = free[f]
        if two.losses[f] - pool.prices[j] > enough:
            include(pool, search, j)
        else:
            free[kept] = j
            kept += 1
    node.n_free = kept
    return bool(kept < count)


@compiled
def measure(query: Query, pool: Pool, search: Search) -> None:
    """Fill in the bound of the levels in work, its gains and its slope."""
    state, dual = search.states[0], search.bounds[0]
    node = search.nodes[state.depth]
    level, slope = search.rows[LEVEL], search.rows[SLOPE]
    gains, frequency = search.numbers[GAINS], search.numbers[FREQUENCY]
    free = search.free[state.depth, : node.n_free]
    for f in range(len(free)):
        j = free[f]
        gains[f] = mean_excess(pool.draws[j], level, pool.n_samples) - pool.prices[j]
    base = total(level) / query.n_samples - node.paid
    slots = query.max_new - state.n_included
    set_dual(search, base, len(free), slots, nothing_yet(state))
    fill(slope, -1.0)
    for f in range(len(free)):
        j = free[f]
        frequency[j] *= MEMORY
        if counts(dual, gains[f]):
            frequency[j] += 1.0 - MEMORY
            count_above(slope, pool.draws[j], level)


@compiled
def sift(pool: Pool, search: Search) -> bool:
    """Sift the free models by their gains; return whether one was included.

    Drops those that no set which counts contains, and includes those that every such set contains.
    """
    state, dual = search.states[0], search.bounds[0]
    node, free, gains = search.nodes[state.depth], search.free[state.depth], search.numbers[GAINS]
    before = state.n_included
    kept = 0
    for f in range(node.n_free):
        j = free[f]
        if rules_out(state, bound_with(dual, gains[f])):
            continue
        if rules_out(state, bound_without(dual, gains[f])):
            include(pool, search, j)
        else:
            free[kept] = j
            kept += 1
    node.n_free = kept
    return bool(state.n_included > before)


@compiled
def include(pool: Pool, search: Search, j: int) -> None:
    """Include a model in the node in work."""
    state = search.states[0]
    node = search.nodes[state.depth]
    best = search.best[state.depth]
    if nothing_yet(state):
        copy_to(best, pool.draws[j])
    else:
        raise_to(best, pool.draws[j])
    search.lists[INCLUDED, state.n_included] = j
    state.n_included += 1
    node.n_included = state.n_included
    node.paid += pool.prices[j]


@compiled
def enumerate_free(query: Query, pool: Pool, search: Search) -> None:
    """Look at every set of what is included, which has been evaluated, with free models.

    Those that may count are evaluated. By submodularity a model that does not gain in a set does
    not in a larger one.
    """
    state = search.states[0]
    node = search.nodes[state.depth]
    free = search.free[state.depth, : node.n_free]
    n_included = state.n_included
    quality, paid = search.few[0], search.few[1]  # by how many free models are in
    quality[0], paid[0] = total(search.best[state.depth]) / query.n_samples, node.paid
    chosen = search.lists[CHOSEN]  # places in the list of free models
    f = 0
    while True:
        n_in = state.n_included - n_included
        if f == len(free) or state.n_included == query.max_new:
            if n_in == 0:
                return
            state.n_included -= 1
            f = chosen[n_in - 1] + 1
            continue
        j = free[f]
        raised = search.best[state.depth + n_in + 1]
        alone = nothing_yet(state)
        copy_to(raised, pool.draws[j])
        if not alone:
            raise_to(raised, search.best[state.depth + n_in])
        quality[n_in + 1] = total(raised) / query.n_samples
        paid[n_in + 1] = paid[n_in] + pool.prices[j]
        if alone or may_gain(state, quality[n_in + 1] - quality[n_in] - pool.prices[j]):
            chosen[n_in] = f
            search.lists[INCLUDED, state.n_included] = j
            state.n_included += 1
            if not cannot_tie(state, quality[n_in + 1] - paid[n_in + 1]):
                included = search.lists[INCLUDED, : state.n_included]
                evaluate(query, pool, search, included, raised)
        f += 1


@compiled
def improve(query: Query, pool: Pool, search: Search) -> None:
    """Once, where the root stays open: fewer models, and a better set.

    That is built from those that the bound counts most.
    """
    state, root = search.states[0], search.nodes[0]
    free, undominated, chosen = search.free[0], search.lists[UNDOMINATED], search.lists[CHOSEN]
    included = search.lists[INCLUDED, : state.n_included]
    state.improved = True
    if state.goal == ALL_TIED:  # what is free no more cannot tie, or always does
        root.n_free = drop_dominated(query, pool, state.allowance, free, root.n_free)
        count = root.n_free
        for f in range(count):
            undominated[f] = free[f]
        for j in included:
            undominated[count] = j
            count += 1
        state.n_undominated = count
    else:
        state.n_undominated = drop_dominated(
            query, pool, state.allowance, undominated, state.n_undominated
        )
        kept = 0
        place = 0
        for j in free[: root.n_free]:  # both ascend
            while place < state.n_undominated and undominated[place] < j:
                place += 1
            if place < state.n_undominated and undominated[place] == j:
                free[kept] = j
                kept += 1
        root.n_free = kept

    count = 0
    for j in included:
        chosen[count] = j
        count += 1
    for j in free[: root.n_free]:
        if search.numbers[FREQUENCY, j] > 0.5 and count < query.max_new:
            chosen[count] = j
            count += 1
    if count == 0 and not state.any_ran:
        chosen[0] = undominated[0]
        count = 1
    two, room, ran = two_of(search), construction_of(search), search.rows[RAN]
    count = improve_set(query, pool, ran, state.lowest, two, room, chosen, count)
    hold_set(pool, search, chosen[:count])
    evaluate(query, pool, search, chosen[:count], two.best)


@compiled
def drop_dominated(query: Query, pool: Pool, allowance: float, free: Integers, count: int) -> int:
    """Drop models that another one can replace in every set, which then wins the tie.

    It is never the worse answer and

    - cheaper beyond rounding, or no dearer and before it in the order of the models;
    - for the dearest ties: as dear and before it; and where both are in, the other is dead weight,
      because it is free or its price alone breaks the tie.

    Returns how many are left of ``free[:count]``.
    """
    costs, models = pool.costs, pool.models
    kept = 0
    for f in range(count):
        j = free[f]
        breaks_tie = costs[j] == 0.0 or pool.prices[j] > TIE_TOLERANCE + allowance
        dominated = False
        for by in free[:kept]:
            saved = costs[j] - costs[by]
            before = models[by] < models[j]
            if query.dearest:
                replaces = saved == 0.0 and before and breaks_tie
            else:
                replaces = saved > query.cost_rounding or (saved >= 0.0 and before)
            if replaces and at_least(pool.draws[by], pool.draws[j]):
                dominated = True
                break
        if not dominated:
            free[kept] = j
            kept += 1
        if query.stop[0]:
            break
    return kept


@compiled
def descend(pool: Pool, search: Search) -> None:
    """Branch on a free model that serves much and is neither in nor out, first with it.

    The node keeps it excluded.
    """
    state = search.states[0]
    depth = state.depth
    child = depth + 1
    node, free, below = search.nodes[depth], search.free[depth], search.nodes[child]
    pick = 0
    most = -1.0
    for f in range(node.n_free):
        j = free[f]
        frequency = search.numbers[FREQUENCY, j]
        undecided = min(frequency, 1.0 - frequency) + 0.02
        served = mean_excess(pool.draws[j], search.level[depth], pool.n_samples)
        if undecided * served > most:
            most = undecided * served
            pick = f
    picked = free[pick]
    node.n_free -= 1
    for f in range(pick, node.n_free):
        free[f] = free[f + 1]
    for f in range(node.n_free):
        search.free[child, f] = free[f]
    copy_to(search.best[child], search.best[depth])
    copy_to(search.level[child], search.level[depth])
    below.n_free = node.n_free
    below.bound = node.bound
    below.paid = node.paid
    below.opened = False
    state.depth = child
    include(pool, search, picked)
