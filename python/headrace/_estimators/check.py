"""Measure whether an estimator's estimates are what they claim to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace._estimators._answers import checked
from headrace._estimators.protocol import Estimates, Estimator, fitted_copy
from headrace._log import Queries, QueryLog
from headrace._problem import Bools, Floats

CERTAIN = 3.0
"""Standard errors beyond which a deviation is not put down to chance."""
CERTAIN_OF_MANY = 5.0
"""The same where all pairs of models are looked at."""
SLOPE_TOLERANCE = 0.15
SHARE_TOLERANCE = 0.05
"""Of a bias, or a claim too high, in units of the standard deviation of quality."""
SPREAD_TOLERANCE = 0.25


@dataclass(frozen=True, eq=False)
class EstimatorCheck:
    """What was found on held-out rows; ``print`` it.

    Attributes
    ----------
    models : tuple of str
    n_queries : int
        Number of held-out rows.
    slope, slope_error : float64 array of shape (k,)
        Regression of the estimate after running a model on the estimate before, with its standard
        error. 1 where estimates are posterior means; below 1, what was expected before is too
        extreme. NaN where the estimate before does not vary, and of fewer than 3 rows.
    bias, bias_error : float64 array of shape (k,)
        Mean of the change that running a model brings. 0 where estimates are posterior means.
        NaN where no row has a quality.
    told, told_error : float64 array of shape (k, k)
        Mean change that running a model (row) brings to the estimate of each model (column), 0
        where estimates are posterior means; the diagonal is `bias`.
    stated, realised : float64 array of shape (k,)
        Spread of that change: as stated (root mean square over queries), as it came.
    spread_error : float64 array of shape (k,)
        Standard error of the realised spread, as a share of it.
    claimed, achieved, achieved_error : float64 array of shape (2,)
        Mean estimate of the best-looking answer, and its mean quality: without a run, and with all
        models run. A claim above is the winner's curse. NaN where no row has all qualities.
    quality_spread : float
        Standard deviation of quality.
    """

    models: tuple[str, ...]
    n_queries: int
    slope: Floats
    slope_error: Floats
    bias: Floats
    bias_error: Floats
    told: Floats
    told_error: Floats
    stated: Floats
    realised: Floats
    spread_error: Floats
    claimed: Floats
    achieved: Floats
    achieved_error: Floats
    quality_spread: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        tolerance = SHARE_TOLERANCE * self.quality_spread
        off = np.abs(self.slope - 1.0) > np.maximum(SLOPE_TOLERANCE, CERTAIN * self.slope_error)
        for way, where in (
            ("too extreme", off & (self.slope < 1.0)),
            ("too timid", off & (self.slope > 1.0)),
        ):
            if where.any():
                found.append(f"the estimate before a run is {way}, for {self._named(where)}")
        shifted = np.abs(self.bias) > np.maximum(tolerance, CERTAIN * self.bias_error)
        for way, where in (
            ("too low", shifted & (self.bias > 0.0)),
            ("too high", shifted & (self.bias < 0.0)),
        ):
            if where.any():
                found.append(
                    f"the estimate before a run is {way} against the one after it, for "
                    f"{self._named(where)}"
                )
        told = np.where(np.eye(len(self.models), dtype=np.bool_), np.nan, np.abs(self.told))
        misled = told > np.maximum(tolerance, CERTAIN_OF_MANY * self.told_error)
        if misled.any():
            one, other = divmod(int(np.where(misled, told, 0.0).argmax()), len(self.models))
            more = int(misled.sum()) - 1
            found.append(
                f"running {self.models[one]} moves the estimate of {self.models[other]} by "
                f"{self.told[one, other]:+.3f} in the mean, where no change is to be expected"
                + (f", and the like for {more} more pairs of models" if more else "")
            )
        least = np.maximum(self.realised, 1e-3 * self.quality_spread)
        known = np.isfinite(self.spread_error)
        error = np.where(known, self.spread_error, 0.0)
        chance = np.maximum(SPREAD_TOLERANCE, CERTAIN * error)
        wide = known & (self.stated > (1.0 + chance) * least)
        narrow = known & (self.stated < (1.0 - chance) * self.realised)
        narrow &= self.realised > 1e-3 * self.quality_spread
        for way, where in (("larger", wide), ("smaller", narrow)):
            if where.any():
                effect = "too much" if way == "larger" else "too little"
                found.append(
                    f"the stated spread of the change is {way} than the realised one, so that a "
                    f"router explores {effect}, for {self._named(where)}"
                )
        for i, when in enumerate(("before any run", "with all models run")):
            gap = float(self.claimed[i] - self.achieved[i])
            if abs(gap) > max(tolerance, CERTAIN * float(self.achieved_error[i])):
                high = gap > 0.0
                found.append(
                    f"the best-looking answer {when} is claimed to be {self.claimed[i]:.3f} and is "
                    f"{self.achieved[i]:.3f}: "
                    + (
                        "a winner's curse; a look-ahead scale below 1 makes up for a part of it"
                        if high
                        else "estimates are too low where it matters"
                    )
                )
        return tuple(found)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong beyond chance and tolerance."""
        return not self.faults

    def _named(self, where: Bools) -> str:
        names = [name for name, one in zip(self.models, where, strict=True) if one]
        if len(names) == len(self.models) and len(names) > 1:
            return "all models"
        if len(names) > 5:
            return ", ".join(names[:5]) + f" and {len(names) - 5} more"
        return ", ".join(names)

    def __str__(self) -> str:
        width = max(5, *(len(name) for name in self.models))
        lines = [
            f"{self.n_queries} held-out queries. Change of the estimate when a model runs:",
            f"{'model':<{width}}   slope            bias           stated / realised spread",
        ]
        lines += [
            "  ".join(
                (
                    f"{name:<{width}}",
                    _known(f"{self.slope[i]:6.2f} ± {self.slope_error[i]:<5.2f}"),
                    _known(f"{self.bias[i]:+7.3f} ± {self.bias_error[i]:<6.3f}"),
                    f"{self.stated[i]:.3f} / " + _known(f"{self.realised[i]:.3f}"),
                )
            )
            for i, name in enumerate(self.models)
        ]
        for i, when in enumerate(("before any run", "with all models run")):
            claim = (
                f"claimed {self.claimed[i]:.3f}, "
                f"is {self.achieved[i]:.3f} ± {self.achieved_error[i]:.3f}"
            )
            lines.append(f"best-looking answer {when}: {_known(claim).rstrip()}")
        faults = self.faults
        lines += [f"- {fault}" for fault in faults] or ["nothing wrong beyond chance"]
        return "\n".join(lines)


class Checked:
    """An estimator that has the check as a method."""

    def check(self, log: QueryLog, **options: Any) -> EstimatorCheck:
        """Measure on held-out rows whether the estimates are what they claim to be.

        See :func:`headrace.check_estimator`, which this calls.
        """
        assert isinstance(self, Estimator)
        return check_estimator(self, log, **options)


def _known(figure: str) -> str:
    """Return a figure, or as wide a word where there is none."""
    return f"{'unknown':<{len(figure)}}" if "nan" in figure else figure


def _spread_error(change: Floats) -> float:
    """Return the standard error of the standard deviation of a sample, as a share of it."""
    n, square = len(change), (change - change.mean()) ** 2 if len(change) else change
    if n < 2:
        return float("inf")
    if not square.any():
        return 0.0
    return float(square.std() / square.mean() / (2.0 * np.sqrt(n)))


def check_estimator(
    estimator: Estimator, log: QueryLog, *, share: float = 0.5, seed: int = 0, refit: bool = True
) -> EstimatorCheck:
    """Measure on held-out rows whether estimates are posterior means with the stated spread.

    A router needs estimates of which nothing is expected to change by running a model, and an
    uncertainty that is the spread of the change. Where either fails, a better search makes worse
    decisions.

    Parameters
    ----------
    estimator : Estimator
        A copy of it is fitted; it stays as it is.
    log : QueryLog
    share : float
        Share of the rows to fit on.
    seed : int
        Of the split.
    refit : bool
        With False, the estimator is used as it was fitted, and all rows of the log are held out.

    Returns
    -------
    EstimatorCheck

    Raises
    ------
    ValueError, TypeError
        Estimates that no router takes: of a wrong shape, not finite, negative costs, uncertainty of
        models that have run.

    Examples
    --------
    >>> import numpy as np, headrace as hr
    >>> rng = np.random.default_rng(0)
    >>> quality = rng.normal(size=(2000, 1)) + rng.normal(size=(2000, 2))
    >>> signals = quality + rng.normal(size=(2000, 2))
    >>> log = hr.QueryLog(quality, [1.0, 2.0], signals=signals)
    >>> hr.check_estimator(hr.GaussianEstimator(), log).faults
    ()
    """
    held = log
    fitted = estimator
    if refit:
        learn, held = log.split(share, seed=seed)
        fitted = fitted_copy(estimator, learn)
    queries, k = held.queries, held.n_models

    def asked(queries: Queries, ran: Sequence[int]) -> Estimates:
        return checked(fitted.estimate(queries, ran), len(queries), k, ran)

    before = asked(queries, [])
    deviations = np.broadcast_to(before.deviations(), before.qualities.shape)
    slope, slope_error, spread_error = (np.full(k, np.nan) for _ in range(3))
    told, moved = (np.full((k, k), np.nan) for _ in range(2))
    n_known = np.zeros(k, dtype=np.int64)
    for i in range(k):
        rows = np.flatnonzero(~np.isnan(held.quality[:, i]))
        changes = asked(queries.rows(rows), [i]).qualities - before.qualities[rows]
        ante, change = before.qualities[rows, i], changes[:, i]
        n = n_known[i] = len(rows)
        if n:
            told[i], moved[i] = changes.mean(axis=0), changes.std(axis=0)
        spread_error[i] = _spread_error(change)
        square = ((ante - ante.mean()) ** 2).sum() if n > 2 else 0.0
        if square > 1e-12 * n * float(np.abs(ante).max(initial=0.0)) ** 2:
            slope[i] = 1.0 + ((ante - ante.mean()) * (change - told[i, i])).sum() / square
            left = change - told[i, i] - (slope[i] - 1.0) * (ante - ante.mean())
            slope_error[i] = np.sqrt((left**2).sum() / (n - 2) / square)
    full = np.flatnonzero(held.quality.shape[1] == (~np.isnan(held.quality)).sum(axis=1))
    ends = np.full((3, 2), np.nan)
    if len(full):
        complete = queries.rows(full)
        stages: tuple[Estimates, ...] = (
            asked(complete, []),
            asked(complete, range(k)),
        )
        for j, stage in enumerate(stages):
            best = stage.qualities.argmax(axis=1)
            claimed = stage.qualities[np.arange(len(full)), best]
            got = held.quality[full, best]
            ends[:, j] = claimed.mean(), got.mean(), (got - claimed).std() / np.sqrt(len(full))
    told_error = moved / np.sqrt(np.maximum(n_known, 1))[:, None]
    return EstimatorCheck(
        models=held.models,
        n_queries=held.n_queries,
        slope=slope,
        slope_error=slope_error,
        bias=told.diagonal(),
        bias_error=told_error.diagonal(),
        told=told,
        told_error=told_error,
        stated=np.sqrt((deviations**2).mean(axis=0)),
        realised=moved.diagonal(),
        spread_error=spread_error,
        claimed=ends[0],
        achieved=ends[1],
        achieved_error=ends[2],
        quality_spread=float(np.nanstd(held.quality)),
    )
