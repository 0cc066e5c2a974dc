"""Small estimators and logs for the tests of routers, and a rollout in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import headrace as hr
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Blend:
    """Before the run a feature, after it the mean of feature and signal; independent models.

    Features hold the ex-ante quality of each model, then its cost. With ``spread`` the sigmas are
    the query's own.
    """

    def __init__(self, sigma: float | None = 0.2, spread: bool = False) -> None:
        self.sigma = sigma
        self.spread = spread
        self.asked: list[tuple[int, int]] = []

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"sigma": self.sigma, "spread": self.spread}

    def set_params(self, **params: Any) -> Blend:
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, log: hr.QueryLog) -> Blend:
        return self

    def estimate(self, queries: hr.Queries, ran: Sequence[int]) -> hr.Estimates:
        assert queries.features is not None
        assert list(ran) == sorted(ran)
        k = queries.n_models
        self.asked += [(int(row), len(ran)) for row in queries.index]
        qualities = queries.features[:, :k].copy()
        if len(ran):
            assert queries.signals is not None
            seen = queries.signals[:, list(ran), 0]
            assert not np.isnan(seen).any()
            qualities[:, list(ran)] = (qualities[:, list(ran)] + seen) / 2.0
        costs = queries.features[:, k : 2 * k]
        if self.sigma is None:
            return hr.Estimates(qualities, costs)
        sigmas = np.full(qualities.shape, self.sigma)
        if self.spread:
            sigmas *= 1.0 + np.abs(queries.features[:, :k].max(axis=1, keepdims=True))
        sigmas[:, list(ran)] = 0.0
        return hr.Estimates(qualities, costs, sigmas if self.spread else sigmas[0])


class Joint:
    """Jointly Gaussian signals with unit noise, so that each answer updates all models."""

    def __init__(self, correlation: float = 0.5, scale: float = 0.3) -> None:
        self.correlation = correlation
        self.scale = scale

    def fit(self, log: hr.QueryLog) -> Joint:
        return self

    def estimate(self, queries: hr.Queries, ran: Sequence[int]) -> hr.Estimates:
        assert queries.features is not None
        k = queries.n_models
        prior = self.scale**2 * (
            self.correlation * np.ones((k, k)) + (1.0 - self.correlation) * np.eye(k)
        )
        run = list(ran)
        noise = self.scale**2
        mean = queries.features[:, :k].copy()
        posterior = prior
        if run:
            assert queries.signals is not None
            gain = np.linalg.solve(prior[np.ix_(run, run)] + noise * np.eye(len(run)), prior[run])
            mean += (queries.signals[:, run, 0] - queries.features[:, run]) @ gain
            posterior = prior - prior[:, run] @ gain
        left = [i for i in range(k) if i not in run]
        covariance = np.zeros((k, k))
        block = posterior[np.ix_(left, left)]
        covariance[np.ix_(left, left)] = block @ np.linalg.solve(
            block + noise * np.eye(len(left)), block
        )
        return hr.Estimates(mean, queries.features[:, k : 2 * k], covariance=covariance)


def make_log(
    n: int, k: int, seed: int, *, on_grid: bool = False, labelled: bool = True
) -> hr.QueryLog:
    """Draw a log for the estimators above; on a grid there are many ties."""
    rng = np.random.default_rng(seed)
    base = rng.permutation(np.geomspace(0.1, 3.0, k))
    costs = base * rng.uniform(0.7, 1.3, (n, k))
    ante = 0.4 + 0.1 * np.log(base) + rng.normal(0.0, 0.3, (n, k))
    truth = ante + rng.normal(0.0, 0.3, (n, k))
    signals = truth + rng.normal(0.0, 0.1, (n, k))
    if on_grid:
        ante, signals = np.round(ante * 4) / 4, np.round(signals * 4) / 4
        costs = np.maximum(np.round(costs * 4), 1.0) / 4
    expected = costs if on_grid else costs * rng.uniform(0.9, 1.1, (n, k))
    return hr.QueryLog(
        truth if labelled else np.full((n, k), np.nan),
        costs,
        features=np.hstack([ante, expected]),
        signals=signals,
        latency=costs * 2.0,
        models=[f"model {chr(97 + i)}" for i in range(k)],
        groups=np.where(np.arange(n) % 3 == 0, "x", "y"),
    )


def permuted(log: hr.QueryLog, order: Sequence[int]) -> hr.QueryLog:
    """Return the log with its models, and what the features say of them, in another order."""
    k = log.n_models
    assert log.queries.features is not None
    columns = [*order, *(k + i for i in order)]
    return log.subset(models=list(order)).with_observed(features=log.queries.features[:, columns])


def plain_rollout(
    estimator: hr.Estimator,
    log: hr.QueryLog,
    row: int,
    price: float,
    *,
    strategy: str,
    lookahead: float = 1.0,
    ties: str = "cheapest",
    max_depth: int | None = None,
    order: Sequence[int] | None = None,
    **options: Any,
) -> tuple[list[int], int]:
    """Roll one query out, decision by decision: the models in turn, and whose answer is given."""
    k = log.n_models
    order = list(np.argsort(log.cost.mean(axis=0), kind="stable")) if order is None else order
    one = log.queries.rows([row])
    path: list[int] = []
    while True:
        given = estimator.estimate(one, sorted(path))
        most = k if max_depth is None else max_depth
        if strategy == "threshold_cascade":
            if path and (given.qualities[0, path[-1]] >= price or len(path) >= min(most, k)):
                return path, path[-1]
            path.append(int(order[len(path)]))
            continue
        chosen = -1
        if len(path) < k:
            given = given.scaled(lookahead)
            sigmas, covariance = given.sigmas, given.covariance
            if strategy == "index" and covariance is not None:
                sigmas, covariance = np.sqrt(np.diag(covariance)), None
            if sigmas is not None:
                sigmas = sigmas[..., order]
            if covariance is not None:
                covariance = covariance[np.ix_(order, order)]
            ran = np.isin(order, path)[None]
            selection = hr.batch_select(
                given.qualities[:, order],
                given.costs[:, order],
                price,
                sigmas=sigmas,
                covariance=covariance,
                ran=ran,
                strategy=strategy,
                max_depth=max_depth,
                ties=ties,
                **options,
            )
            chosen = int(selection.next_model[0])
        if chosen < 0:
            best = max(path, key=lambda i: (given.qualities[0, i], -list(order).index(i)))
            return path, best
        path.append(int(order[chosen]))
