"""Draws of the change that a run brings, where beliefs change by reveals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headrace._backends._numba_compile import compiled
from headrace._problem import Floats


@compiled
def draw_changes(
    belief: float,
    right: Floats,
    wrong: Floats,
    scale: float,
    falling: NDArray[np.int64],
    changes: Floats,
) -> None:
    """Fill in one model's changes: means of equal parts of all cases, the most telling one first.

    ``falling`` are the places of its standardised draws, from the largest to the smallest.
    """
    n_samples = len(changes)
    node = 0
    gain = belief * right[0]
    chance = gain + (1.0 - belief) * wrong[0]
    gain_before = 0.0
    chance_before = 0.0
    before = 0.0
    for s in range(n_samples):
        share = (s + 1) / n_samples
        while chance < share and node + 1 < len(right):
            gain_before = gain
            chance_before = chance
            node += 1
            gain = belief * right[node]
            chance = gain + (1.0 - belief) * wrong[node]
        gained = gain
        if chance >= share:
            slope = (gain - gain_before) / (chance - chance_before)
            gained = gain_before + (share - chance_before) * slope
        changes[falling[s]] = scale * (n_samples * (gained - before) - belief)
        before = gained
