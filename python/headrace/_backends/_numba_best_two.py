"""The best and the second-best draw of every sample for a set of models, and whose the best is."""

from __future__ import annotations

from typing import NamedTuple

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_pool import Pool
from headrace._backends._numba_query import Integers
from headrace._backends._numba_samples import copy_to, fill, raise_two
from headrace._problem import Floats

NOBODY = -1.0


class BestTwo(NamedTuple):
    """What a set holds, or the room for it."""

    best: Floats
    """Padded with zeros, here and in what it starts from."""
    second: Floats
    """Its padding is anything."""
    owner: Floats
    """The place of the model in the set."""
    losses: Floats
    """By the places of the set."""


@compiled
def hold(
    two: BestTwo, pool: Pool, places: Integers, base: Floats, is_base: bool, lowest: float
) -> None:
    """Take in models of the pool on top of what has run.

    ``base`` are its best draws, which belong to nobody; unless ``is_base`` there are none.
    ``lowest`` is below every draw and stands for the answer of an empty set.
    """
    best, second, owner = two.best, two.second, two.owner
    if is_base:
        copy_to(best, base)
    else:
        fill(best[: pool.n_samples], lowest)
    fill(second, lowest)
    fill(owner, NOBODY)
    for place in range(len(places)):
        raise_two(best, second, owner, pool.draws[places[place]], float(place))


@compiled
def fill_losses(two: BestTwo, count: int, n_samples: int) -> None:
    """Fill in what the mean of the best draws loses without each of the ``count`` models."""
    best, second, owner, losses = two.best, two.second, two.owner, two.losses
    for place in range(count):
        losses[place] = 0.0
    for s in range(n_samples):
        if owner[s] != NOBODY:
            losses[int(owner[s])] += best[s] - second[s]
    for place in range(count):
        losses[place] /= n_samples


@compiled
def least_marginal(two: BestTwo, pool: Pool, places: Integers) -> int:
    """Find the place of the model whose marginal gain is the lowest in the set held."""
    fill_losses(two, len(places), pool.n_samples)
    worst = 0
    for place in range(1, len(places)):
        if (
            two.losses[place] - pool.prices[places[place]]
            < two.losses[worst] - pool.prices[places[worst]]
        ):
            worst = place
    return worst
