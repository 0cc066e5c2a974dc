"""What is known so far of queries, out of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrace._cli.columns import RAN, QueryColumns
from headrace._cli.errors import reading
from headrace._cli.files import Arrays, read_arrays_or_table
from headrace._log import Queries, QueryLog
from headrace._log_files import MODEL, Table, as_table, models_of
from headrace._problem import Bools, Floats


@dataclass(frozen=True, eq=False)
class Asked:
    """``n`` queries to be decided.

    Attributes
    ----------
    queries : Queries
    ran : bool array of shape (n, k)
        Models that have run: where the file has ``ran`` of a model, as it says; else where all
        signals of the model are there.
    dearer : bool array of shape (n,), or None
        Queries that take the dearer policy.
    """

    queries: Queries
    ran: Bools
    dearer: Bools | None


def read_queries(path: Path, models: Sequence[str], columns: QueryColumns) -> Asked:
    """Read queries to these models, of which a file need not name all."""
    with reading(path):
        arrays, table = read_arrays_or_table(path, columns)
        if arrays is not None:
            return _known_of_arrays(arrays, models).asked(models)
        return _known_of_table(as_table(table), columns).asked(models)


@dataclass(frozen=True, eq=False)
class _Known:
    """What a file says, in the order of the models that it names."""

    n: int
    models: Sequence[str]
    features: Any
    groups: Any
    signals: Floats | None
    """Shape (n, k, m)."""
    ran: dict[str, Bools]
    """By model; not of all."""
    dearer: Bools | None

    def asked(self, models: Sequence[str]) -> Asked:
        """Put it into the order of the router's models."""
        if not self.n:
            raise ValueError("there are no queries")
        for model in self.models:
            if model not in models:
                raise ValueError(f"unknown model {model!r}: the router has {list(models)}")
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"models must be different ones, got {list(self.models)}")
        shape = (self.n, len(models))
        signals = None
        if self.signals is not None:
            signals = np.full((*shape, self.signals.shape[2]), np.nan)
            signals[:, [models.index(model) for model in self.models]] = self.signals
        none = np.full(shape, np.nan)  # a log without labels checks the rest
        log = QueryLog(none, none, features=self.features, signals=signals, groups=self.groups)
        ran = np.zeros(shape, dtype=np.bool_)
        for column, model in enumerate(models):
            if model in self.ran:
                ran[:, column] = self.ran[model]
            elif signals is not None:
                ran[:, column] = _all_there(signals[:, column], model)
        return Asked(log.queries, ran, self.dearer)


def _known_of_table(table: Table, columns: QueryColumns) -> _Known:
    names = table.names
    ran = columns.ran or RAN
    templates = columns.signals_of(names) or []
    found = {template: models_of(names, template) for template in templates}
    found[ran] = models_of(names, ran)
    for template in (*columns.signals, *([ran] if columns.ran else [])):
        if not found[template]:
            raise ValueError(f"no column fits the template {template!r}")
    models = list(dict.fromkeys(model for each in found.values() for model in each))
    n = len(table.column(names[0])) if names else 0

    def cells(template: str) -> Floats:
        cells = np.full((n, len(models)), np.nan)
        for column, model in enumerate(models):
            if model in found[template]:
                name = template.replace(MODEL, model)
                cells[:, column] = table.numbers(name, f"signal of {model!r}")
        return cells

    def flags(name: str, what: str) -> Bools:
        return _flags(f"column {name!r}", table.numbers(name, what))

    features, group = columns.features_of(names), columns.group_of(names)
    dearer = columns.dearer_of(names)
    return _Known(
        n=n,
        models=models,
        features=features
        and np.column_stack([table.numbers(name, "a feature") for name in features]),
        groups=group and table.labels(group, "groups"),
        signals=np.stack([cells(template) for template in templates], axis=-1)
        if templates
        else None,
        ran={model: flags(ran.replace(MODEL, model), f"ran of {model!r}") for model in found[ran]},
        dearer=None if dearer is None else flags(dearer, "dearer"),
    )


def _known_of_arrays(arrays: Arrays, router_models: Sequence[str]) -> _Known:
    names = [name for name in ("features", "signals", "groups", "ran", "dearer") if name in arrays]
    if not names:
        raise ValueError("there must be an array features, signals, groups or ran")
    models = arrays["models"].tolist() if "models" in arrays else list(router_models)
    n, k = len(np.atleast_1d(arrays[names[0]])), len(models)
    _refuse_shape("signals", arrays, n, k, or_deeper=True)
    _refuse_shape("ran", arrays, n, k)
    _refuse_shape("dearer", arrays, n)
    signals, dearer = arrays.get("signals"), arrays.get("dearer")
    return _Known(
        n=n,
        models=models,
        features=arrays.get("features"),
        groups=arrays.get("groups"),
        signals=None if signals is None else signals.reshape(n, k, -1),
        ran={
            model: _flags("ran", arrays["ran"][:, column])
            for column, model in enumerate(models)
            if "ran" in arrays
        },
        dearer=None if dearer is None else _flags("dearer", dearer),
    )


def _refuse_shape(name: str, arrays: Arrays, *shape: int, or_deeper: bool = False) -> None:
    """Refuse an array, if it is there, of another shape; there may be one more axis."""
    if name not in arrays:
        return
    given = arrays[name].shape
    if given != shape and not (or_deeper and len(given) == 3 and given[:2] == shape):
        rule = f"{shape} or {(*shape, 'm')}" if or_deeper else f"{shape}"
        raise ValueError(f"{name} must have shape {rule}, got {given}")


def _all_there(signals: Floats, model: str) -> Bools:
    """Say where all signals of a model are there; some of them are not enough."""
    there = ~np.isnan(signals)
    everything: Bools = np.asarray(there.all(axis=1))
    partial = there.any(axis=1) & ~everything
    if partial.any():
        row = int(np.argmax(partial))
        raise ValueError(f"{model!r} has some of its signals in row {row}, but not all")
    return everything


def _flags(what: str, given: Any) -> Bools:
    """Return where it is 1; nothing counts as 0."""
    numbers = np.asarray(given, dtype=np.float64)
    odd = ~(np.isnan(numbers) | (numbers == 0.0) | (numbers == 1.0))
    if odd.any():
        row = int(np.argmax(odd))
        raise ValueError(f"{what} must hold 0 and 1, got {numbers[row]:g} in row {row}")
    return np.asarray(numbers == 1.0)
