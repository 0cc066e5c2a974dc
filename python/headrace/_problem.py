"""The checked problem that every backend solves.

Shapes are written with ``n`` queries, ``k`` models and ``S`` samples; rows are queries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrace._reveals import Reveals

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Numbers = Floats | list[float]
"""Of one query. A list stays one: to make an array of it may take as long as to decide."""

TIE_TOLERANCE = 1e-9
"""Tradeoffs this close to the best one tie."""

MAX_ENUMERATED = 2**20
"""Most supermodels that an enumerating search visits for one query."""


@dataclass(frozen=True)
class Problem:
    """Arrays and options after the check; all floats are C-contiguous float64.

    Parameters
    ----------
    qualities : array of shape (n, k)
    costs : array of shape (n, k) or (1, k); one row serves all queries
    lambda_ : array of shape (n,) or (1,)
    sigmas : array of shape (n, k) or (1, k), or None
    factor : array of shape (n, k, k) or (1, k, k), or None
        Lower Cholesky factor of the covariance.
    ran : bool array of shape (n, k), or None
    samples : array of shape (k, S), or None where nothing is uncertain
        Standardised draws, one row per model.
    max_models : int
        Most models in a supermodel, between 1 and k (``max_depth``).
    reveals : Reveals, or None
        In place of normal changes with ``sigmas``.
    """

    qualities: Floats
    costs: Floats
    lambda_: Floats
    sigmas: Floats | None
    factor: Floats | None
    ran: Bools | None
    samples: Floats | None
    strategy: str
    search: str
    max_models: int
    fixed_order: bool
    ties: str
    node_limit: int | None
    time_limit: float | None
    reveals: Reveals | None = None

    @property
    def n_queries(self) -> int:
        """Number of queries, ``n``."""
        return int(self.qualities.shape[0])

    @property
    def n_models(self) -> int:
        """Number of models, ``k``."""
        return int(self.qualities.shape[1])

    @property
    def n_samples(self) -> int:
        """Number of samples, ``S``; one where nothing is uncertain."""
        return 1 if self.samples is None else int(self.samples.shape[1])
