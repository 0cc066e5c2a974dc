"""The RouterBench protocol of the paper: true qualities seen through Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from zlib import crc32

import numpy as np

from headrace._check import check_flag, check_integer, check_name, check_not_negative
from headrace._estimators._parameters import Parameters
from headrace._estimators.base import run_set
from headrace._estimators.check import Checked
from headrace._estimators.protocol import Estimates
from headrace._log import Queries, QueryLog
from headrace._problem import Floats
from headrace._state import Array, Kind, Parameter, Value

LEVELS: dict[str, tuple[float, float, float]] = {
    "low": (0.6, 0.3, 2e-4),
    "medium": (1.6, 0.8, 4e-4),
    "high": (2.4, 1.2, 100.0),
}
"""Deviation of the noise on the quality before and after a run, and on the cost before it."""


def add_noise(
    log: QueryLog, level: str | tuple[float, float, float] = "low", *, seed: int = 0
) -> QueryLog:
    """Let every model's quality and cost be seen through noise, as the paper does on RouterBench.

    The noise of a cell depends on the seed, the model's name and the query's row in the log that it
    comes from first, and on nothing else: models and rows may be chosen before or after.

    Parameters
    ----------
    log : QueryLog
        Without missing cells; its own features and signals are replaced.
    level : {"low", "medium", "high"} or tuple of three floats
        Standard deviations of the noise on the quality before a model has run, on the quality after
        it, and on the cost before it. The names are the paper's levels, costs in USD: (0.6, 0.3,
        2e-4), (1.6, 0.8, 4e-4) and (2.4, 1.2, 100).
    seed : int
        Not negative.

    Returns
    -------
    QueryLog
        The log with features of shape (n, 2 k), the noisy qualities and then the noisy costs before
        a run, and signals of shape (n, k, 1), the noisy qualities after it.

    References
    ----------
    J. Dekoninck, M. Baader, M. Vechev (2025), A Unified Approach to Routing and Cascading for LLMs,
    ICML, section 5.1 and appendix D.1.

    Examples
    --------
    >>> import headrace as hr
    >>> log = hr.QueryLog([[0.0, 1.0], [1.0, 1.0]], [1e-4, 2e-3])
    >>> noisy = hr.add_noise(log, "low", seed=1)
    >>> noisy.queries.features.shape, noisy.queries.signals.shape
    ((2, 4), (2, 2, 1))
    """
    deviations = _level(level)
    _refuse_missing_cells(log, "add_noise")
    index = log.queries.index
    seed = check_integer("seed", seed, 0)
    # One stream a model, three draws a row: a longer log has the draws of a shorter one.
    noise = np.stack(
        [
            np.random.default_rng([seed, crc32(name.encode())]).standard_normal(
                (int(index.max()) + 1, 3)
            )[index]
            for name in log.models
        ],
        axis=1,
    )
    return seen_through(log, deviations, noise)


def seen_through(log: QueryLog, deviations: tuple[float, float, float], noise: Floats) -> QueryLog:
    """Return the log with what is seen of it through standard normal draws, (n, k, 3).

    Draws and deviations are of the quality before a run, that after it, and the cost.
    """
    before, after, price = np.moveaxis(np.asarray(deviations) * noise, 2, 0)
    return log.with_observed(
        features=np.hstack([log.quality + before, log.cost + price]), signals=log.quality + after
    )


class NoisyEstimator(Parameters, Checked):
    """The paper's estimator for RouterBench: a linear map of each noisy number to the truth.

    For every model, three maps by least squares: quality from the noisy quality before a run,
    quality from the noisy quality after it, cost from the noisy cost. The uncertainty is the
    standard deviation of the estimate after minus the estimate before, one for each model.

    With the defaults this is the protocol as the paper describes it, without its leak. Then the
    estimate after a run ignores the one before it, so that it is *not* what was expected before
    plus a change of mean zero: the stated uncertainty overvalues exploration. ``fuse`` mends that.

    Parameters
    ----------
    fuse : bool
        Map both noisy qualities to the quality after a run. The change is then uncorrelated with
        the estimate before it and has mean zero on the training rows. Not in the paper.
    variance_as_deviation : bool
        State the variance as if it were the standard deviation, as the paper's released code does
        on RouterBench. For qualities in [0, 1] this is too little uncertainty.
    calibrate_on : QueryLog, optional
        Fit maps and uncertainty on this log in place of the training log. The paper calibrates on
        all rows, test rows included; ``calibrate_on`` with the whole log reproduces that leak.

    Attributes
    ----------
    deviations_ : float64 array of shape (k,)
        Standard deviation of each model's change on the rows of the fit.

    References
    ----------
    J. Dekoninck, M. Baader, M. Vechev (2025), A Unified Approach to Routing and Cascading for LLMs,
    ICML, section 5.1 and appendix D.1; code at https://github.com/eth-sri/cascade-routing.

    Examples
    --------
    >>> import headrace as hr
    >>> import numpy as np
    >>> quality = np.random.default_rng(0).uniform(size=(200, 2))
    >>> log = hr.add_noise(hr.QueryLog(quality, [1e-4, 2e-3]), "low")
    >>> estimator = hr.NoisyEstimator(fuse=True).fit(log)
    >>> before = estimator.estimate(log.queries, [])
    >>> after = estimator.estimate(log.queries, [0])
    >>> change = after.qualities[:, 0] - before.qualities[:, 0]
    >>> bool(abs(change.mean()) < 1e-9), bool(np.isclose(change.std(), before.sigmas[0]))
    (True, True)
    """

    deviations_: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "fuse": Parameter(),
        "variance_as_deviation": Parameter(),
        "calibrate_on": Parameter(),
        "n_models_": Value((int,), size="k"),
        "before_": Array("f", (2, "k")),
        "after_": Array("f", ("inputs + 1", "k")),
        "price_": Array("f", (2, "k")),
        "deviations_": Array("f", ("k",)),
    }

    def __init__(
        self,
        fuse: bool = False,
        variance_as_deviation: bool = False,
        calibrate_on: QueryLog | None = None,
    ) -> None:
        self.fuse = fuse
        self.variance_as_deviation = variance_as_deviation
        self.calibrate_on = calibrate_on

    def fit(self, log: QueryLog) -> NoisyEstimator:
        """Learn from a log that comes from :func:`headrace.add_noise`; return the estimator.

        Raises
        ------
        ValueError
            Features or signals that are not those of `add_noise` for the log's models, missing
            cells, or `calibrate_on` with other models.
        """
        check_flag("fuse", self.fuse)
        check_flag("variance_as_deviation", self.variance_as_deviation)
        rows = log if self.calibrate_on is None else self.calibrate_on
        if rows.models != log.models:
            raise ValueError(
                f"calibrate_on must have the models of the log, {list(log.models)}, "
                f"got {list(rows.models)}"
            )
        _refuse_missing_cells(rows, "NoisyEstimator")
        self.n_models_ = rows.n_models
        before, price = self._seen(rows.queries)
        after = self._heard(rows.queries, range(rows.n_models))
        self.before_ = _linear_map(before[..., None], rows.quality)
        self.price_ = _linear_map(price[..., None], rows.cost)
        self.after_ = _linear_map(self._inputs(before, after), rows.quality)
        change = _apply(self.after_, self._inputs(before, after)) - _apply(
            self.before_, before[..., None]
        )
        self.deviations_ = change.std(axis=0)
        return self

    def estimate(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Say what to expect of queries on which just the models ``ran`` have run."""
        if not hasattr(self, "deviations_"):
            raise ValueError("the NoisyEstimator is not fitted yet: call fit first")
        if queries.n_models != self.n_models_:
            raise ValueError(f"fitted on {self.n_models_} models, got {queries.n_models}")
        run = run_set(ran, self.n_models_).tolist()
        before, price = self._seen(queries)
        qualities = _apply(self.before_, before[..., None])
        if run:
            inputs = self._inputs(before[:, run], self._heard(queries, run))
            qualities[:, run] = _apply(self.after_[:, run], inputs)
        sigmas = self.deviations_**2 if self.variance_as_deviation else self.deviations_.copy()
        sigmas[run] = 0.0
        costs = np.maximum(_apply(self.price_, price[..., None]), 0.0)
        return Estimates(qualities, costs, sigmas)

    def _inputs(self, before: Floats, after: Floats) -> Floats:
        """What the map after a run takes, shape (n, k, 1 or 2)."""
        return np.stack([after, before] if self.fuse else [after], axis=-1)

    def _seen(self, queries: Queries) -> tuple[Floats, Floats]:
        """Noisy quality and cost before any run."""
        k, features = self.n_models_, queries.features
        if features is None or features.shape[1] != 2 * k:
            width = None if features is None else features.shape[1]
            raise ValueError(
                f"NoisyEstimator needs the {2 * k} features of add_noise for {k} models, got "
                f"{width}: choose models first, then add_noise (the noise is the same)"
            )
        return features[:, :k], features[:, k:]

    def _heard(self, queries: Queries, models: Sequence[int]) -> Floats:
        """Noisy quality of these models after they have run."""
        if queries.signals is None or queries.signals.shape[2] != 1:
            raise ValueError("NoisyEstimator needs the signals of add_noise: one for each model")
        return queries.signals[:, list(models), 0]


def _level(level: str | tuple[float, float, float]) -> tuple[float, float, float]:
    if isinstance(level, str):
        return LEVELS[check_name("level", level, LEVELS)]
    deviations = np.asarray(level, dtype=np.float64)
    if deviations.shape != (3,) or not np.isfinite(deviations).all():
        raise ValueError(
            f"level must be one of {list(LEVELS)} or three finite deviations (quality before, "
            f"quality after, cost), got {level!r}"
        )
    check_not_negative("level", deviations)
    return float(deviations[0]), float(deviations[1]), float(deviations[2])


def _refuse_missing_cells(log: QueryLog, who: str) -> None:
    if not log.complete:
        row, column = np.argwhere(np.isnan(log.quality))[0]
        raise ValueError(
            f"{who} needs every quality, and that of {log.models[column]!r} is missing in row {row}"
        )


def _linear_map(inputs: Floats, truth: Floats) -> Floats:
    """Least squares for each model: slopes, then the intercept, shape (d + 1, k).

    Of inputs (n, k, d). The slope of an input that is constant is 0.
    """
    centre = inputs.mean(axis=0)
    target = truth.mean(axis=0)
    maps = np.empty((inputs.shape[2] + 1, inputs.shape[1]))
    for model in range(inputs.shape[1]):
        slopes = np.linalg.lstsq(
            inputs[:, model] - centre[model], truth[:, model] - target[model], rcond=None
        )[0]
        maps[:-1, model] = slopes
        maps[-1, model] = target[model] - centre[model] @ slopes
    return maps


def _apply(maps: Floats, inputs: Floats) -> Floats:
    estimate: Floats = maps[-1] + inputs[..., 0] * maps[0]
    for column in range(1, inputs.shape[2]):
        estimate += inputs[..., column] * maps[column]
    return estimate
