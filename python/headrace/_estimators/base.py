"""What the estimators share that learn from signals: their columns, groups and costs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import as_array
from headrace._estimators._groups import Groups
from headrace._estimators._parameters import Parameters
from headrace._estimators._ridge import GroupRidge
from headrace._estimators.check import Checked
from headrace._log import Integers, Queries, QueryLog
from headrace._problem import Floats
from headrace._state import LARGEST_WIDTH, Array, Kind, Parameter, Part, StateError, Value

RIDGE = {"g + 1": "g + 1", "k": "k"}
"""Sizes that a regression shares with its estimator."""


class EstimatorBase(Parameters, Checked):
    """What is learned ends with an underscore."""

    n_models_: int
    n_features_: int
    n_signals_: int
    own_features: ArrayLike | None
    cost_features: ArrayLike | None
    groups_: Groups

    STATE: ClassVar[dict[str, Kind]] = {
        "own_features": Parameter(),
        "cost_features": Parameter(),
        "n_models_": Value((int,), size="k"),
        "n_features_": Value((int,), size="features"),
        "n_signals_": Value((int,), size="signals"),
        "own_": Array("i", ("k", "own")),
        "priced_": Array("i", ("k", "priced")),
        "general_": Array("i", ("d",)),
        "groups_": Part((Groups,)),
        "cost_models_": Part((GroupRidge,), many=True, sizes={"g + 1": "g + 1"}),
    }

    def refuse_nonsense(self) -> None:
        """Raise StateError if no fit can have learned this."""
        columns = np.concatenate([self.own_.ravel(), self.priced_.ravel(), self.general_])
        if columns.size and not 0 <= columns.min() <= columns.max() < self.n_features_:
            raise StateError(f"columns of features must be below {self.n_features_}")
        if not (0 <= self.n_features_ <= LARGEST_WIDTH and 0 <= self.n_signals_ <= LARGEST_WIDTH):
            raise StateError("there are too many features or signals")
        if any(len(model.means_) != len(self.groups_) + 1 for model in self.cost_models_):
            raise StateError("every group must have its costs")

    def _remember(self, log: QueryLog) -> None:
        known = log.queries
        self.n_models_ = log.n_models
        self.n_features_ = 0 if known.features is None else known.features.shape[1]
        self.n_signals_ = 0 if known.signals is None else known.signals.shape[2]

    def _check_queries(self, queries: Queries, ran: Integers) -> None:
        """Refuse queries that do not look like those of the fit."""
        name = type(self).__name__
        if not hasattr(self, "n_models_"):
            raise ValueError(f"this {name} is not fitted yet: call fit(log) first")
        if queries.n_models != self.n_models_:
            raise ValueError(
                f"{name} was fitted on {self.n_models_} models, got queries of {queries.n_models}"
            )
        n_features = 0 if queries.features is None else queries.features.shape[1]
        if n_features != self.n_features_:
            raise ValueError(
                f"{name} was fitted on {self.n_features_} features, got queries with {n_features}"
            )
        if not len(ran) or not self.n_signals_:
            return
        n_signals = 0 if queries.signals is None else queries.signals.shape[2]
        if n_signals != self.n_signals_:
            raise ValueError(
                f"{name} was fitted on {self.n_signals_} signals a model, got queries with "
                f"{n_signals}"
            )
        assert queries.signals is not None
        lacking = np.isnan(queries.signals[:, ran]).any(axis=2)
        if lacking.any():
            row, column = (int(i) for i in np.argwhere(lacking)[0])
            raise ValueError(
                f"signals of query {row} are NaN for model {int(ran[column])}, which has run: an "
                "estimate needs the signals of all models that have run"
            )

    def _fit_columns(self, log: QueryLog) -> None:
        """Sort the columns of features: of one model's quality, of its cost, general ones."""
        k = log.n_models
        unknown = np.isnan(log.quality).all(axis=0)
        if unknown.any():
            name = log.models[int(np.flatnonzero(unknown)[0])]
            raise ValueError(f"the log has no quality of {name!r}: leave the model out")
        self.own_ = own_columns("own_features", self.own_features, k, self.n_features_)
        self.priced_ = own_columns("cost_features", self.cost_features, k, self.n_features_)
        self.general_ = general_columns(self.n_features_, self.own_, self.priced_)

    def _fit_cost(self, log: QueryLog, codes: Integers) -> None:
        """Learn costs from groups and features, of each model from its own and the general ones."""
        n, k = log.cost.shape
        self.cost_models_ = []
        for columns, models in self._cost_parts(k):
            features = checked_features(log.queries.features, columns, n)
            self.cost_models_.append(
                GroupRidge().fit(features, codes, len(self.groups_), log.cost[:, models])
            )

    def _cost_parts(self, k: int) -> list[tuple[Integers, Integers]]:
        """Return pairs of feature columns and the models whose costs they predict."""
        own = np.column_stack([self.own_, self.priced_])
        if not own.shape[1]:
            return [(self.general_, np.arange(k))]
        return [(np.unique(np.append(self.general_, own[i])), np.array([i])) for i in range(k)]

    def _costs(self, queries: Queries, codes: Integers) -> Floats:
        parts = self._cost_parts(self.n_models_)
        costs = [
            model.predict(checked_features(queries.features, columns, len(queries)), codes)
            for model, (columns, _) in zip(self.cost_models_, parts, strict=True)
        ]
        return np.maximum(np.column_stack(costs), 0.0)


def run_set(ran: ArrayLike, n_models: int) -> Integers:
    """Return the models that have run, ascending, after a look at each."""
    models = as_array("ran", ran)
    if models.size == 0:
        return np.zeros(0, dtype=np.int64)
    if models.ndim != 1 or models.dtype.kind not in "iu":
        raise TypeError(f"ran must be a sequence of columns, got {ran!r}")
    columns = np.unique(models).astype(np.int64)
    if len(columns) < models.size or columns[0] < 0 or columns[-1] >= n_models:
        raise ValueError(f"ran must be different columns below {n_models}, got {ran!r}")
    return columns


def own_columns(what: str, given: ArrayLike | None, n_models: int, n_features: int) -> Integers:
    """Return the columns of features that tell of one model alone, shape (k, p)."""
    if given is None:
        return np.zeros((n_models, 0), dtype=np.int64)
    columns = as_array(what, given)
    if columns.dtype.kind not in "iu":
        raise TypeError(f"{what} must be columns of features, got dtype {columns.dtype}")
    if columns.ndim == 1:
        columns = columns[:, None]
    if columns.ndim != 2 or len(columns) != n_models:
        raise ValueError(
            f"{what} must have shape ({n_models},) or ({n_models}, p), got {columns.shape}"
        )
    if columns.size and (columns.min() < 0 or columns.max() >= n_features):
        raise ValueError(f"{what} must be columns below {n_features}, the features' number")
    return columns.astype(np.int64)


def general_columns(n_features: int, *own: Integers) -> Integers:
    """Return the columns of features that tell of no model in particular."""
    return np.setdiff1d(np.arange(n_features), np.concatenate([one.ravel() for one in own]))


def checked_features(features: Floats | None, columns: Integers, n: int) -> Floats:
    """Return these columns, of shape (n, 0) where there are no features."""
    return np.zeros((n, 0)) if features is None else features[:, columns]
