"""How a signal changes the belief in its answer: nodes of its log-likelihood ratio.

The chance of each node is kept if the answer is right and if it is wrong. The ratio of the two
*is* the node's ratio, so that what is expected after looking is what was expected before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from headrace._estimators._calibration import logit, sigmoid
from headrace._log import Integers
from headrace._problem import Floats
from headrace._reveals import Reveals
from headrace._state import Array, Kind

N_NODES = 24
SMALLEST_GROUP = 60
GRID = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, eq=False)
class RevealNodes:
    """Chances of the nodes of each group and model, highest ratio first, shape (G + 1, k, T)."""

    right: Floats
    wrong: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "right": Array("f", ("g + 1", "k", "t")),
        "wrong": Array("f", ("g + 1", "k", "t")),
    }

    @classmethod
    def of(cls, ratios: Floats, codes: Integers, n_groups: int, prior: Floats) -> RevealNodes:
        """Return the nodes of log-ratios (n, k) of training rows; NaN where missing."""
        k = ratios.shape[1]
        right = np.full((n_groups + 1, k, N_NODES), 1.0 / N_NODES)
        wrong = right.copy()
        place = (np.arange(N_NODES) + 0.5) / N_NODES
        odds = logit(prior)
        for group in range(n_groups, -1, -1):
            rows = codes == group if group < n_groups else np.full(len(codes), True)
            for i in range(k):
                some = rows & ~np.isnan(ratios[:, i])
                if group < n_groups and some.sum() < SMALLEST_GROUP:
                    right[group, i], wrong[group, i] = right[-1, i], wrong[-1, i]
                    continue
                if not some.any():
                    continue
                d = ratios[some, i]
                nodes = np.quantile(d, place)[::-1]
                p = sigmoid(nodes + _level(d, odds[some, i]))
                right[group, i] = p / p.sum()
                wrong[group, i] = (1.0 - p) / (1.0 - p).sum()
        return cls(right, wrong)

    def spread(self, beliefs: Floats, codes: Integers) -> Floats:
        """Return the spread of the change for beliefs (n, k) of queries of these groups."""
        place = beliefs * (len(GRID) - 1)
        low = np.minimum(place.astype(int), len(GRID) - 2)
        cells = codes[:, None], np.arange(beliefs.shape[1])
        left, right = self.spreads[(*cells, low)], self.spreads[(*cells, low + 1)]
        spread: Floats = left + (place - low) * (right - left)
        return spread

    @cached_property
    def spreads(self) -> Floats:
        """Return the spread of the change for each belief in ``GRID``, (G + 1, k, 201)."""
        p = GRID[:, None]
        chance = p * self.right[:, :, None] + (1.0 - p) * self.wrong[:, :, None]
        after = p * self.right[:, :, None] / np.maximum(chance, 1e-300)
        spreads: Floats = np.sqrt((chance * (after - p) ** 2).sum(axis=3))
        return spreads

    def of_queries(self, codes: Integers) -> Reveals:
        """Return what may be revealed of queries of these groups."""
        return Reveals(*self.summed, codes)

    @cached_property
    def summed(self) -> tuple[Floats, Floats]:
        """Return the chances of the nodes up to each."""
        return self.right.cumsum(axis=2), self.wrong.cumsum(axis=2)


def _level(ratios: Floats, odds: Floats) -> float:
    """Return the log-odds at which nodes of these ratios are right as often as expected."""
    mean = float(sigmoid(odds).mean())
    low, high = -30.0, 30.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if float(sigmoid(ratios + middle).mean()) < mean:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
