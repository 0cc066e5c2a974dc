"""Kernels of the numba backend: the C++ library, line by line, for one range of rows.

No fast-math and no fused operations: every reported number has the bits of the reference. The
searches are those of ``cpp/src/exact.cpp`` and ``cpp/src/exhaustive.cpp``, which say why they are
right; workspaces are arrays that the callers pass down.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numpy as np

from headrace import _reservation
from headrace._problem import TIE_TOLERANCE

LANES = 8
ROOT_STEPS = 40
CHILD_STEPS = 12
PATIENCE = 4
EPSILON = float(np.finfo(np.float64).eps)

ROUTING, CASCADE, INDEX = 0, 1, 2
EXACT, GREEDY = 0, 1

# What the exact search looks for: the best tradeoff, then the winner of the tie.
TRADEOFF, TIE = 0, 1


def compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use, keep the code on disk, release the interpreter's lock."""
    return numba.njit(cache=True, nogil=True)(function)


def _compiled_module(names: tuple[str, ...]) -> dict[str, Any]:
    """Compile functions of ``_reservation`` that call each other."""
    scope = dict(vars(_reservation))
    for name in names:
        source = getattr(_reservation, name)
        scope[name] = numba.njit(nogil=True)(FunctionType(source.__code__, scope, name))
    return scope


_scope = _compiled_module(
    ("standard_excess", "inverse_standard_excess", "expected_excess", "reservation_value")
)
expected_excess = _scope["expected_excess"]
reservation_value = _scope["reservation_value"]


# ---- loops over samples; arrays are padded with zeros to a multiple of LANES ----


@compiled
def total(values):
    a = b = c = d = e = f = g = h = 0.0
    for s in range(0, values.shape[0], LANES):
        a += values[s]
        b += values[s + 1]
        c += values[s + 2]
        d += values[s + 3]
        e += values[s + 4]
        f += values[s + 5]
        g += values[s + 6]
        h += values[s + 7]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@compiled
def excess(x, level, n_samples):
    result = 0.0
    for s in range(x.shape[0]):
        result += max(x[s] - level[s], 0.0)
    return result / n_samples


@compiled
def raise_to(level, x):
    for s in range(level.shape[0]):
        level[s] = max(level[s], x[s])


# ---- one query ----


@compiled
def make_draws(draws, q, has_sigmas, sigmas, has_factor, factor, samples, uncertain):
    for i in range(q.shape[0]):
        if not uncertain:
            draws[i, 0] = q[i]
        elif has_factor:
            for s in range(samples.shape[1]):
                y = 0.0
                for j in range(i + 1):
                    y += factor[i, j] * samples[j, s]
                draws[i, s] = q[i] + y
        elif has_sigmas:
            for s in range(samples.shape[1]):
                draws[i, s] = q[i] + sigmas[i] * samples[i, s]


@compiled
def pick(values, costs, sizes, count, cheapest):
    """Settle a tie among few options, listed in the order of their indices."""
    best = -np.inf
    for i in range(count):
        best = max(best, values[i])
    chosen = -1
    for i in range(count):
        if not values[i] >= best - TIE_TOLERANCE:
            continue
        if chosen < 0:
            chosen = i
        elif costs[i] != costs[chosen]:
            if (costs[i] < costs[chosen]) == cheapest:
                chosen = i
        elif sizes[i] < sizes[chosen]:
            chosen = i
    return chosen, best


@compiled
def wins_tie(cost, size, mask, other_cost, other_size, other_mask, cheapest):
    if cost != other_cost:
        return (cost < other_cost) == cheapest
    if size != other_size:
        return size < other_size
    for i in range(mask.shape[0]):
        if mask[i] != other_mask[i]:
            return mask[i]
    return False


@compiled
def ran_best(draws, has_run, best):
    """Fill in the best draws of what has run; return whether anything has."""
    none = True
    for i in range(draws.shape[0]):
        if has_run[i]:
            if none:
                best[:] = draws[i]
            else:
                raise_to(best, draws[i])
            none = False
    if none:
        best[:] = 0.0
    return not none


@compiled
def ascending_cost(costs, members, order):
    """Add the costs of the members, from the cheapest up."""
    result = 0.0
    for j in order:
        if members[j]:
            result += costs[j]
    return result


# ---- exhaustive search ----


@compiled
def exhaustive(
    draws, q_costs, price, order, anything_ran, base, max_new, n_samples, cheapest, stop, added
):
    length = draws.shape[1]
    best = np.empty((max_new + 1, length))
    best[0] = base
    position = np.empty(max_new + 1, dtype=np.int64)
    cost = np.zeros(max_new + 1)
    mask = np.zeros(draws.shape[0], dtype=np.bool_)
    top = -np.inf
    quality_of = 0.0
    cost_of = 0.0
    size_of = -1
    for settle in range(2):
        depth = 0
        position[0] = -1
        fresh = True
        while depth >= 0:
            if fresh:
                if stop[0]:
                    return top, quality_of, cost_of
                if depth > 0 or anything_ran:
                    quality = total(best[depth]) / n_samples
                    tradeoff = quality - price * cost[depth]
                    if settle == 0:
                        top = max(top, tradeoff)
                    elif tradeoff >= top - TIE_TOLERANCE and (
                        size_of < 0
                        or wins_tie(cost[depth], depth, mask, cost_of, size_of, added, cheapest)
                    ):
                        quality_of = quality
                        cost_of = cost[depth]
                        size_of = depth
                        added[:] = mask
                fresh = False
            position[depth] += 1
            if depth == max_new or position[depth] >= order.shape[0]:
                depth -= 1
                if depth >= 0:
                    mask[order[position[depth]]] = False
                continue
            model = order[position[depth]]
            best[depth + 1] = draws[model]
            if depth > 0 or anything_ran:
                raise_to(best[depth + 1], best[depth])
            cost[depth + 1] = cost[depth] + q_costs[model]
            mask[model] = True
            position[depth + 1] = position[depth]
            depth += 1
            fresh = True
    return top, quality_of, cost_of


# ---- exact search ----


@compiled
def best_and_second(x, members, count, floor, base, n_samples, first, second, owner, loss):
    first[:] = 0.0
    for s in range(n_samples):
        first[s] = base[s] if floor else -np.inf
        second[s] = -np.inf
        owner[s] = count
    for place in range(count):
        row = x[members[place]]
        for s in range(n_samples):
            if row[s] > first[s]:
                second[s] = first[s]
                first[s] = row[s]
                owner[s] = place
            elif row[s] > second[s]:
                second[s] = row[s]
    loss[:count] = 0.0
    for s in range(n_samples):
        if owner[s] < count:
            loss[owner[s]] += first[s] - second[s]
    loss[:count] /= n_samples


@compiled
def least_marginal(loss, f, members, count):
    worst = 0
    for place in range(1, count):
        if loss[place] - f[members[place]] < loss[worst] - f[members[worst]]:
            worst = place
    return worst


@compiled
def member_cost(costs, members, count, inside):
    """Add the costs of positions ``members[:count]`` in ascending order; ``inside`` is scratch."""
    for place in range(count):
        inside[members[place]] = True
    result = 0.0
    for j in range(costs.shape[0]):
        if inside[j]:
            result += costs[j]
    for place in range(count):
        inside[members[place]] = False
    return result


@compiled
def slack_levels(x, f, members, count, base, floor, n_samples, lowest, level, second, owner, loss):
    """Levels by complementary slackness from a first set."""
    best_and_second(x, members, count, floor, base, n_samples, level, second, owner, loss)
    top = level.copy()
    for place in range(count):
        low = lowest
        high = -np.inf
        for s in range(n_samples):
            if owner[s] == place:
                high = max(high, top[s])
        for _ in range(20):
            if not low < high:
                break
            middle = 0.5 * (low + high)
            payment = 0.0
            for s in range(n_samples):
                if owner[s] == place:
                    payment += top[s] - max(second[s], min(top[s], middle))
            if payment / n_samples > f[members[place]]:
                low = middle
            else:
                high = middle
        for s in range(n_samples):
            if owner[s] == place:
                level[s] = max(second[s], min(top[s], high))


@compiled
def level_bound(x, f, level, free, n_free, paid, slots, none, n_samples, reduced, paying):
    """Bound by levels: (bound, bound of all sets, least that pays, the only model or -1)."""
    start = total(level) / n_samples - paid
    most = free[0]
    count = 0
    for place in range(n_free):
        j = free[place]
        reduced[j] = excess(x[j], level, n_samples) - f[j]
        if reduced[j] > reduced[most]:
            most = j
        if reduced[j] > 0.0:
            paying[count] = reduced[j]
            count += 1
    least = 0.0
    if count >= slots:
        chosen = np.sort(paying[:count])
        least = chosen[count - slots]
        paying[:slots] = chosen[count - slots :]
        count = slots
    result = start
    for place in range(count):
        result += paying[place]
    if none and reduced[most] < 0.0:
        return start + reduced[most], result, least, most
    return result, result, least, -1


@compiled
def ruled_out(bound, goal, best, allowance):
    if goal == TRADEOFF:
        return bound <= best + allowance
    return bound + allowance < best - TIE_TOLERANCE


@compiled
def may_gain(gain, goal, allowance):
    if goal == TRADEOFF:
        return gain > 0.0
    return gain + allowance >= -TIE_TOLERANCE


@compiled
def bound_node(
    x,
    f,
    best,
    level,
    free,
    n_free,
    bound,
    paid,
    slots,
    none,
    n_samples,
    lowest,
    goal,
    best_tradeoff,
    allowance,
    steps,
    limits,
    state,
    work,
    reduced,
    paying,
):
    """Improve the bound of a node: (open, free models left, bound); see ``Exact::bound``."""
    length = best.shape[0]
    now, top, slope = work[0], work[1], work[2]
    top[:] = x[free[0]]
    for place in range(n_free):
        raise_to(top, x[free[place]])
    if not none:
        raise_to(top, best)
    for s in range(length):
        now[s] = level[s]
        if not none:
            now[s] = max(now[s], best[s])
        now[s] = min(now[s], top[s])
    lowest_bound = np.inf
    stride = 1.0
    stale = 0
    step = 0
    while True:
        value, unrestricted, least, only = level_bound(
            x, f, now, free, n_free, paid, slots, none, n_samples, reduced, paying
        )
        if value < lowest_bound:
            gain = lowest_bound - value
            stale = 0 if gain > 0.01 * (lowest_bound - best_tradeoff) else stale + 1
            lowest_bound = value
            bound = min(bound, value)
            level[:] = now
        else:
            stale += 1
        if ruled_out(value, goal, best_tradeoff, allowance):
            return False, n_free, bound
        if reached(limits, state):
            state[1] = 1.0
            return True, n_free, bound
        kept = 0
        for place in range(n_free):
            j = free[place]
            if reduced[j] <= least and ruled_out(
                unrestricted - least + reduced[j], goal, best_tradeoff, allowance
            ):
                continue
            free[kept] = j
            kept += 1
        n_free = kept
        if n_free == 0:
            return False, 0, bound
        if step == steps:
            return True, n_free, bound
        if stale == PATIENCE:
            stride *= 0.5
            stale = 0
            now[:] = level
            if stride < 0.1:
                return True, n_free, bound
            value, unrestricted, least, only = level_bound(
                x, f, now, free, n_free, paid, slots, none, n_samples, reduced, paying
            )
        slope[:] = -1.0
        for place in range(n_free):
            j = free[place]
            if j == only or (reduced[j] > 0.0 and reduced[j] >= least):
                for s in range(length):
                    if x[j, s] > now[s]:
                        slope[s] += 1.0
        norm = 0.0
        for s in range(n_samples):
            floor = lowest if none else best[s]
            if (slope[s] < 0.0 and now[s] <= floor) or (slope[s] > 0.0 and now[s] >= top[s]):
                slope[s] = 0.0
            norm += slope[s] * slope[s]
        if norm == 0.0:
            return True, n_free, bound
        target = best_tradeoff if goal == TRADEOFF else best_tradeoff - 2.0 * TIE_TOLERANCE
        move = stride * (value - target) * n_samples / norm
        for s in range(n_samples):
            floor = lowest if none else best[s]
            now[s] = min(top[s], max(floor, now[s] + move * slope[s]))
        step += 1


@compiled
def reached(limits, state):
    """Whether to end the search; state holds the nodes, whether it was cut, and its start."""
    node_limit, time_limit, stop, clock = limits
    if stop[0]:
        return True
    if node_limit != 0 and state[0] > node_limit:
        return True
    return time_limit > 0.0 and clock[0] - state[2] > time_limit


@compiled
def construct(x, f, base, floor, max_new, n_samples, members, first, second, owner, loss):
    """Greedy set: add the highest gain while there is one, then drop what became redundant."""
    m = x.shape[0]
    first[:] = base
    count = 0
    while count < max_new:
        alone = count == 0 and not floor
        most = -np.inf if alone else 0.0
        choice = -1
        for j in range(m):
            value = total(x[j]) / n_samples if alone else excess(x[j], first, n_samples)
            if value - f[j] > most:
                most = value - f[j]
                choice = j
        if choice < 0:
            break
        members[count] = choice
        count += 1
        if alone:
            first[:] = x[choice]
        else:
            raise_to(first, x[choice])
    while count > (0 if floor else 1):
        best_and_second(x, members, count, floor, base, n_samples, first, second, owner, loss)
        worst = least_marginal(loss, f, members, count)
        if loss[worst] - f[members[worst]] >= 0.0:
            break
        for place in range(worst, count - 1):
            members[place] = members[place + 1]
        count -= 1
    if count > 0:
        best_and_second(x, members, count, floor, base, n_samples, first, second, owner, loss)
    else:
        first[:] = base
    return count


@compiled
def exact(
    draws,
    q_costs,
    price,
    order,
    floor,
    base,
    max_new,
    n_samples,
    cheapest,
    allowance,
    limits,
    start,
    added,
):
    """Fill in ``added``; return quality, cost, upper bound and whether it is proven."""
    m = order.shape[0]
    k, length = draws.shape
    x = np.empty((m, length))
    costs = np.empty(m)
    f = np.empty(m)
    lowest = np.inf
    for j in range(m):
        x[j] = draws[order[j]]
        costs[j] = q_costs[order[j]]
        f[j] = price * costs[j]
        for s in range(n_samples):
            lowest = min(lowest, x[j, s])
    lowest -= f[m - 1]

    members = np.empty(m + 1, dtype=np.int64)
    inside = np.zeros(m, dtype=np.bool_)
    mask = np.zeros(k, dtype=np.bool_)
    work = np.zeros((3, length))
    first = np.zeros(length)
    second = np.zeros(length)
    owner = np.zeros(length, dtype=np.int64)
    loss = np.zeros(m + 1)
    reduced = np.zeros(m)
    paying = np.zeros(m)
    state = np.array([0.0, 0.0, start])

    depths = max_new + 1
    best = np.empty((depths, length))
    level = np.empty((depths, length))
    free = np.empty((depths, m), dtype=np.int64)
    n_free = np.zeros(depths, dtype=np.int64)
    bound = np.empty(depths)
    paid = np.zeros(depths)
    opened = np.zeros(depths, dtype=np.bool_)
    best[0] = base

    # The first set, and the levels that pay for it.
    count = construct(x, f, base, floor, max_new, n_samples, members, first, second, owner, loss)
    quality_of = total(first) / n_samples
    cost_of = member_cost(costs, members, count, inside)
    size_of = count
    best_tradeoff = quality_of - price * cost_of
    added[:] = False
    for place in range(count):
        added[order[members[place]]] = True
    slack_levels(
        x, f, members, count, base, floor, n_samples, lowest, level[0], second, owner, loss
    )

    goal = TRADEOFF
    upper = np.inf
    while True:
        restart = False
        depth = 0
        for j in range(m):
            free[0, j] = j
        n_free[0] = m
        bound[0] = np.inf
        opened[0] = False
        while True:
            none = depth == 0 and not floor
            live = True
            if not opened[depth]:
                opened[depth] = True
                if not none:
                    quality = total(best[depth]) / n_samples
                    cost = member_cost(costs, members, depth, inside)
                    tradeoff = quality - price * cost
                    take = tradeoff > best_tradeoff
                    if goal == TIE:
                        restart = restart or take
                        if not take and tradeoff >= best_tradeoff - TIE_TOLERANCE:
                            mask[:] = False
                            for place in range(depth):
                                mask[order[members[place]]] = True
                            take = wins_tie(cost, depth, mask, cost_of, size_of, added, cheapest)
                    if take:
                        best_tradeoff = max(best_tradeoff, tradeoff)
                        quality_of = quality
                        cost_of = cost
                        size_of = depth
                        added[:] = False
                        for place in range(depth):
                            added[order[members[place]]] = True
                    if depth == max_new:
                        live = False
                    elif goal == TIE:
                        if cheapest:
                            if tradeoff >= best_tradeoff - TIE_TOLERANCE:
                                live = False
                            elif cost != cost_of:
                                live = cost < cost_of
                            else:
                                live = depth < size_of
                        else:
                            for place in range(n_free[depth]):
                                members[depth + place] = free[depth, place]
                            most = member_cost(costs, members, depth + n_free[depth], inside)
                            live = most > cost_of if most != cost_of else depth < size_of
                    if live and depth > (0 if floor else 1):
                        best_and_second(
                            x, members, depth, floor, base, n_samples, first, second, owner, loss
                        )
                        worst = least_marginal(loss, f, members, depth)
                        live = may_gain(loss[worst] - f[members[worst]], goal, allowance)
                    if live:
                        kept = 0
                        for place in range(n_free[depth]):
                            j = free[depth, place]
                            if may_gain(
                                excess(x[j], best[depth], n_samples) - f[j], goal, allowance
                            ):
                                free[depth, kept] = j
                                kept += 1
                        n_free[depth] = kept
            if live:
                state[0] += 1.0
                live = n_free[depth] > 0
            if live:
                live, n_free[depth], bound[depth] = bound_node(
                    x,
                    f,
                    best[depth],
                    level[depth],
                    free[depth],
                    n_free[depth],
                    bound[depth],
                    paid[depth],
                    max_new - depth,
                    none,
                    n_samples,
                    lowest,
                    goal,
                    best_tradeoff,
                    allowance,
                    ROOT_STEPS if depth == 0 else CHILD_STEPS,
                    limits,
                    state,
                    work,
                    reduced,
                    paying,
                )
                if state[1] > 0.0:
                    if goal == TRADEOFF:
                        upper = best_tradeoff
                        for d in range(depth + 1):
                            if bound[d] < np.inf:
                                upper = max(upper, bound[d])
                        upper += allowance
                    return quality_of, cost_of, max(upper, best_tradeoff + allowance), False
            if not live:
                if depth == 0:
                    break
                depth -= 1
                continue
            # Branch on the free model that serves most, first with it.
            place_of = 0
            for place in range(n_free[depth]):
                j, chosen = free[depth, place], free[depth, place_of]
                if reduced[j] + f[j] > reduced[chosen] + f[chosen]:
                    place_of = place
            choice = free[depth, place_of]
            for place in range(place_of, n_free[depth] - 1):
                free[depth, place] = free[depth, place + 1]
            n_free[depth] -= 1
            best[depth + 1] = x[choice]
            if not none:
                raise_to(best[depth + 1], best[depth])
            level[depth + 1] = level[depth]
            free[depth + 1, : n_free[depth]] = free[depth, : n_free[depth]]
            n_free[depth + 1] = n_free[depth]
            bound[depth + 1] = np.inf
            paid[depth + 1] = paid[depth] + f[choice]
            opened[depth + 1] = False
            members[depth] = choice
            depth += 1
        if goal == TRADEOFF:
            upper = best_tradeoff + allowance
            goal = TIE
        elif not restart:
            return quality_of, cost_of, max(upper, best_tradeoff + allowance), True


# ---- a range of rows ----


@compiled
def decide_rows(
    begin,
    end,
    qualities,
    all_costs,
    lambda_,
    all_sigmas,
    has_sigmas,
    all_factors,
    has_factor,
    all_ran,
    has_ran,
    samples,
    uncertain,
    strategy,
    search,
    max_models,
    fixed_order,
    cheapest,
    node_limit,
    time_limit,
    stop,
    clock,
    next_model,
    supermodel,
    tradeoff,
    quality,
    cost,
    upper_bound,
    optimal,
):
    n, k = qualities.shape
    n_samples = samples.shape[1] if uncertain else 1
    length = (n_samples + LANES - 1) // LANES * LANES
    draws = np.zeros((k, length))
    best = np.zeros(length)
    other = np.zeros(length)
    has_run = np.zeros(k, dtype=np.bool_)
    candidate = np.zeros(k, dtype=np.bool_)
    added = np.zeros(k, dtype=np.bool_)
    missing = np.zeros(k, dtype=np.bool_)
    values = np.empty(k + 1)
    qualities_of = np.empty(k + 1)
    costs_of = np.empty(k + 1)
    sizes = np.empty(k + 1, dtype=np.int64)
    models = np.empty(k + 1, dtype=np.int64)
    limits = (node_limit, time_limit, stop, clock)
    sampled = strategy != ROUTING and strategy != INDEX

    for row in range(begin, end):
        if stop[0]:
            return
        start = clock[0]
        q = qualities[row]
        costs = all_costs[row if all_costs.shape[0] == n else 0]
        price = lambda_[row if lambda_.shape[0] == n else 0]
        sigmas = all_sigmas[row if all_sigmas.shape[0] == n else 0]
        factor = all_factors[row if all_factors.shape[0] == n else 0]

        n_ran = 0
        candidate[:] = False
        for i in range(k):
            has_run[i] = has_ran and all_ran[row, i]
            if has_run[i]:
                n_ran += 1
                if fixed_order:
                    candidate[:] = False
            else:
                candidate[i] = True
        n_candidates = candidate.sum()
        max_new = min(max(max_models - n_ran, 0), n_candidates)
        by_cost = np.argsort(costs, kind="mergesort")
        largest = 0.0
        if sampled:
            make_draws(draws, q, has_sigmas, sigmas, has_factor, factor, samples, uncertain)
            ran_best(draws, has_run, best)
            for i in range(k):
                for s in range(length):
                    largest = max(largest, abs(draws[i, s]))
        else:
            for i in range(k):
                largest = max(largest, abs(q[i]))
        paid = 0.0
        for i in range(k):
            if candidate[i]:
                paid += costs[i]
        allowance = EPSILON * (n_samples + k + 8) * (largest + price * paid)

        added[:] = False
        proven = True
        if not sampled:
            revealed = -np.inf
            for i in range(k):
                if has_run[i]:
                    revealed = max(revealed, q[i])
            count = 0
            if n_ran > 0:
                values[0], qualities_of[0], costs_of[0] = revealed, revealed, 0.0
                sizes[0], models[0] = 0, -1
                count = 1
            if strategy == INDEX or n_ran == 0:
                for i in range(k):
                    if candidate[i]:
                        sigma = sigmas[i] if has_sigmas else 0.0
                        values[count] = q[i] - price * costs[i]
                        qualities_of[count] = q[i]
                        if strategy == INDEX:
                            values[count] = reservation_value(q[i], sigma, price * costs[i])
                            if n_ran > 0:
                                gain = expected_excess(q[i], sigma, revealed)
                                qualities_of[count] = revealed + gain
                        costs_of[count], sizes[count], models[count] = costs[i], 1, i
                        count += 1
            chosen, bound = pick(values, costs_of, sizes, count, cheapest)
            if models[chosen] >= 0:
                added[models[chosen]] = True
        elif strategy == CASCADE:
            count = 0
            if n_ran > 0:
                values[0] = qualities_of[0] = total(best) / n_samples
                costs_of[0], sizes[0], models[0] = 0.0, 0, 0
                count = 1
            other[:] = best
            nothing = n_ran == 0
            missing[:] = False
            n_missing = 0
            n_covered = 0
            for i in range(min(k, max_models)):
                if has_run[i]:
                    n_covered += 1
                else:
                    if nothing:
                        other[:] = draws[i]
                    else:
                        raise_to(other, draws[i])
                    nothing = False
                    missing[i] = True
                    n_missing += 1
                if n_covered < n_ran or n_missing == 0:
                    continue
                qualities_of[count] = total(other) / n_samples
                costs_of[count] = ascending_cost(costs, missing, by_cost)
                values[count] = qualities_of[count] - price * costs_of[count]
                sizes[count], models[count] = n_missing, i + 1
                count += 1
            chosen, bound = pick(values, costs_of, sizes, count, cheapest)
            for i in range(models[chosen]):
                added[i] = not has_run[i]
        elif search == GREEDY:
            count = 0
            if n_ran > 0:
                values[0] = qualities_of[0] = total(best) / n_samples
                costs_of[0], sizes[0], models[0] = 0.0, 0, -1
                count = 1
            if max_new > 0:
                for i in range(k):
                    if candidate[i]:
                        other[:] = draws[i]
                        if n_ran > 0:
                            raise_to(other, best)
                        qualities_of[count] = total(other) / n_samples
                        costs_of[count], sizes[count], models[count] = costs[i], 1, i
                        values[count] = qualities_of[count] - price * costs[i]
                        count += 1
            chosen, bound = pick(values, costs_of, sizes, count, cheapest)
            other[:] = best
            if models[chosen] >= 0:
                added[models[chosen]] = True
                other[:] = draws[models[chosen]]
                if n_ran > 0:
                    raise_to(other, best)
            count = 0
            for i in range(k):
                if candidate[i]:
                    values[count] = price * costs[i] - excess(draws[i], other, n_samples)
                    count += 1
            bound = total(other) / n_samples
            losses = np.sort(values[:count])
            for slot in range(max_new):
                if losses[slot] < 0.0:
                    bound -= losses[slot]
            gap = bound - (qualities_of[chosen] - price * costs_of[chosen])
            proven = gap <= TIE_TOLERANCE + allowance
        else:
            order = by_cost[candidate[by_cost]]
            chosen = 0
            if max_new == 0:
                qualities_of[0], costs_of[0] = total(best) / n_samples, 0.0
                bound = qualities_of[0]
            elif search == EXACT:
                qualities_of[0], costs_of[0], bound, proven = exact(
                    draws,
                    costs,
                    price,
                    order,
                    n_ran > 0,
                    best,
                    max_new,
                    n_samples,
                    cheapest,
                    allowance,
                    limits,
                    start,
                    added,
                )
            else:
                bound, qualities_of[0], costs_of[0] = exhaustive(
                    draws,
                    costs,
                    price,
                    order,
                    n_ran > 0,
                    best,
                    max_new,
                    n_samples,
                    cheapest,
                    stop,
                    added,
                )

        next_model[row] = -1
        for i in range(k):
            supermodel[row, i] = has_run[i] or added[i]
            if added[i]:
                j = next_model[row]
                if j < 0 or (not fixed_order and strategy != CASCADE and costs[i] < costs[j]):
                    next_model[row] = i
        quality[row] = qualities_of[chosen]
        cost[row] = costs_of[chosen]
        tradeoff[row] = quality[row] - price * cost[row]
        upper_bound[row] = bound + allowance
        optimal[row] = proven
