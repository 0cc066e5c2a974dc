"""The answer to a batch of queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
        n = n_queries
        return cls(
            np.empty(n, np.int64),
            np.empty((n, n_models), np.bool_),
            np.empty(n),
            np.empty(n),
            np.empty(n),
            np.empty(n),
            np.empty(n, np.bool_),
            np.empty(n, np.int64),
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
