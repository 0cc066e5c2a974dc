"""Good sets without a proof: where an exact search starts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headrace._backends._numba_best_two import NOBODY, BestTwo, fill_losses, hold
from headrace._backends._numba_compile import compiled
from headrace._backends._numba_heap import make_heap, sift_down
from headrace._backends._numba_pool import Pool
from headrace._backends._numba_query import Integers, Query, draw, late
from headrace._backends._numba_samples import copy_to, draw_to, mean_excess, raise_to, swap_kept
from headrace._problem import TIE_TOLERANCE, Floats

MOST_MOVES = 100


class Construction(NamedTuple):
    """Room for a construction."""

    gains: Floats
    """A heap, with its models; or by place, what a swap keeps of the loss."""
    models: Integers
    best: Floats
    draws: Floats


@compiled
def greedy_set(
    query: Query,
    ran: Floats,
    room: Construction,
    chosen: Integers,
) -> int:
    """Fill in a set of models and return its size.

    Adds to what has run, whose best draws are given, the candidate of the highest gain while there
    is one. Gains never grow as the set does, so that old ones are bounds and only the highest is
    renewed (Minoux, 1978).
    """
    gains, models, best, draws = room.gains, room.models, room.best, room.draws
    count = 0
    if len(query.ran) > 0:
        copy_to(best, ran)
    else:
        first = query.candidates[0]
        for i in query.candidates:
            if (
                query.qualities[i] - query.lambda_ * query.costs[i]
                > query.qualities[first] - query.lambda_ * query.costs[first]
            ):
                first = i
        chosen[0] = first
        count = 1
        draw(query, first, best)

    open_ = 0
    if count < query.max_new:
        candidate_gains(query, best, draws, gains)
        for c in range(len(query.candidates)):
            i = query.candidates[c]
            if gains[c] > 0.0 and not (count > 0 and i == chosen[0]):
                gains[open_] = gains[c]
                models[open_] = i
                open_ += 1
    make_heap(gains, models, open_)
    while open_ > 0 and count < query.max_new and not late(query):
        pick = models[0]
        gain = candidate_gain(query, pick, best, draws)
        following = -np.inf
        for child in range(1, min(open_, 3)):
            following = max(following, gains[child])
        if gain > 0.0 and gain < following:
            gains[0] = gain
        else:
            if gain > 0.0:
                chosen[count] = pick
                count += 1
                raise_to(best, draws)
            open_ -= 1
            gains[0] = gains[open_]
            models[0] = models[open_]
        if open_ > 0:
            sift_down(gains, models, 0, open_)
    return count


@compiled
def candidate_gains(query: Query, level: Floats, draws: Floats, gains: Floats) -> None:
    """Fill in the gain of every candidate: mean excess over a level, less the price."""
    for c in range(len(query.candidates)):
        if query.stop[0]:
            break
        model = query.candidates[c]
        quality = query.qualities[model]
        if len(query.own_samples) > 0:
            draw_to(draws, quality, 1.0, query.own_samples[model])
        else:
            draw_to(draws, quality, query.sigmas[model], query.samples[model])
        price = query.lambda_ * query.costs[model]
        gains[c] = mean_excess(draws, level, query.n_samples) - price


@compiled
def candidate_gain(query: Query, model: int, level: Floats, draws: Floats) -> float:
    """Mean excess of a model over a level, less its price; leaves its draws."""
    draw(query, model, draws)
    price = query.lambda_ * query.costs[model]
    return float(mean_excess(draws, level, query.n_samples) - price)


@compiled
def improve_set(
    query: Query,
    pool: Pool,
    ran: Floats,
    lowest: float,
    two: BestTwo,
    room: Construction,
    chosen: Integers,
    count: int,
) -> int:
    """Add, drop or swap models of the pool, whatever gains most, until nothing gains.

    Changes the first ``count`` of ``chosen`` and returns how many they are then.
    """
    size = len(pool.models)
    any_ran = len(query.ran) > 0
    for _ in range(MOST_MOVES):
        if late(query):
            break
        is_chosen = room.models
        for j in range(size):
            is_chosen[j] = 0
        for j in chosen[:count]:
            is_chosen[j] = 1
        hold(two, pool, chosen[:count], ran, any_ran, lowest)
        fill_losses(two, count, pool.n_samples)

        most = TIE_TOLERANCE
        out = -1
        into = -1
        dearest = 0.0
        for place in range(count):
            price = pool.prices[chosen[place]]
            dearest = max(dearest, price)
            if count > (0 if any_ran else 1) and price - two.losses[place] > most:
                most = price - two.losses[place]
                out = place
        for j in range(size):
            if is_chosen[j]:
                continue
            gain = mean_excess(pool.draws[j], two.best, pool.n_samples) - pool.prices[j]
            if gain > most and count < query.max_new:
                most = gain
                into = j
                out = -1
            if gain + dearest <= most:
                continue  # a swap saves no more than the price
            fill_kept(pool, two, j, count, room)
            for place in range(count):
                price = pool.prices[chosen[place]]
                swapped = gain + price - two.losses[place] + room.gains[place]
                if swapped > most:
                    most = swapped
                    into = j
                    out = place
        if into < 0 and out < 0:
            break
        if out >= 0:
            count -= 1
            for place in range(out, count):
                chosen[place] = chosen[place + 1]
        if into >= 0:
            chosen[count] = into
            count += 1
    return count


@compiled
def fill_kept(pool: Pool, two: BestTwo, j: int, count: int, room: Construction) -> None:
    """Fill in what the samples of each place lose less if it goes while ``j`` comes in."""
    for place in range(count):
        room.gains[place] = 0.0
    swap_kept(room.draws, pool.draws[j], two.best, two.second)
    for s in range(pool.n_samples):
        if two.owner[s] != NOBODY:
            room.gains[int(two.owner[s])] += room.draws[s]
    for place in range(count):
        room.gains[place] /= pool.n_samples
