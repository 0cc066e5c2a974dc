"""Logs of answers out of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from headrace._cli.columns import COST, QUALITY, LogColumns
from headrace._cli.errors import reading
from headrace._cli.files import ARRAYS_OF_LOG, read_arrays_or_table
from headrace._log import QueryLog
from headrace._log_files import as_table

HEADRACE, ROUTERBENCH = "headrace", "routerbench"

layout_option = click.option(
    "--layout",
    type=click.Choice([HEADRACE, ROUTERBENCH]),
    default=HEADRACE,
    show_default=True,
    help="What the file looks like: as the options of columns say, or as RouterBench publishes.",
)

LOG_FILES = """\
LOG is a CSV or Parquet table with a row a query, or an NPZ file of arrays that are named as the
arguments of headrace.QueryLog (quality, cost, features, signals, latency, first_token_latency,
models, groups).
"""


def read_log(path: Path, layout: str, columns: LogColumns) -> QueryLog:
    """Read a log."""
    with reading(path):
        if layout == ROUTERBENCH:
            if columns != LogColumns():
                raise ValueError("--layout routerbench knows its columns: leave their options out")
            return QueryLog.from_routerbench(path)
        arrays, table = read_arrays_or_table(path, columns)
        if arrays is not None:
            return _log_of_arrays(arrays)
        names = as_table(table).names
        return QueryLog.from_table(
            table,
            quality=columns.quality or QUALITY,
            cost=columns.cost or COST,
            latency=columns.latency_of(names),
            first_token_latency=columns.first_token_of(names),
            features=columns.features_of(names),
            signals=columns.signals_of(names),
            groups=columns.group_of(names),
        )


def _log_of_arrays(arrays: dict[str, Any]) -> QueryLog:
    given = {name: array for name, array in arrays.items() if name in ARRAYS_OF_LOG}
    for name in ("quality", "cost"):
        if name not in given:
            raise ValueError(f"there is no array {name!r}; arrays: {', '.join(arrays) or 'none'}")
    if "models" in given:
        if given["models"].ndim != 1:
            raise ValueError(f"models must have shape (k,), got {given['models'].shape}")
        given["models"] = given["models"].tolist()
    return QueryLog(**given)
