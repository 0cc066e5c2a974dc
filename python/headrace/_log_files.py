"""Tables and files into the arrays of a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._check import as_array
from headrace._pickled_table import Column, read_pickled_table
from headrace._problem import Floats

Columns = str | Mapping[str, str]
"""A template with ``{model}`` in it, or a column for each model."""
SignalColumns = str | Sequence[str] | Mapping[str, "str | Sequence[str]"]

MODEL = "{model}"
INSTALL = "pip install 'headrace[tables]'"
PICKLES = (".pkl", ".pickle")

Choice = Callable[[Sequence[str]], list[str]]
"""Picks columns of a file by their names."""


@dataclass(frozen=True)
class Table:
    """Names of columns, and how to get one."""

    names: list[str]
    column: Callable[[str], Column]

    def get(self, name: str, what: str) -> Column:
        """Return a column, or say what it was wanted for and what there is."""
        if name not in self.names:
            some = ", ".join(map(repr, self.names[:20])) + (", ..." if len(self.names) > 20 else "")
            raise ValueError(f"there is no column {name!r} ({what}); columns: {some}")
        return self.column(name)

    def numbers(self, name: str, what: str) -> Floats:
        """Return a column of numbers, NaN where one is missing."""
        column = self.get(name, what)
        if column.dtype.kind in "biuf":
            return column.astype(np.float64)
        entries = column.tolist()
        row = 0
        numbers = np.empty(len(column))
        try:
            for row, entry in enumerate(entries):
                numbers[row] = np.nan if entry is None or entry == "" else _number(entry)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"column {name!r} ({what}) must hold numbers, got {entries[row]!r} in row {row}"
            ) from None
        return numbers

    def labels(self, name: str, what: str) -> NDArray[np.generic]:
        """Return a column of labels, none of them missing."""
        column = self.get(name, what)
        missing = [is_missing(entry) for entry in column.tolist()]
        if any(missing):
            raise ValueError(f"column {name!r} ({what}) has no entry in row {missing.index(True)}")
        return np.array(column.tolist()) if column.dtype.kind == "O" else column


def is_missing(entry: object) -> bool:
    """Say whether an entry of a column is none: None, NaN or pandas' NA."""
    same: object = entry == entry
    return entry is None or not (same is True or (isinstance(same, np.bool_) and bool(same)))


def _number(entry: Any) -> float:
    """Return a number, or one that is written as in a file: Python's own underscores are none."""
    if isinstance(entry, str) and "_" in entry:
        raise ValueError(entry)
    return float(entry)


@dataclass(frozen=True)
class LogArrays:
    """The arguments of `QueryLog`."""

    models: list[str]
    quality: Floats
    cost: Floats
    latency: Floats | None
    first_token_latency: Floats | None
    features: Floats | None
    signals: Floats | None
    groups: NDArray[np.generic] | None


def arrays_of_table(
    table: Any,
    *,
    quality: Columns,
    cost: Columns,
    latency: Columns | None,
    first_token_latency: Columns | None,
    features: Sequence[str] | None,
    signals: SignalColumns | None,
    groups: str | None,
) -> LogArrays:
    """Pick the columns of a log out of a table; see `QueryLog.from_table`."""
    source = as_table(table)
    given: dict[str, Columns] = {"quality": quality, "cost": cost}
    if latency is not None:
        given["latency"] = latency
    if first_token_latency is not None:
        given["first_token_latency"] = first_token_latency
    for place, each in enumerate(_signals(signals)):
        given[f"signal {place}"] = each
    models = _models(source.names, given)

    def cells(what: str) -> Floats:
        return np.column_stack(
            [
                source.numbers(_column_of(given[what], model, what), f"{what} of {model!r}")
                for model in models
            ]
        )

    told = [cells(what) for what in given if what.startswith("signal ")]
    if isinstance(features, str):
        raise TypeError(f"features must be a sequence of columns, got the name {features!r}")
    known = None
    if features is not None and len(features):
        known = np.column_stack([source.numbers(name, "a feature") for name in features])
    return LogArrays(
        models=models,
        quality=cells("quality"),
        cost=cells("cost"),
        latency=cells("latency") if "latency" in given else None,
        first_token_latency=(
            cells("first_token_latency") if "first_token_latency" in given else None
        ),
        features=known,
        signals=np.stack(told, axis=-1) if told else None,
        groups=None if groups is None else source.labels(groups, "groups"),
    )


def arrays_of_routerbench(path: str | PathLike[str]) -> LogArrays:
    """Read a file in RouterBench's layout; see `QueryLog.from_routerbench`."""
    file = Path(fspath(path))
    endings = [*TABLE_FILES, *PICKLES]
    if file.suffix.lower() not in endings:
        raise ValueError(
            f"the name of a RouterBench file must end in one of {endings}, got {file.name!r}"
        )
    pickled = file.suffix.lower() in PICKLES
    return arrays_of_table(
        read_pickled_table(file) if pickled else read_table_file(file, _of_a_log),
        quality=MODEL,
        cost=f"{MODEL}|total_cost",
        latency=None,
        first_token_latency=None,
        features=None,
        signals=None,
        groups="eval_name",
    )


def as_table(given: Any) -> Table:
    """Accept a mapping of columns, or whatever narwhals knows as a data frame."""
    if isinstance(given, Mapping):
        return Table(list(given), lambda name: as_array(f"column {name!r}", given[name]))
    try:
        import narwhals.stable.v2 as nw
    except ImportError:
        raise ImportError(f"tables are read with narwhals: {INSTALL}") from None
    try:
        frame: nw.DataFrame[Any] = nw.from_native(given, eager_only=True)
    except TypeError:
        raise TypeError(
            "table must be a pandas, Polars or pyarrow table (a lazy one is to be collected "
            f"first) or a mapping of columns, got {type(given).__name__}"
        ) from None

    def column(name: str) -> Column:
        series = frame.get_column(name)
        kept = series.dtype.is_integer() or series.dtype == nw.Boolean
        if kept and not series.is_null().any():
            return np.asarray(series.to_numpy())  # labels stay apart
        if series.dtype.is_numeric() or series.dtype == nw.Boolean:
            floats: Column = np.asarray(
                series.cast(nw.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64
            )
            return floats
        objects = np.empty(len(series), dtype=object)
        objects[:] = series.to_list()
        return objects

    return Table(list(frame.columns), column)


def _signals(given: SignalColumns | None) -> list[Columns]:
    """Return one template, or one mapping of models to columns, for each signal."""
    if given is None:
        return []
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Mapping):
        return list(given)
    lists = {
        model: [names] if isinstance(names, str) else list(names) for model, names in given.items()
    }
    counts = {len(names) for names in lists.values()}
    if len(counts) != 1:
        raise ValueError(f"signals must name as many columns for every model, got {dict(given)}")
    return [{model: names[i] for model, names in lists.items()} for i in range(counts.pop())]


def _models(names: Sequence[str], given: Mapping[str, Columns]) -> list[str]:
    """Find the models: the keys of mappings, else what stands for {model} in the columns."""
    found: dict[str, list[str]] = {}
    for what, columns in given.items():
        if isinstance(columns, Mapping):
            found[what] = list(columns)
        elif not is_template(columns):
            raise ValueError(
                f"{what} must be a column for each model, or a template with one {MODEL!r}, "
                f"got {columns!r}"
            )
    if not found:
        for what, columns in given.items():
            if columns != MODEL:
                found[what] = models_of(names, str(columns))
        if not found:
            raise ValueError(f"every template is {MODEL!r}, which any column fits: name the models")
    first, models = next(iter(found.items()))
    if not models:
        raise ValueError(f"no column fits the template {given[first]!r} of {first}")
    for what, others in found.items():
        odd = sorted(set(models) ^ set(others))
        if odd:
            has, lacks = (first, what) if odd[0] in models else (what, first)
            raise ValueError(f"model {odd[0]!r} has a column of {has}, but none of {lacks}")
    return models


def is_template(given: object) -> bool:
    """Say whether columns are given by a template."""
    return isinstance(given, str) and given.count(MODEL) == 1


def models_of(names: Sequence[str], template: str) -> list[str]:
    """Return what stands for {model} in the columns that fit a template."""
    before, after = template.split(MODEL)
    pattern = re.compile(re.escape(before) + "(.+)" + re.escape(after), re.DOTALL)
    return [match[1] for match in map(pattern.fullmatch, names) if match]


def _column_of(columns: Columns, model: str, what: str) -> str:
    if isinstance(columns, str):
        return columns.replace(MODEL, model)
    if not isinstance(columns[model], str):
        raise TypeError(f"{what} of {model!r} must be the name of a column, got {columns[model]!r}")
    return columns[model]


def _of_a_log(names: Sequence[str]) -> list[str]:
    """Return the columns that are read of a RouterBench file, without its texts."""
    return [name for name in names if name != "prompt" and not name.endswith("|model_response")]


def read_table_file(path: Path, choose: Choice) -> Any:
    """Return a table of the chosen columns of a CSV or Parquet file, by its ending."""
    return TABLE_FILES[path.suffix.lower()](path, choose)


def _read_csv(path: Path, choose: Choice) -> Any:
    csv = _pyarrow("csv")
    # Answers have line breaks in them, and a row must fit into a block.
    options = {
        "parse_options": csv.ParseOptions(newlines_in_values=True),
        "read_options": csv.ReadOptions(block_size=2**26),
    }
    with csv.open_csv(path, **options) as file:
        names = file.schema.names
    chosen = csv.ConvertOptions(include_columns=choose(names))
    return csv.read_csv(path, convert_options=chosen, **options)


def _read_parquet(path: Path, choose: Choice) -> Any:
    parquet = _pyarrow("parquet")
    return parquet.read_table(path, columns=choose(parquet.read_schema(path).names))


def _pyarrow(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"pyarrow.{module}")
    except ImportError:
        raise ImportError(f"CSV and Parquet files are read with pyarrow: {INSTALL}") from None


TABLE_FILES: dict[str, Callable[[Path, Choice], Any]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
"""Readers of tables, by the ending of the name."""
