"""How the belief in an answer changes when its model runs, where that change is far from normal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDING = 1e-9
"""Of chances, which are sums, around 0 to 1."""
LARGEST_PRICE = 1e100
"""A price beyond this buys no look, however much it may reveal."""


@dataclass(frozen=True, eq=False)
class Reveals:
    """Distribution of the probability that an answer is right, once its model has run.

    A run shows one of ``T`` nodes, the most telling first. Of an answer that is right with
    probability q, the nodes up to t show with probability ``q right_t + (1 - q) wrong_t``, and it
    is then right, and they show, with probability ``q right_t``. So what is expected of the
    probability after the run is q, whatever the nodes. The points ``(wrong_t, right_t)`` are the
    ROC curve of the signal.

    Attributes
    ----------
    right, wrong : float64 array of shape (g, k, T)
        Chance that one of the nodes up to t shows if the answer is right, and if it is wrong; for
        each of ``g`` groups of queries. The last are 1. The same in all the estimates of a fit.
    group : int64 array of shape (n,)
        The group of each query.
    scale : float
        Factor on the change, as a look-ahead has it.
    """

    right: Floats
    wrong: Floats
    group: Integers
    scale: float = 1.0

    def like(self, other: Reveals) -> bool:
        """Say whether the nodes and the scale are the same."""
        return self.scale == other.scale and all(
            one is two or np.array_equal(one, two)
            for one, two in ((self.right, other.right), (self.wrong, other.wrong))
        )

    def rows(self, chosen: NDArray[np.generic]) -> Reveals:
        """Return those of the queries at these positions, or where a mask is true."""
        return replace(self, group=self.group[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Reveals]) -> Reveals:
        """Put the queries of several one after the other; they share their nodes."""
        return replace(parts[0], group=np.concatenate([part.group for part in parts]))

    def in_order(self, order: Integers) -> Reveals:
        """Return those of the models in an order."""
        right, wrong = self.right[:, order], self.wrong[:, order]
        return replace(self, right=np.ascontiguousarray(right), wrong=np.ascontiguousarray(wrong))

    def scaled(self, factor: float) -> Reveals:
        """Return the same with the change times a factor."""
        return replace(self, scale=self.scale * factor)

    def reservation_values(self, qualities: Floats, prices: Floats) -> Floats:
        """Solve E[(X - z)+] = price for z, X being the belief after the run.

        Parameters
        ----------
        qualities : float64 array of shape (n, k)
            Beliefs before.
        prices : float64 array of shape (n, k)
            ``lambda_`` times the cost of the run.

        Notes
        -----
        E[(X - z)+] is convex and piecewise linear in z, and the highest of its pieces' roots is its
        own.
        """
        without: Floats = qualities - prices
        if self.scale == 0.0:
            return without
        price = prices / self.scale
        best = np.full(qualities.shape, -np.inf)
        with np.errstate(over="ignore"):
            for gain, chance in self._nodes(qualities):
                np.maximum(best, (gain - price) / chance, out=best)
        return np.where(
            price <= LARGEST_PRICE, qualities + self.scale * (best - qualities), without
        )

    def excess(self, qualities: Floats, levels: Floats) -> Floats:
        """Return E[(X - level)+], shape (n, k); levels of shape (n, 1)."""
        if self.scale == 0.0:
            return np.maximum(qualities - levels, 0.0)
        level = qualities + (levels - qualities) / self.scale
        best = np.zeros(qualities.shape)
        for gain, chance in self._nodes(qualities):
            np.maximum(best, gain - level * chance, out=best)
        return self.scale * best

    def _nodes(self, qualities: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Yield the chances of each node or one before: with a right answer, and at all."""
        for node in range(self.right.shape[2]):
            gain = qualities * self.right[self.group, :, node]
            chance = gain + (1.0 - qualities) * self.wrong[self.group, :, node]
            yield gain, np.maximum(chance, 1e-300)
