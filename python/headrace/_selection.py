"""The answer to a batch of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HUGE_PAGE = 2**21
"""NumPy asks for pages of so many bytes, where the system has them, for arrays of two or more.

A page fault costs as much as deciding several queries by their estimates alone.
"""


def _room(size: int, dtype: type[Any]) -> NDArray[Any]:
    """Return an array of numbers that are yet to be written, on huge pages where that is worth it.

    It begins where such a page does; what is allocated around it is never touched.
    """
    n_bytes = size * np.dtype(dtype).itemsize
    if n_bytes < HUGE_PAGE // 4:
        return np.empty(size, dtype)
    memory = np.empty(n_bytes + 2 * HUGE_PAGE, np.uint8)
    start = -memory.ctypes.data % HUGE_PAGE
    return memory[start : start + n_bytes].view(dtype)


@dataclass(frozen=True, eq=False)
class Selection:
    """What to run next for each of ``n`` queries, and why.

    Attributes
    ----------
    next_model : int64 array of shape (n,)
        Index of the model to run next; -1 means stop and answer with what has run.
    supermodel : bool array of shape (n, k)
        The chosen set of models; it contains every model that has run.
    tradeoff : float64 array of shape (n,)
        ``quality - lambda_ * cost`` of the supermodel.
    quality : float64 array of shape (n,)
        Expected quality of the best answer of the supermodel, in the unit of the estimates.
    cost : float64 array of shape (n,)
        Cost still to be paid for the supermodel; models that have run are sunk and cost nothing.
    upper_bound : float64 array of shape (n,)
        No admissible choice has a higher tradeoff. For ``strategy="index"`` no policy, adaptive
        or not, has a higher expected net value. Includes an allowance for rounding.
    optimal : bool array of shape (n,)
        Whether the choice is proven best.
    nodes : int64 array of shape (n,)
        Nodes of the search tree whose bound was computed by ``search="exact"``; 0 where nothing
        was searched. Not part of the decision: backends may differ.
    """

    next_model: NDArray[np.int64]
    supermodel: NDArray[np.bool_]
    tradeoff: NDArray[np.float64]
    quality: NDArray[np.float64]
    cost: NDArray[np.float64]
    upper_bound: NDArray[np.float64]
    optimal: NDArray[np.bool_]
    nodes: NDArray[np.int64]

    @classmethod
    def unwritten(cls, n_queries: int, n_models: int) -> Selection:
        """Return a selection of which a backend writes every number."""
        numbers = _room(4 * n_queries, np.float64).reshape(4, n_queries)
        integers = _room(2 * n_queries, np.int64).reshape(2, n_queries)
        return cls(
            integers[0],
            _room(n_queries * n_models, np.bool_).reshape(n_queries, n_models),
            numbers[0],
            numbers[1],
            numbers[2],
            numbers[3],
            np.empty(n_queries, np.bool_),
            integers[1],
        )

    @classmethod
    def empty(cls, n_queries: int, n_models: int) -> Selection:
        """Return a selection whose arrays a backend fills in."""
        return cls(
            next_model=np.full(n_queries, -1, dtype=np.int64),
            supermodel=np.zeros((n_queries, n_models), dtype=np.bool_),
            tradeoff=np.zeros(n_queries),
            quality=np.zeros(n_queries),
            cost=np.zeros(n_queries),
            upper_bound=np.zeros(n_queries),
            optimal=np.zeros(n_queries, dtype=np.bool_),
            nodes=np.zeros(n_queries, dtype=np.int64),
        )
