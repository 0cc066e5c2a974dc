"""One jointly Gaussian model of all qualities and all signals."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import check_name, check_number
from headrace._estimators._calibration import Calibration
from headrace._estimators._groups import Groups
from headrace._estimators._ridge import GroupRidge
from headrace._estimators._shrinkage import (
    block_target,
    moments,
    pooled,
    pooled_lines,
    positive_semidefinite,
    shrinkage_weight,
    varies,
)
from headrace._estimators.base import (
    RIDGE,
    EstimatorBase,
    checked_features,
    run_set,
)
from headrace._estimators.protocol import Estimates
from headrace._log import Integers, Queries, QueryLog
from headrace._problem import Bools, Floats
from headrace._remembered import Remembered
from headrace._state import Array, Kind, Parameter, Part, StateError, Value

Self = TypeVar("Self", bound="GaussianEstimator")

CALIBRATIONS = ("linear", "logistic")
N_FOLDS = 5
SMALLEST_VARIANCE = 1e-9
"""Share of its variance that evidence has in noise of its own at the least."""
WORTH_TELLING = 1e-5
"""Share of its variance that evidence must have left; less may be rounding, as of copied models."""


@dataclass(frozen=True, eq=False)
class _Conditioned:
    """What follows of the models that have run, whatever the query."""

    gains: Floats
    change: Floats


class GaussianEstimator(EstimatorBase):
    """Every signal seen updates the estimates of all models, by one Gaussian model of all.

    Before any model runs, quality is linear in features within groups. What a model's signals say,
    the *evidence*, is linear in its quality, with noise. Evidence and qualities are one Gaussian
    vector around what the features say, and an estimate is a conditional mean given the evidence
    seen so far. Models are taken for relatives: slopes, intercepts and noise of their evidence are
    shrunk towards common ones as far as their differences may be due to chance.

    Parameters
    ----------
    regressor : object with ``fit(X, y)`` and ``predict(X)``, optional
        Learns quality from features and groups (in indicator columns), in place of ridge
        regression after group means. Copied for each model. Fitted on the rows with a quality.
    shrinkage : float or "auto"
        Weight, between 0 and 1, of covariances with one correlation for all pairs of models, among
        qualities and among the noise of their evidence. By default the two weights that minimise
        the expected squared error, in closed form.
    calibration : "linear" or "logistic"
        Linear evidence is the signals themselves where there are no groups; with groups it is the
        quality expected given a model's signals by a regression with a slope for each group, shrunk
        towards that of all. Logistic evidence is that regression for qualities in [0, 1].
    own_features : int array-like of shape (k,) or (k, p), optional
        Columns of the features that tell of one model alone, such as a predicted quality of its
        answer. They are evidence that is there from the start, and take no part in the regression
        on the other features.
    cost_features : int array-like of shape (k,) or (k, p), optional
        Columns of the features that tell of the cost of one model alone, such as the predicted
        length of its answer.

    Attributes
    ----------
    covariance_ : array of shape (p, p)
        Of k qualities, then blocks of k pieces of evidence: those known in advance (own features),
        then those that running a model brings.
    shrinkage_ : array of shape (2,)
        The weights used, for qualities and for evidence.

    Notes
    -----
    The covariance that the estimates come with is that of the changes when *each model runs by
    itself*: exact for each model and for each pair's joint law. What model i's run would do to
    the estimate of model j is left out of the look-ahead (E[max] after running a set would have to
    be told the set), so that the value of a set is slightly understated. Once i has run, the
    estimate of j does use it.

    Conditioning costs O(|R|^3) for each distinct set R of run models and not more for each query
    than a product with a (|R|, k) matrix. The last sets are remembered, in some 32 MiB.

    Examples
    --------
    >>> import numpy as np, headrace as hr
    >>> rng = np.random.default_rng(0)
    >>> difficulty = rng.normal(size=(400, 1))
    >>> quality = difficulty + rng.normal(size=(400, 2))
    >>> signals = quality + 0.5 * rng.normal(size=(400, 2))
    >>> estimator = hr.GaussianEstimator().fit(hr.QueryLog(quality, [1.0, 2.0], signals=signals))
    >>> queries = hr.QueryLog([[0.0, 0.0]], [1.0, 2.0], signals=[[2.0, 0.0]]).queries
    >>> estimator.estimate(queries, ran=[]).qualities.round(1)
    array([[-0.1, -0. ]])
    >>> after = estimator.estimate(queries, ran=[0])  # a good answer of one says something of both
    >>> after.qualities.round(1), after.deviations().round(1)
    (array([[1.7, 0.8]]), array([0. , 1.1]))
    """

    covariance_: Floats
    shrinkage_: Floats
    _memory: Remembered[_Conditioned] | None = None

    STATE: ClassVar[dict[str, Kind]] = {
        **EstimatorBase.STATE,
        "regressor": Parameter(),
        "shrinkage": Parameter(),
        "calibration": Parameter(),
        "mean_": Part((GroupRidge,), sizes={**RIDGE, "d": "d"}),
        "calibration_": Part((Calibration,), optional=True, sizes={**RIDGE, "m": "signals"}),
        "n_early_": Value((int,), size="own"),
        "n_blocks_": Value((int,), size="blocks"),
        "slopes_": Array("f", ("blocks", "k")),
        "noise_means_": Part((GroupRidge,), many=True, sizes={**RIDGE, "d": "d"}),
        "covariance_": Array("f", ("p", "p")),
        "shrinkage_": Array("f", (2,)),
        "evidence_variances_": Array("f", ("evidence",)),
        "alive_": Array("b", ("evidence",)),
    }

    def __init__(
        self,
        regressor: Any = None,
        shrinkage: float | str = "auto",
        calibration: str = "linear",
        own_features: ArrayLike | None = None,
        cost_features: ArrayLike | None = None,
    ) -> None:
        self.regressor = regressor
        self.shrinkage = shrinkage
        self.calibration = calibration
        self.own_features = own_features
        self.cost_features = cost_features

    def fit(self: Self, log: QueryLog) -> Self:
        """Learn from a log; cells without a quality are left out."""
        self._check_parameters()
        self._memory = None
        self._remember(log)
        self._fit_columns(log)
        n, k = log.quality.shape
        known = log.queries
        self.groups_ = Groups.of(known.groups)
        codes, n_groups = self.groups_.codes(known.groups, n), len(self.groups_)
        general = checked_features(known.features, self.general_, n)
        self._fit_cost(log, codes)

        blocks = [self._fit_mean(general, codes, log.quality)]
        self.calibration_ = None
        logistic = self.calibration == "logistic"
        if logistic and not (np.nanmin(log.quality) >= 0.0 and np.nanmax(log.quality) <= 1.0):
            raise ValueError("calibration='logistic' needs qualities between 0 and 1")
        if self.n_signals_ and (logistic or n_groups):
            assert known.signals is not None
            self.calibration_ = Calibration(logistic).fit(
                known.signals, codes, n_groups, log.quality
            )
        evidence = self._evidence(known, codes, np.arange(k))
        self.n_early_ = self.own_.shape[1]
        self.n_blocks_ = len(evidence)
        self.slopes_ = np.zeros((self.n_blocks_, k))
        self.noise_means_: list[GroupRidge] = []
        self.alive_ = np.zeros(self.n_blocks_ * k, dtype=np.bool_)
        for number, values in enumerate(evidence):
            self.alive_[number * k : (number + 1) * k] = varies(values)
            blocks.append(self._fit_evidence(number, values, log.quality, general, codes))
        self._fit_covariance(np.column_stack(blocks), k)
        return self

    def estimate(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Return conditional means given the evidence of the models that have run."""
        columns = run_set(ran, queries.n_models)
        self._check_queries(queries, columns)
        n = len(queries)
        codes = self.groups_.codes(queries.groups, n)
        general = checked_features(queries.features, self.general_, n)
        qualities = self._mean(general, codes)
        known = self._conditioned(columns)
        if len(known.gains):
            surprise = self._surprise(queries, general, codes, columns, qualities)
            qualities = qualities + surprise @ known.gains
        return Estimates(qualities, self._costs(queries, codes), covariance=known.change)

    def refuse_nonsense(self) -> None:
        """Raise StateError if no fit can have learned this, or it is not in a file."""
        super().refuse_nonsense()
        if self.regressor is not None:
            raise StateError(f"a file holds no regressor, got {self.regressor!r}")

    def _check_parameters(self) -> None:
        check_name("calibration", self.calibration, CALIBRATIONS)
        if isinstance(self.shrinkage, str):
            check_name("shrinkage", self.shrinkage, ("auto",))
        elif check_number("shrinkage", self.shrinkage) > 1.0:
            raise ValueError(f"shrinkage must be 'auto' or between 0 and 1, got {self.shrinkage}")

    def _fit_mean(self, general: Floats, codes: Integers, quality: Floats) -> Floats:
        """Learn quality from features and groups; return residuals of rows held out."""
        n_groups = len(self.groups_)
        if self.regressor is None:
            self.mean_ = GroupRidge().fit(general, codes, n_groups, quality)
            return self.mean_.residuals_
        design = self._design(general, codes)
        fold = np.random.default_rng(0).permutation(len(quality)) % N_FOLDS
        residuals = np.full(quality.shape, np.nan)
        self.regressors_ = []
        for i in range(quality.shape[1]):
            known = ~np.isnan(quality[:, i])
            for number in range(N_FOLDS):
                learn, hold = known & (fold != number), known & (fold == number)
                if learn.any() and hold.any():
                    fitted = copy.deepcopy(self.regressor).fit(design[learn], quality[learn, i])
                    expected = np.asarray(fitted.predict(design[hold]), dtype=float).ravel()
                    residuals[hold, i] = quality[hold, i] - expected
            self.regressors_.append(
                copy.deepcopy(self.regressor).fit(design[known], quality[known, i])
            )
        return residuals

    def _design(self, general: Floats, codes: Integers) -> Floats:
        indicators = codes[:, None] == np.arange(len(self.groups_))
        design = np.column_stack([general, indicators.astype(float)])
        return design if design.shape[1] else np.zeros((len(general), 1))

    def _mean(self, general: Floats, codes: Integers) -> Floats:
        """Return expected qualities before any evidence."""
        if self.regressor is None:
            return self.mean_.predict(general, codes)
        design = self._design(general, codes)
        return np.column_stack(
            [np.asarray(one.predict(design), dtype=float).ravel() for one in self.regressors_]
        )

    def _evidence(self, queries: Queries, codes: Integers, models: Integers) -> list[Floats]:
        """Return blocks of evidence: known in advance (n, k), then from runs (n, |models|)."""
        blocks = []
        if self.own_.shape[1]:
            assert queries.features is not None
            blocks = [queries.features[:, column] for column in self.own_.T]
        if self.n_signals_ and len(models):
            assert queries.signals is not None
            signals = queries.signals[:, models]
            if self.calibration_ is not None:
                blocks.append(self.calibration_.predict(signals, codes, models))
            else:
                blocks.extend(np.moveaxis(signals, 2, 0))
        return blocks

    def _fit_evidence(
        self, number: int, values: Floats, quality: Floats, general: Floats, codes: Integers
    ) -> Floats:
        """Learn how evidence depends on quality, a line for each model; return its noise.

        Models are taken for relatives: intercepts and slopes are shrunk towards common ones as far
        as their differences may be due to chance.
        """
        known, slope, shift = pooled_lines(values, quality)
        self.slopes_[number] = slope
        left = np.where(known, values - slope * quality, np.nan)
        mean = GroupRidge().fit(general, codes, len(self.groups_), left)
        mean.means_ += shift
        self.noise_means_.append(mean)
        return mean.residuals_

    def _fit_covariance(self, residuals: Floats, k: int) -> None:
        """Learn the covariance of qualities and noise; then that of qualities and evidence."""
        sample, variance = moments(residuals)
        p = len(sample)
        self._pool_variances(sample, k, np.maximum((~np.isnan(residuals)).sum(axis=0), 2))
        target = block_target(sample, k)
        own = np.arange(p) % k
        quality = (np.arange(p)[:, None] < k) & (np.arange(p) < k)
        apart = ~np.eye(p, dtype=bool)
        paired = (own[:, None] == own) & ((np.arange(p)[:, None] < k) != (np.arange(p) < k))
        target[paired] = 0.0
        weights = []
        for cells in (quality & apart, ~quality & apart & ~paired):
            if self.shrinkage == "auto":
                weights.append(shrinkage_weight(sample, variance, target, cells))
            else:
                weights.append(float(self.shrinkage))
        weight = np.where(quality, weights[0], weights[1])
        mixed = (1.0 - weight) * sample + weight * target
        mixed[paired] = 0.0
        mixed = positive_semidefinite(0.5 * (mixed + mixed.T))
        lift = np.eye(p)
        index = np.arange(k)
        for number in range(self.n_blocks_):
            lift[(1 + number) * k + index, index] = self.slopes_[number]
        covariance = lift @ mixed @ lift.T
        self.covariance_ = 0.5 * (covariance + covariance.T)
        self.shrinkage_ = np.array(weights)
        self.evidence_variances_ = np.diag(self.covariance_)[k:]
        largest = self.evidence_variances_.reshape(-1, k).max(axis=1, initial=0.0)
        self.alive_ &= self.evidence_variances_ > 1e-12 * np.repeat(largest, k)

    def _pool_variances(self, sample: Floats, k: int, count: Integers) -> None:
        """Shrink the noise variances of each block towards a common one, in place."""
        for start in range(k, len(sample), k):
            block = np.arange(start, start + k)
            variance = np.diag(sample)[block]
            largest = variance.max(initial=0.0)
            alive = variance > 1e-12 * largest
            logs = np.where(alive, np.log(np.where(alive, variance, 1.0)), np.nan)
            shrunk = pooled(logs, 2.0 / count[block])
            scale = np.where(alive, np.exp(0.5 * (np.where(alive, shrunk - logs, 0.0))), 1.0)
            sample[block] *= scale[:, None]
            sample[:, block] *= scale

    def _conditioned(self, ran: Integers) -> _Conditioned:
        """Return what follows of the models that have run, whatever the query; remembered."""
        memory = self._memory
        if memory is None:
            memory = self._memory = Remembered(2 * self.n_models_**2)
        key = ran.tobytes()
        known = memory.get(key)
        if known is None:
            seen = self._seen(ran)
            known = _Conditioned(self._gains(seen), self._change(seen))
            known.change.setflags(write=False)  # all that ask share it
            memory.put(key, known)
        return known

    def _seen(self, ran: Integers) -> Integers:
        """Return the pieces of evidence known when these models have run."""
        k = self.n_models_
        late = np.arange(self.n_early_, self.n_blocks_)[:, None] * k + ran
        return np.append(np.arange(self.n_early_ * k), late.ravel())

    def _precision(self, covariance: Floats, seen: Integers) -> Floats:
        """Inverse of the covariance of evidence; evidence without variance tells nothing."""
        return _inverse(covariance, self.evidence_variances_[seen], ~self.alive_[seen])

    def _gains(self, seen: Integers) -> Floats:
        """Return what a unit of each piece of evidence adds to each estimate, shape (|seen|, k)."""
        k = self.n_models_
        evidence = self.covariance_[np.ix_(k + seen, k + seen)]
        return self._precision(evidence, seen) @ self.covariance_[k + seen, :k]

    def _surprise(
        self, queries: Queries, general: Floats, codes: Integers, ran: Integers, expected: Floats
    ) -> Floats:
        """Return evidence minus what features led to expect, shape (n, |seen|)."""
        parts = []
        for number, values in enumerate(self._evidence(queries, codes, ran)):
            models = np.arange(self.n_models_) if number < self.n_early_ else ran
            noise = self.noise_means_[number].predict(general, codes)
            mean = noise + self.slopes_[number] * expected
            parts.append(values - mean[:, models])
        return np.column_stack(parts)

    def _change(self, seen: Integers) -> Floats:
        """Return the covariance of the changes that running each model by itself will bring."""
        k = self.n_models_
        change = np.zeros((k, k))
        late = np.arange(self.n_early_ * k, self.n_blocks_ * k)
        late = np.setdiff1d(late, seen)
        if not len(late):
            return change
        evidence = self.covariance_[np.ix_(k + late, k + late)]
        cross = self.covariance_[:k, k + late]
        if len(seen):
            known = self.covariance_[np.ix_(k + seen, k + seen)]
            across = self.covariance_[np.ix_(k + seen, k + late)]
            explained = self._precision(known, seen) @ across
            evidence = evidence - across.T @ explained
            cross = cross - self.covariance_[:k, k + seen] @ explained
        n_late = self.n_blocks_ - self.n_early_
        models = late[: len(late) // n_late] % k
        pieces = np.arange(len(late)).reshape(n_late, -1)
        own = pieces.T
        left = WORTH_TELLING * self.evidence_variances_[late[own]]
        known_already = np.diag(evidence)[own] <= left
        inverses = _inverse(
            evidence[own[:, :, None], own[:, None, :]],
            self.evidence_variances_[late[own]],
            known_already | ~self.alive_[late[own]],
        )
        gain = np.zeros((len(models), len(late)))
        gain[np.arange(len(models))[:, None], own] = np.einsum(
            "mi,mij->mj", cross[models[:, None], own], inverses
        )
        change[np.ix_(models, models)] = gain @ evidence @ gain.T
        return 0.5 * (change + change.T)


def _inverse(covariance: Floats, variances: Floats, dead: Bools) -> Floats:
    """Invert covariances (..., s, s) of evidence with these variances before anything was seen.

    Dead evidence is left out: its rows and columns are zero.
    """
    scale = np.where(dead, 1.0, np.sqrt(variances))
    outer = scale[..., :, None] * scale[..., None, :]
    alive = ~dead[..., :, None] & ~dead[..., None, :]
    matrix = np.where(alive, covariance / outer, 0.0)
    diagonal = np.arange(matrix.shape[-1])
    matrix[..., diagonal, diagonal] += np.where(dead, 1.0, SMALLEST_VARIANCE)
    inverse: Floats = np.where(alive, np.linalg.inv(matrix) / outer, 0.0)
    return 0.5 * (inverse + inverse.swapaxes(-1, -2))
