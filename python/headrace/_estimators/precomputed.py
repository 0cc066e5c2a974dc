"""Estimates that the user brings along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import as_array, check_floats, check_not_negative
from headrace._covariance import lower_cholesky
from headrace._estimators.base import run_set
from headrace._estimators.check import Checked
from headrace._estimators.protocol import Estimates
from headrace._log import Integers, Queries, QueryLog
from headrace._problem import Floats
from headrace._state import Kind, Parameter


class PrecomputedEstimator(Checked):
    """The user's own estimates, a row for each row of the log.

    A query finds its row by ``queries.index``, its row in the log that it comes from first, so that
    splits and subsets of rows keep working. Nothing is learned.

    Parameters
    ----------
    qualities : array-like of shape (n, k)
        Estimates before any model has run.
    costs : array-like of shape (n, k) or (k,)
        Expected cost of running each model, not negative.
    sigmas : array-like of shape (k,) or (n, k), optional
        Standard deviation of the change that running a model brings to its estimate. Without it
        (and without a covariance) the estimates count as certain.
    covariance : array-like of shape (k, k), optional
        Covariance of these changes; excludes `sigmas`.
    post : array-like of shape (n, k), optional
        Estimates after the model has run; NaN where it never ran, which is refused only when asked
        for. By default an estimate stays as it was.

    Notes
    -----
    A run changes the estimate of that model alone, and its uncertainty becomes 0; the others keep
    theirs, also with a covariance.

    Examples
    --------
    >>> import headrace as hr
    >>> log = hr.QueryLog([[0.0, 1.0], [1.0, 1.0]], [0.1, 2.0])
    >>> estimator = hr.PrecomputedEstimator(
    ...     [[0.4, 0.9], [0.6, 0.9]], [0.1, 2.0], sigmas=[0.3, 0.1], post=[[0.1, 0.9], [0.8, 0.9]]
    ... ).fit(log)
    >>> second = log.queries.rows([1])
    >>> estimates = estimator.estimate(second, [0])
    >>> estimates.qualities.tolist(), estimates.sigmas.tolist()
    ([[0.8, 0.9]], [0.0, 0.1])
    """

    STATE: ClassVar[dict[str, Kind]] = {
        "qualities": Parameter(),
        "costs": Parameter(),
        "sigmas": Parameter(),
        "covariance": Parameter(),
        "post": Parameter(),
    }

    def __init__(
        self,
        qualities: ArrayLike,
        costs: ArrayLike,
        sigmas: ArrayLike | None = None,
        covariance: ArrayLike | None = None,
        post: ArrayLike | None = None,
    ) -> None:
        shape = as_array("qualities", qualities).shape
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"qualities must have shape (n, k), at least (1, 1), got {shape}")
        n, k = shape
        each: dict[str, tuple[int, ...]] = {"(n, k)": (n, k)}
        shared: dict[str, tuple[int, ...]] = {"(k,)": (k,)}
        self.qualities = check_floats("qualities", qualities, each).copy()
        self.costs = check_not_negative("costs", check_floats("costs", costs, each | shared)).copy()
        if sigmas is not None and covariance is not None:
            raise ValueError("sigmas and covariance exclude each other: give one of them")
        self.sigmas: Floats | None = None
        if sigmas is not None:
            self.sigmas = check_not_negative(
                "sigmas", check_floats("sigmas", sigmas, each | shared)
            ).copy()
        self.covariance: Floats | None = None
        if covariance is not None:
            self.covariance = check_floats("covariance", covariance, {"(k, k)": (k, k)}).copy()
            lower_cholesky(self.covariance[None])
        self.post: Floats | None = None
        if post is not None:
            given = as_array("post", post)
            absent = np.isnan(given) if given.dtype.kind == "f" else np.zeros(given.shape, bool)
            after = check_floats("post", np.where(absent, given.dtype.type(0), given), each)
            after[absent] = np.nan
            self.post = after

    def fit(self, log: QueryLog) -> PrecomputedEstimator:
        """Check that there is an estimate for every row and model; return the estimator."""
        self._places(log.queries)
        return self

    def estimate(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Return the rows of these queries, with the estimates after a run for those of ``ran``."""
        rows, run = self._places(queries), run_set(ran, queries.n_models).tolist()
        qualities = self.qualities[rows]
        if self.post is not None:
            after = self.post[rows][:, run]
            absent = np.isnan(after)
            if absent.any():
                query, model = np.argwhere(absent)[0]
                raise ValueError(
                    f"post is NaN at index {(int(rows[query]), run[model])}, where it is needed"
                )
            qualities[:, run] = after
        costs = self.costs[rows] if self.costs.ndim == 2 else np.tile(self.costs, (len(rows), 1))
        sigmas, covariance = self.sigmas, self.covariance
        if sigmas is not None:
            sigmas = sigmas[rows] if sigmas.ndim == 2 else sigmas.copy()
            sigmas[..., run] = 0.0
        if covariance is not None:
            covariance = covariance.copy()
            covariance[run] = 0.0
            covariance[:, run] = 0.0
        return Estimates(qualities, costs, sigmas, covariance)

    def _places(self, queries: Queries) -> Integers:
        n, k = self.qualities.shape
        if queries.n_models != k:
            raise ValueError(f"there are estimates of {k} models, got {queries.n_models}")
        outside = np.flatnonzero((queries.index < 0) | (queries.index >= n))
        if len(outside):
            raise ValueError(
                f"query {int(outside[0])} comes from row {int(queries.index[outside[0]])} of its "
                f"log, and there are estimates of {n} rows"
            )
        return queries.index
