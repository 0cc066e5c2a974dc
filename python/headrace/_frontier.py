"""Cost-quality curves of several strategies, their areas, and the differences between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from headrace._bootstrap import Interval, interval, resampled_means
from headrace._check import as_array, check_floats, check_integer, check_not_negative
from headrace._estimators.protocol import Estimator, fitted_copy
from headrace._forecasts import Forecasts, cost_order
from headrace._log import QueryLog
from headrace._policy import Policy
from headrace._problem import Floats
from headrace._progress import progress_bar
from headrace._rollout import Rollouts, refuse_missing, roll_out
from headrace._router import Router
from headrace._step_prices import find_step_factors, line_around
from headrace._target import LOOKAHEADS, Budget, is_uncertain
from headrace._text_table import text_table
from headrace._tuning import Mixture, meet_each, price_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INTERPOLATION = "linear interpolation"
"""The baseline without estimates: mixtures of single models."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Realised figures of a strategy at ``P`` budgets, for each query of the test log.

    Attributes
    ----------
    query_costs, query_qualities : float64 array of shape (n, P)
        As expected of the policy, which may be a mixture of two.
    query_latencies : float64 array of shape (n, P), or None
    query_models : float64 array of shape (n, P)
        Number of models that ran.
    lookahead : float
        Factor on the uncertainty.
    """

    query_costs: Floats
    query_qualities: Floats
    query_latencies: Floats | None
    query_models: Floats
    lookahead: float = 1.0

    @property
    def costs(self) -> Floats:
        """Mean cost at each budget."""
        return np.asarray(self.query_costs.mean(axis=0))

    @property
    def qualities(self) -> Floats:
        """Mean quality at each budget."""
        return np.asarray(self.query_qualities.mean(axis=0))

    def at(self, cost: float) -> dict[str, float]:
        """Return the mean quality, models per query and latency at a mean cost."""
        costs = self.costs
        order = np.argsort(costs, kind="stable")
        columns = {"quality": self.query_qualities, "models per query": self.query_models}
        if self.query_latencies is not None:
            columns["latency"] = self.query_latencies
        return {
            name: float(np.interp(cost, costs[order], values.mean(axis=0)[order]))
            for name, values in columns.items()
        }


@dataclass(frozen=True, eq=False)
class Frontier:
    """Cost-quality curves on one test log; see :func:`frontier`.

    Attributes
    ----------
    curves : dict of str to Curve
        One for each strategy, and ``"linear interpolation"``: mixtures of the single models on
        their Pareto hull.
    budgets : float64 array of shape (P,)
        Mean costs that were tuned for.
    models : tuple of str
        Names of the single models.
    model_costs, model_qualities : float64 array of shape (k,)
        Their means on the test log. The cheapest and the dearest bound the range of the area.
    seed : int
        Seed of the bootstrap.
    """

    curves: dict[str, Curve]
    budgets: Floats
    models: tuple[str, ...]
    model_costs: Floats
    model_qualities: Floats
    seed: int
    _resampled: dict[int, dict[str, tuple[Floats, Floats]]] = field(
        default_factory=dict, repr=False, init=False
    )

    def auc(self, n_bootstrap: int = 1000) -> dict[str, Interval]:
        """Return the area under each curve, divided by the range of costs.

        The range goes from the cheapest to the dearest single model on the test log. A curve that
        begins later is led to the worst single model's quality at the left end; one that ends
        earlier goes on flat. The intervals resample the test queries, with the range fixed.
        """
        drawn = self.resampled_auc(n_bootstrap)
        return {
            name: interval(self._area(curve.costs[None], curve.qualities[None])[0], drawn[name])
            for name, curve in self.curves.items()
        }

    def resampled_auc(self, n_bootstrap: int = 1000) -> dict[str, Floats]:
        """Return the areas on resampled test queries, each of shape (n_bootstrap,).

        All curves are measured on the same queries, and so are frontiers of the same seed on test
        logs of the same length: differences and means over frontiers have paired intervals.
        """
        return {name: self._area(*drawn) for name, drawn in self._draws(n_bootstrap).items()}

    def differences(self, n_bootstrap: int = 1000) -> dict[tuple[str, str], Interval]:
        """Return the area of each strategy minus that of each that comes after it.

        Intervals are paired: both are measured on the same resampled queries.
        """
        drawn = self.resampled_auc(n_bootstrap)
        areas = {name: value.mean for name, value in self.auc(n_bootstrap).items()}
        return {
            (one, other): interval(areas[one] - areas[other], drawn[one] - drawn[other])
            for one, other in combinations(self.curves, 2)
        }

    def table(self, n_bootstrap: int = 1000) -> str:
        """Return the strategies side by side: area, and figures at half the range of costs."""
        areas = self.auc(n_bootstrap)
        best = max(areas, key=lambda name: areas[name].mean)
        drawn = self.resampled_auc(n_bootstrap)
        half = float(self.model_costs.min() + self.model_costs.max()) / 2.0
        timed = all(curve.query_latencies is not None for curve in self.curves.values())
        head = ["strategy", "AUC %", "95 % interval", f"minus {best}", "quality", "models"]
        rows = [[*head, "latency"] if timed else head]
        for name, curve in self.curves.items():
            area, there = areas[name], curve.at(half)
            gap = interval(area.mean - areas[best].mean, drawn[name] - drawn[best])
            row = [
                name,
                f"{100 * area.mean:.2f}",
                f"{100 * area.low:.2f} to {100 * area.high:.2f}",
                ""
                if name == best
                else f"{100 * gap.mean:+.2f} ({100 * gap.low:+.2f} to {100 * gap.high:+.2f})",
                f"{there['quality']:.4f}",
                f"{there['models per query']:.2f}",
            ]
            rows.append([*row, f"{there['latency']:.3g}"] if timed else row)
        what = "quality, models" + (" and latency" if timed else "")
        return f"{text_table(rows)}\n{what} per query at half the range of costs, {half:.4g}"

    def plot(self, ax: Axes | None = None, n_bootstrap: int = 400) -> Axes:
        """Draw quality against cost, with intervals and the single models (needs matplotlib)."""
        from headrace._frontier_plot import draw

        return draw(self, ax, n_bootstrap)

    def bands(self, name: str, costs: Floats, n_bootstrap: int) -> tuple[Floats, Floats]:
        """Return the interval of a curve's quality at fixed mean costs."""
        drawn_costs, drawn_qualities = self._draws(n_bootstrap)[name]
        order = np.argsort(drawn_costs, axis=1)
        at = np.array(
            [
                np.interp(costs, x[by_cost], y[by_cost])
                for x, y, by_cost in zip(drawn_costs, drawn_qualities, order, strict=True)
            ]
        )
        low, high = np.quantile(at, [0.025, 0.975], axis=0)
        return low, high

    def _draws(self, n_bootstrap: int) -> dict[str, tuple[Floats, Floats]]:
        """Return resampled mean costs and qualities of each curve, (n_bootstrap, P)."""
        n_bootstrap = check_integer("n_bootstrap", n_bootstrap, 2)
        if n_bootstrap not in self._resampled:
            arrays = [
                array
                for curve in self.curves.values()
                for array in (curve.query_costs, curve.query_qualities)
            ]
            means = resampled_means(np.concatenate(arrays, axis=1), n_bootstrap, self.seed)
            parts = np.split(means, np.cumsum([array.shape[1] for array in arrays])[:-1], axis=1)
            self._resampled[n_bootstrap] = {
                name: (parts[2 * i], parts[2 * i + 1]) for i, name in enumerate(self.curves)
            }
        return self._resampled[n_bootstrap]

    def _area(self, costs: Floats, qualities: Floats) -> Floats:
        return area_under_curves(
            costs,
            qualities,
            float(self.model_costs.min()),
            float(self.model_costs.max()),
            float(self.model_qualities.min()),
        )


def frontier(
    estimator: Estimator,
    train: QueryLog,
    test: QueryLog,
    *,
    strategies: Sequence[str] | Mapping[str, Router] = (
        "routing",
        "threshold_cascade",
        "cascade",
        "cascade_routing",
        "index",
    ),
    budgets: ArrayLike | None = None,
    n_budgets: int = 20,
    seed: int = 0,
    progress: bool = False,
) -> Frontier:
    """Measure what strategies give at many budgets: tuned on one log, realised on another.

    Parameters
    ----------
    estimator : Estimator
        A copy is fitted on ``train``, once for all strategies.
    train, test : QueryLog
        Of the same models, with no cell missing. Nothing is fitted or chosen on ``test``.
    strategies : sequence of str, or dict of str to Router
        Strategies by name, with the defaults of :class:`headrace.Router`; or routers that are not
        fitted yet by labels of your own. Their options and estimators are used, which may differ.
    budgets : array-like of shape (P,), optional
        Mean costs to tune for. By default about `n_budgets`, spread evenly over the segments of
        the Pareto hull of the single models on ``train``, and evenly within each.
    n_budgets : int
        At least 2.
    seed : int
        Seed of the bootstrap.
    progress : bool
        Show a progress bar (needs tqdm).

    Returns
    -------
    Frontier
        With ``auc()``, ``differences()``, ``table()`` and ``plot()``.

    Notes
    -----
    Where a router leaves the look-ahead open, it is the factor with the largest area on ``train``.
    A budget that a strategy cannot meet on ``train`` is given the nearest policy.

    Examples
    --------
    >>> import numpy as np
    >>> import headrace as hr
    >>> class Given:
    ...     def fit(self, log):
    ...         return self
    ...     def estimate(self, queries, ran):
    ...         costs = np.tile([1.0, 5.0], (len(queries), 1))
    ...         return hr.Estimates(queries.features, costs)
    >>> expected = np.random.default_rng(0).uniform(size=(200, 2)) * [0.8, 1.0]
    >>> log = hr.QueryLog(expected, [1.0, 5.0], features=expected)
    >>> found = hr.frontier(Given(), log, log, strategies=["routing"])
    >>> {name: round(area.mean, 2) for name, area in found.auc().items()}
    {'linear interpolation': 0.48, 'routing': 0.61}
    """
    if test.models != train.models:
        raise ValueError(
            f"test must have the models of train, {list(train.models)}, got {list(test.models)}"
        )
    for what, log in (("train", train), ("test", test)):
        refuse_missing(f"quality in {what}", log, log.quality)
        refuse_missing(f"cost in {what}", log, log.cost)
    routers = _routers(estimator, strategies)
    targets = _budgets(budgets, check_integer("n_budgets", n_budgets, 2), train)
    order = cost_order(train)
    hull = pareto_hull(test.cost.mean(axis=0), test.quality.mean(axis=0))
    curves = {INTERPOLATION: _single_models(test, hull)}
    known: dict[int, tuple[Forecasts, Forecasts]] = {}
    for label, router in progress_bar(list(routers.items()), progress, "strategies"):
        who = id(router.estimator)
        if who not in known:
            fitted = fitted_copy(router.estimator, train)
            known[who] = tuple(Forecasts(fitted, log.queries, order) for log in (train, test))  # type: ignore[assignment]
        curves[label] = _curve(router, *known[who], train, test, targets)
    return Frontier(
        curves=curves,
        budgets=targets,
        models=test.models,
        model_costs=np.asarray(test.cost.mean(axis=0)),
        model_qualities=np.asarray(test.quality.mean(axis=0)),
        seed=check_integer("seed", seed, 0),
    )


def area_under_curves(
    costs: Floats, qualities: Floats, cheapest: float, dearest: float, worst: float
) -> Floats:
    """Return the mean height between two costs of curves through points, shape (R, P).

    A curve that begins after ``cheapest`` is led there to the quality ``worst``; one that ends
    before ``dearest`` goes on flat (Dekoninck, Baader and Vechev, ICML 2025).
    """
    by_cost = np.lexsort((qualities, costs), axis=1)
    x = np.take_along_axis(costs, by_cost, axis=1)
    y = np.take_along_axis(qualities, by_cost, axis=1)
    late = x[:, :1] > cheapest
    x = np.hstack([np.where(late, cheapest, x[:, :1]), x, np.maximum(x[:, -1:], dearest)])
    y = np.hstack([np.where(late, worst, y[:, :1]), y, y[:, -1:]])
    width = np.diff(x, axis=1)
    slope = np.diff(y, axis=1) / np.where(width > 0.0, width, 1.0)
    left = np.clip(x[:, :-1], cheapest, dearest)
    right = np.clip(x[:, 1:], cheapest, dearest)
    middle = y[:, :-1] + slope * ((left + right) / 2.0 - x[:, :-1])
    area = ((right - left) * middle).sum(axis=1)
    if dearest > cheapest:
        return np.asarray(area / (dearest - cheapest))
    return np.asarray(y.max(axis=1))


def pareto_hull(costs: Floats, qualities: Floats) -> list[int]:
    """Return the models whose mixtures no other mixture beats, from the cheapest to the best."""
    model = int(np.lexsort((-qualities, costs))[0])
    hull = [model]
    while True:
        better = np.flatnonzero(qualities > qualities[model])
        if not len(better):
            return hull
        gains = (qualities[better] - qualities[model]) / (costs[better] - costs[model])
        model = int(better[np.argmax(gains)])
        hull.append(model)


def _routers(
    estimator: Estimator, strategies: Sequence[str] | Mapping[str, Router]
) -> dict[str, Router]:
    if isinstance(strategies, str):
        raise TypeError(f"strategies must be a sequence of names, got the name {strategies!r}")
    if not len(strategies):
        raise ValueError("strategies must name at least one strategy")
    if not isinstance(strategies, Mapping):
        if len(set(strategies)) < len(strategies):
            raise ValueError(f"strategies must be different ones, got {list(strategies)}")
        strategies = {name: Router(estimator, strategy=name) for name in strategies}
    for label, router in strategies.items():
        if not isinstance(router, Router):
            raise TypeError(f"strategies[{label!r}] must be a Router, got {router!r}")
        if label == INTERPOLATION:
            raise ValueError(f"{INTERPOLATION!r} is the label of the baseline: choose another one")
        if router.get_params(deep=False)["lambda_"] is not None:
            raise ValueError(f"strategies[{label!r}] has a fixed lambda_: a frontier looks for it")
        router.policy(1.0)  # a faulty option fails before any work
    return dict(strategies)


def _budgets(given: ArrayLike | None, n_budgets: int, train: QueryLog) -> Floats:
    if given is not None:
        shape = as_array("budgets", given).shape
        if len(shape) != 1 or shape[0] < 1:
            raise ValueError(f"budgets must have shape (P,), at least one, got shape {shape}")
        return np.unique(
            check_not_negative("budgets", check_floats("budgets", given, {"(P,)": shape}))
        )
    costs, qualities = train.cost.mean(axis=0), train.quality.mean(axis=0)
    corners = np.unique([*costs[pareto_hull(costs, qualities)], costs.max()])
    if len(corners) == 1:
        return corners
    each = -(-n_budgets // (len(corners) - 1))
    parts = [
        np.linspace(low, high, each, endpoint=False) for low, high in pairwise(corners.tolist())
    ]
    return np.concatenate([*parts, corners[-1:]])


def _curve(
    router: Router,
    tuning: Forecasts,
    testing: Forecasts,
    train: QueryLog,
    test: QueryLog,
    budgets: Floats,
) -> Curve:
    """Tune a router for all budgets on one log, and roll it out on another."""

    def cost(rollouts: Rollouts) -> Floats:
        return rollouts.summed(train.cost)

    lookaheads = [1.0 if router.lookahead is None else router.lookahead]
    policy = router.policy(lookaheads[0])
    if router.lookahead is None and policy.looks_ahead and is_uncertain(tuning):
        lookaheads = list(LOOKAHEADS)
    best: tuple[float, Policy, Floats] | None = None
    for lookahead in lookaheads:
        policy = router.policy(lookahead)
        line = price_line(tuning, policy, cost, budgets.min(), budgets.max())
        score = 0.0
        if len(lookaheads) > 1:
            rollouts = roll_out(tuning, policy, line)
            means = train.cost.mean(axis=0)
            score = area_under_curves(
                cost(rollouts).mean(axis=1)[None],
                rollouts.answered(train.quality).mean(axis=1)[None],
                float(means.min()),
                float(means.max()),
                float(train.quality.mean(axis=0).min()),
            )[0]
        if best is None or score > best[0]:
            best = score, policy, line
    assert best is not None
    _, policy, line = best
    mixtures = meet_each(tuning, policy, cost, budgets.tolist(), line)
    policies = [policy] * len(mixtures)
    if router.per_step:
        for i, budget in enumerate(budgets.tolist()):
            aim = Budget(budget, train).aim()
            price = mixtures[i].cheap.price
            policies[i] = find_step_factors(tuning, policy, aim, price)
            if policies[i].step_factors != policy.step_factors:
                near = line_around(policies[i], price)
                [mixtures[i]] = meet_each(tuning, policies[i], cost, [budget], near)
    rollouts, weights = _rolled_out(testing, policies, mixtures)
    return curve_of(test, rollouts, weights, policy.lookahead)


def curve_of(log: QueryLog, rollouts: Rollouts, weights: Floats, lookahead: float) -> Curve:
    """Return the curve of rollouts on a log; ``weights`` of shape (L, P) mix them."""
    return Curve(
        query_costs=rollouts.summed(log.cost).T @ weights,
        query_qualities=rollouts.answered(log.quality).T @ weights,
        query_latencies=None if log.latency is None else rollouts.summed(log.latency).T @ weights,
        query_models=rollouts.steps.T @ weights,
        lookahead=lookahead,
    )


def _rolled_out(
    forecasts: Forecasts, policies: Sequence[Policy], mixtures: Sequence[Mixture]
) -> tuple[Rollouts, Floats]:
    """Roll all policies, which differ in nothing but their prices, out at once.

    The weights, of shape (L, P), are what each mixture has of each rollout.
    """
    n_steps = max(len(policy.step_factors) for policy in policies)
    prices, shares, columns = [], [], []
    for column, (policy, mixture) in enumerate(zip(policies, mixtures, strict=True)):
        for point, share in ((mixture.cheap, mixture.gamma), (mixture.dear, 1.0 - mixture.gamma)):
            by_step = policy.prices(np.array([point.price]))[0]
            prices.append(np.pad(by_step, (0, n_steps - len(by_step)), mode="edge"))
            shares.append(share)
            columns.append(column)
    different, place = np.unique(prices, axis=0, return_inverse=True)
    weights = np.zeros((len(different), len(mixtures)))
    for i, column, share in zip(place.reshape(-1).tolist(), columns, shares, strict=True):
        weights[i, column] += share
    return roll_out(forecasts, policies[0], different), weights


def _single_models(log: QueryLog, models: list[int]) -> Curve:
    return Curve(
        query_costs=log.cost[:, models],
        query_qualities=log.quality[:, models],
        query_latencies=None if log.latency is None else log.latency[:, models],
        query_models=np.ones((log.n_queries, len(models))),
    )
