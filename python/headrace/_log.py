"""A log of answers: which model answered which query how well, and at what price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headrace._check import as_array, check_integer, check_number, refuse_values, value_error
from headrace._log_files import (
    Columns,
    LogArrays,
    SignalColumns,
    arrays_of_routerbench,
    arrays_of_table,
    is_missing,
)
from headrace._problem import Bools, Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Queries:
    """What can be known of ``n`` queries without their labels.

    Attributes
    ----------
    index : int64 array of shape (n,)
        Row of each query in the log that it comes from first; subsets keep it.
    n_models : int
        Number of models, k.
    features : float64 array of shape (n, d), or None
        Known before any model runs.
    signals : float64 array of shape (n, k, m), or None
        Known of a model's answer once it has run. An estimator may look at those of the models
        that have run, and at no others.
    groups : array of shape (n,), or None
        A label for each query, known before any model runs.
    """

    index: Integers
    n_models: int
    features: Floats | None
    signals: Floats | None
    groups: NDArray[np.generic] | None

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, chosen: ArrayLike) -> Queries:
        """Return the queries at these positions, or where a mask is true."""
        where = np.asarray(chosen)
        return Queries(
            index=self.index[where],
            n_models=self.n_models,
            features=None if self.features is None else self.features[where],
            signals=None if self.signals is None else self.signals[where],
            groups=None if self.groups is None else self.groups[where],
        )


class QueryLog:
    """Realised quality and cost of ``k`` models on ``n`` queries, and what was known of each.

    Parameters
    ----------
    quality : array-like of shape (n, k)
        Quality of each answer, in any unit; NaN where it is missing.
    cost : array-like of shape (n, k) or (k,)
        Cost of each answer, in any unit, not negative; NaN only where the quality is missing too.
    features : array-like of shape (n, d), optional
        Numbers known of a query before any model runs.
    signals : array-like of shape (n, k) or (n, k, m), optional
        Numbers known of an answer once its model has run (log-probability, self-verification,
        agreement); NaN only where the quality is missing.
    latency : array-like of shape (n, k), optional
        Seconds until each answer was complete, not negative.
    first_token_latency : array-like of shape (n, k), optional
        Seconds until the first token of each answer; not above its latency, which it needs.
    models : sequence of str, optional
        Names of the models, all different; ``"model 0"`` and so on by default.
    groups : array-like of shape (n,), optional
        A label for each query, known before any model runs (benchmark, tenant, task).

    Attributes
    ----------
    quality, cost : float64 array of shape (n, k)
    latency, first_token_latency : float64 array of shape (n, k), or None
    models : tuple of str
    queries : Queries
        What can be known without labels: features, signals and groups.

    All arrays are read-only.

    Raises
    ------
    ValueError
        A wrong shape or value (with the index), such as one above 1e100 in magnitude; or names that
        do not fit.
    TypeError
        A dtype that float64 does not hold without loss.

    Examples
    --------
    >>> import headrace as hr
    >>> log = hr.QueryLog(
    ...     [[0.0, 1.0], [1.0, 1.0]], [0.1, 2.0], models=["small", "large"], groups=["a", "b"]
    ... )
    >>> log.n_queries, log.subset(models=["large"]).quality.tolist()
    (2, [[1.0], [1.0]])
    """

    quality: Floats
    cost: Floats
    latency: Floats | None
    first_token_latency: Floats | None
    models: tuple[str, ...]
    queries: Queries

    def __init__(
        self,
        quality: ArrayLike,
        cost: ArrayLike,
        *,
        features: ArrayLike | None = None,
        signals: ArrayLike | None = None,
        latency: ArrayLike | None = None,
        first_token_latency: ArrayLike | None = None,
        models: Sequence[str] | None = None,
        groups: ArrayLike | None = None,
    ) -> None:
        self.quality = _numbers("quality", quality, ndim=2, missing=True)
        n, k = self.quality.shape
        if n < 1 or k < 1:
            raise ValueError(f"quality must have at least one query and model, got {(n, k)}")
        absent = np.isnan(self.quality)
        prices = _numbers("cost", cost, ndim=(1, 2), missing=True)
        if prices.shape == (k,):
            prices = np.broadcast_to(prices, (n, k)).copy()
        self.cost = _shaped("cost", prices, (n, k))
        _refuse_missing("cost", self.cost, absent)
        _refuse_negative("cost", self.cost)

        self.latency = _seconds("latency", latency, absent)
        self.first_token_latency = _seconds("first_token_latency", first_token_latency, absent)
        if self.first_token_latency is not None:
            _refuse_late_tokens(self.first_token_latency, self.latency)
        known = None
        if features is not None:
            known = _numbers("features", features, ndim=2, missing=False)
            if len(known) != n:
                raise ValueError(f"features must have shape ({n}, d), got {known.shape}")
        told = None
        if signals is not None:
            told = _numbers("signals", signals, ndim=(2, 3), missing=True)
            if told.shape[:2] != (n, k):
                raise ValueError(f"signals must have shape {(n, k)} or ({n}, {k}, m), got "
                                 f"{told.shape}")  # fmt: skip
            told = told.reshape(n, k, -1)
            _refuse_missing("signals", told, absent)
        labels = None if groups is None else _labels(groups, n)
        self.models = _names(models, k)
        self.queries = Queries(np.arange(n), k, known, told, labels)
        self._close()

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        quality: Columns,
        cost: Columns,
        latency: Columns | None = None,
        first_token_latency: Columns | None = None,
        features: Sequence[str] | None = None,
        signals: SignalColumns | None = None,
        groups: str | None = None,
    ) -> QueryLog:
        """Read a log from a table with one row a query.

        Columns of models are given as a mapping from models to columns, or as a template with
        ``{model}`` in it. The models are the keys of the mappings, else whatever stands for
        ``{model}`` in a column, in the order of the columns; a model has to have all its columns.
        The template ``"{model}"`` alone fits any column and finds no models.

        Parameters
        ----------
        table : pandas, Polars or pyarrow table, or mapping of str to array-like
            Missing entries are allowed as in a `QueryLog`. Data frames need the extra ``tables``.
        quality, cost, latency, first_token_latency : str or mapping of str to str
            Template or columns of each model. The latencies are optional.
        features : sequence of str, optional
            Columns of numbers known before any model runs.
        signals : str, sequence of str, or mapping of str to str or sequence of str, optional
            A template for each signal, or one or more columns for each model.
        groups : str, optional
            Column of labels.

        Raises
        ------
        ValueError
            No such column, models that lack one, or a column with other than numbers in it.
        TypeError
            Not a table.

        Examples
        --------
        >>> import headrace as hr
        >>> table = {"small": [0, 1], "small|cost": [0.1, 0.1], "big": [1, 1], "big|cost": [2, 3]}
        >>> log = hr.QueryLog.from_table(table, quality="{model}", cost="{model}|cost")
        >>> log.models, log.cost.tolist()
        (('small', 'big'), [[0.1, 2.0], [0.1, 3.0]])
        """
        return cls._of_arrays(
            arrays_of_table(
                table,
                quality=quality,
                cost=cost,
                latency=latency,
                first_token_latency=first_token_latency,
                features=features,
                signals=signals,
                groups=groups,
            )
        )

    @classmethod
    def from_routerbench(cls, path: str | PathLike[str]) -> QueryLog:
        """Read a file in the layout in which RouterBench is published.

        A row a query; for each model a column of quality under its name, one of cost under
        ``<model>|total_cost``, which is how models are found, and one of texts, which is not read.
        The column ``eval_name`` becomes the groups. A cell without quality is missing.

        Parameters
        ----------
        path : path
            Ends in ``.csv``, ``.parquet`` (both need the extra ``tables``), ``.pkl`` or
            ``.pickle``. Of a pickle nothing is executed, and pandas is not needed: it is taken
            apart as data, and refused if it names anything that a data frame of numbers and
            strings of pandas 2 or 3 does not.

        Raises
        ------
        ValueError
            Another layout, or a pickle that is refused; it says how to convert it.

        References
        ----------
        Q. J. Hu et al. (2024), RouterBench: A Benchmark for Multi-LLM Routing System,
        arXiv:2403.12031; https://huggingface.co/datasets/withmartian/routerbench.
        """
        return cls._of_arrays(arrays_of_routerbench(path))

    @classmethod
    def _of_arrays(cls, arrays: LogArrays) -> QueryLog:
        return cls(
            arrays.quality,
            arrays.cost,
            features=arrays.features,
            signals=arrays.signals,
            latency=arrays.latency,
            first_token_latency=arrays.first_token_latency,
            models=arrays.models,
            groups=arrays.groups,
        )

    @property
    def n_queries(self) -> int:
        """Number of queries, n."""
        return int(self.quality.shape[0])

    @property
    def n_models(self) -> int:
        """Number of models, k."""
        return int(self.quality.shape[1])

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not np.isnan(self.quality).any()

    def model_index(self, model: str | int) -> int:
        """Return the column of a model, given by name or by column."""
        if isinstance(model, str):
            if model not in self.models:
                raise ValueError(f"unknown model {model!r}: the log has {list(self.models)}")
            return self.models.index(model)
        column = check_integer("model", model, 0)
        if column >= self.n_models:
            raise ValueError(f"model {column} is not in a log of {self.n_models} models")
        return column

    def rows(self, chosen: ArrayLike) -> QueryLog:
        """Return the log of the queries at these positions, or where a mask is true."""
        where = as_array("rows", chosen)
        if where.dtype == np.bool_:
            if where.shape != (self.n_queries,):
                raise ValueError(f"a mask must have shape ({self.n_queries},), got {where.shape}")
            where = np.flatnonzero(where)
        if where.ndim != 1 or not len(where):
            raise ValueError(f"rows must be one or more positions, got shape {where.shape}")
        if where.dtype.kind not in "iu":
            raise TypeError(f"rows must be positions or a mask, got dtype {where.dtype}")
        positions = where.astype(np.int64)
        outside = (positions < 0) | (positions >= self.n_queries)
        if outside.any():
            rule = f"must be in 0 to {self.n_queries - 1}"
            raise value_error("rows", rule, positions, (int(np.argmax(outside)),))
        return self._taken(positions, np.arange(self.n_models))

    def subset(self, *, models: Sequence[str | int]) -> QueryLog:
        """Return the log of these models, by name or column, in this order."""
        if isinstance(models, str):
            raise TypeError(f"models must be a sequence of models, got the name {models!r}")
        columns = [self.model_index(model) for model in models]
        if not columns or len(set(columns)) < len(columns):
            raise ValueError(f"models must be different ones, at least one, got {list(models)}")
        return self._taken(np.arange(self.n_queries), np.asarray(columns))

    def split(self, share: float, *, seed: int = 0) -> tuple[QueryLog, QueryLog]:
        """Split the queries at random, group by group.

        Parameters
        ----------
        share : float
            Share of the queries in the first part, between 0 and 1. Neither part is left empty.
        seed : int
            Not negative. The same seed gives the same split.

        Returns
        -------
        tuple of QueryLog
            The two parts, each in the order of this log.
        """
        if not 0.0 < check_number("share", share) < 1.0:
            raise ValueError(f"share must be between 0 and 1, got {share}")
        if self.n_queries < 2:
            raise ValueError("a log of one query cannot be split")
        order = np.random.default_rng(check_integer("seed", seed, 0)).permutation(self.n_queries)
        if self.queries.groups is not None:
            _, label = np.unique(self.queries.groups, return_inverse=True)
            place = np.empty(self.n_queries)
            for group in range(label.max() + 1):
                members = order[label[order] == group]
                place[members] = (np.arange(len(members)) + 0.5) / len(members)
            order = order[np.argsort(place[order], kind="stable")]
        n_first = min(max(round(share * self.n_queries), 1), self.n_queries - 1)
        first = np.sort(order[:n_first])
        second = np.sort(order[n_first:])
        return self.rows(first), self.rows(second)

    def with_observed(
        self, *, features: ArrayLike | None = None, signals: ArrayLike | None = None
    ) -> QueryLog:
        """Return a log with other features or signals and all else as it is."""
        log = QueryLog(
            self.quality,
            self.cost,
            features=self.queries.features if features is None else features,
            signals=self.queries.signals if signals is None else signals,
            latency=self.latency,
            first_token_latency=self.first_token_latency,
            models=self.models,
            groups=self.queries.groups,
        )
        log.queries = Queries(
            self.queries.index,
            log.n_models,
            log.queries.features,
            log.queries.signals,
            log.queries.groups,
        )
        return log

    def _taken(self, rows: Integers, columns: Integers) -> QueryLog:
        log = QueryLog.__new__(QueryLog)
        cells = np.ix_(rows, columns)
        log.quality = self.quality[cells]
        log.cost = self.cost[cells]
        log.latency = None if self.latency is None else self.latency[cells]
        first = self.first_token_latency
        log.first_token_latency = None if first is None else first[cells]
        log.models = tuple(self.models[column] for column in columns)
        known = self.queries.rows(rows)
        signals = None if known.signals is None else known.signals[:, columns]
        log.queries = Queries(known.index, len(columns), known.features, signals, known.groups)
        log._close()
        return log

    def _close(self) -> None:
        """Let nobody write to the arrays: estimators and subsets look at them."""
        known = self.queries
        for array in (
            *(self.quality, self.cost, self.latency, self.first_token_latency),
            *(known.index, known.features, known.signals, known.groups),
        ):
            if array is not None:
                array.setflags(write=False)

    def __repr__(self) -> str:
        known = self.queries
        parts = [f"{self.n_queries} queries", f"{self.n_models} models"]
        if known.features is not None:
            parts.append(f"{known.features.shape[1]} features")
        if known.signals is not None:
            parts.append(f"{known.signals.shape[2]} signals")
        if known.groups is not None:
            parts.append(f"{len(np.unique(known.groups))} groups")
        return f"<QueryLog: {', '.join(parts)}>"


def _numbers(what: str, given: ArrayLike, ndim: int | tuple[int, ...], missing: bool) -> Floats:
    """Return float64; finite and within `LARGEST`, but for NaN where cells may be missing."""
    array = as_array(what, given)
    if array.dtype.kind not in "iufb" or not np.can_cast(array.dtype, np.float64, "safe"):
        raise TypeError(f"{what} must hold real numbers, got dtype {array.dtype}")
    allowed = ndim if isinstance(ndim, tuple) else (ndim,)
    if array.ndim not in allowed:
        dimensions = " or ".join(map(str, allowed))
        raise ValueError(f"{what} must have {dimensions} dimensions, got shape {array.shape}")
    floats: Floats = np.array(array, dtype=np.float64)
    refuse_values(what, floats, missing=missing)
    return floats


def _seconds(what: str, given: ArrayLike | None, absent: Bools) -> Floats | None:
    if given is None:
        return None
    seconds = _shaped(what, _numbers(what, given, 2, True), absent.shape)
    _refuse_missing(what, seconds, absent)
    _refuse_negative(what, seconds)
    return seconds


def _refuse_late_tokens(first: Floats, latency: Floats | None) -> None:
    if latency is None:
        raise ValueError("first_token_latency needs the latency of the whole answers")
    late = first > latency
    if late.any():
        where = tuple(int(i) for i in np.argwhere(late)[0])
        raise ValueError(
            f"first_token_latency must not be above the latency, got {first[where]} above "
            f"{latency[where]} at index {where}"
        )


def _shaped(what: str, array: Floats, shape: tuple[int, ...]) -> Floats:
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape of quality, {shape}, got {array.shape}")
    return array


def _refuse_missing(what: str, array: Floats, absent: Bools) -> None:
    lacking = np.isnan(array)
    lacking = (lacking if lacking.ndim == 2 else lacking.any(axis=2)) & ~absent
    if lacking.any():
        where = tuple(int(i) for i in np.argwhere(lacking)[0])
        raise ValueError(f"{what} is NaN at index {where}, where the quality is known")


def _refuse_negative(what: str, array: Floats) -> None:
    negative = array < 0.0
    if negative.any():
        where = tuple(int(i) for i in np.argwhere(negative)[0])
        raise ValueError(f"{what} must not be negative, got {array[where]} at index {where}")


def _labels(groups: ArrayLike, n: int) -> NDArray[np.generic]:
    """Return a copy of the labels, of one kind and none missing, so that they can be sorted."""
    labels = np.array(as_array("groups", groups))
    if labels.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), got {labels.shape}")
    if labels.dtype.kind == "u":  # a saved router has signed ones
        beyond = np.flatnonzero(labels > np.iinfo(np.int64).max)
        if len(beyond):
            where = int(beyond[0])
            raise ValueError(f"groups must be below 2**63, got {labels[where]} at index {where}")
        labels = labels.astype(np.int64)
    entries = labels.tolist()
    missing = [is_missing(entry) for entry in entries]
    if any(missing):
        raise ValueError(f"groups has no label at index {missing.index(True)}")
    if labels.dtype.kind == "O":
        if not all(isinstance(entry, str) for entry in entries):
            raise TypeError("groups must hold labels of one kind, such as str, got several")
        labels = np.array(entries)
    blank = [isinstance(entry, str | bytes) and not entry.strip() for entry in entries]
    if any(blank):
        raise ValueError(f"groups has an empty label at index {blank.index(True)}")
    return labels


def _names(models: Sequence[str] | None, k: int) -> tuple[str, ...]:
    if models is None:
        return tuple(f"model {i}" for i in range(k))
    if isinstance(models, str):
        raise TypeError(f"models must be a sequence of names, got the name {models!r}")
    names = tuple(models)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"models must be names, got {name!r}")
        if not name.strip():
            raise ValueError(f"models must have names that are not empty, got {list(names)}")
    if len(names) != k:
        raise ValueError(f"models must name {k} models, got {len(names)}")
    if len(set(names)) < k:
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"models must have different names, got {twice!r} twice")
    return names
