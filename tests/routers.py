"""Small estimators and logs for the tests of routers, and a rollout in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import headrace as hr
import numpy as np
import oracle
from headrace._check import check_samples
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


class Telling:
    """Beliefs that change by what a run shows, one of three nodes; independent models.

    Features hold the belief before and the cost; of the sign of the signal it is told which node.
    """

    right = np.array([0.5, 0.4, 0.1])
    wrong = np.array([0.1, 0.3, 0.6])

    def fit(self, log: hr.QueryLog) -> Telling:
        return self

    def estimate(self, queries: hr.Queries, ran: Sequence[int]) -> hr.Estimates:
        assert queries.features is not None
        n, k = len(queries), queries.n_models
        beliefs = 1.0 / (1.0 + np.exp(-queries.features[:, :k]))
        if len(ran):
            assert queries.signals is not None
            node = np.digitize(queries.signals[:, list(ran), 0], [-0.5, 0.5])
            right = beliefs[:, list(ran)] * self.right[node]
            wrong = (1.0 - beliefs[:, list(ran)]) * self.wrong[node]
            beliefs[:, list(ran)] = right / (right + wrong)
        sharper = np.array([[0.8, 0.1, 0.1], [0.05, 0.15, 0.8]])
        tables = np.array([[self.right, sharper[0]], [self.wrong, sharper[1]]])
        chances = np.repeat(tables.cumsum(axis=2)[:, :, None], k, axis=2)
        spread = np.full((n, k), 0.2)
        spread[:, list(ran)] = 0.0
        return hr.Estimates(
            beliefs,
            queries.features[:, k : 2 * k],
            spread,
            reveals=hr.Reveals(chances[0], chances[1], queries.index % 2),
        )


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
    price: float | Sequence[float],
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
    prices = np.atleast_1d(price)
    while True:
        price = float(prices[min(len(path), len(prices) - 1)])
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
            if strategy == "index" and given.reveals is not None:
                chosen = chosen_by_reveals(given, order, path, price, ties)
                if chosen < 0:
                    return path, max(path, key=lambda i: (given.qualities[0, i], -order.index(i)))
                path.append(int(order[chosen]))
                continue
            sigmas, covariance, samples = given.sigmas, given.covariance, None
            if given.reveals is not None:
                drawn = check_samples(None, options["n_samples"], options.get("seed", 0), k)
                samples = changes_of_all(given.reveals, 0, given.qualities[0], path, drawn, order)
                sigmas = np.ones((1, k))
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
                samples=samples,
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


def chosen_by_reveals(
    given: hr.Estimates, order: Sequence[int], path: Sequence[int], price: float, ties: str
) -> int:
    """Return the position that the index rule runs next, or -1, by the definition."""
    assert given.reveals is not None
    revealed = max((float(given.qualities[0, i]) for i in path), default=-np.inf)
    options = [(revealed, 0.0, -1)] if len(path) else []
    for position, i in enumerate(order):
        if i not in path:
            belief, cost = float(given.qualities[0, i]), float(given.costs[0, i])
            values, chances = nodes_of(given.reveals, 0, int(i), belief)
            options.append((oracle.value_of_nodes(values, chances, price * cost), cost, position))
    best = max(value for value, _, _ in options)
    sign = 1.0 if ties == "cheapest" else -1.0
    tied = [(sign * cost, position) for value, cost, position in options if value >= best - 1e-9]
    return min(tied)[1]


def nodes_of(
    reveals: hr.Reveals, row: int, model: int, belief: float
) -> tuple[list[float], list[float]]:
    """Return what a run may reveal of a belief, and how likely."""
    right, wrong = (
        np.diff(table[reveals.group[row], model], prepend=0.0)
        for table in (reveals.right, reveals.wrong)
    )
    chance = belief * right + (1.0 - belief) * wrong
    shown = chance > 0.0
    after = belief * right[shown] / chance[shown]
    return (belief + reveals.scale * (after - belief)).tolist(), chance[shown].tolist()


def changes_of(
    reveals: hr.Reveals, row: int, model: int, belief: float, drawn: NDArray[np.float64]
) -> list[float]:
    """Cut what a run may reveal into equal parts, by exact fractions, the most telling first.

    The largest of the draws takes the first part.
    """
    values, chances = nodes_of(reveals, row, model, belief)
    left = [[Fraction(v), Fraction(c)] for v, c in zip(values, chances, strict=True)]
    left[-1][1] = Fraction(2)  # whatever rounding has left of the chances
    n_samples = len(drawn)
    changes = [0.0] * n_samples
    for s in sorted(range(n_samples), key=lambda s: -drawn[s]):
        wanted, part = Fraction(1, n_samples), Fraction(0)
        while wanted:
            taken = min(wanted, left[0][1])
            part += taken * left[0][0]
            wanted, left[0][1] = wanted - taken, left[0][1] - taken
            if not left[0][1]:
                left.pop(0)
        changes[s] = float(part * n_samples) - belief
    return changes


def changes_of_all(
    reveals: hr.Reveals,
    row: int,
    beliefs: NDArray[np.float64],
    ran: Sequence[int],
    drawn: NDArray[np.float64],
    order: Sequence[int],
) -> NDArray[np.float64]:
    """Return the changes of the models in an order, (k, S), whose draws these are."""
    changes = np.zeros(drawn.shape)
    for place, i in enumerate(order):
        if i not in ran:
            changes[place] = changes_of(reveals, row, i, float(beliefs[i]), drawn[place])
    return changes
