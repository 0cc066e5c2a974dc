"""``headrace select``: which model runs next for each query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from headrace._cli.columns import QueryColumns, query_columns, take_columns
from headrace._cli.errors import reading
from headrace._cli.files import csv_text, write_table
from headrace._cli.options import INPUT, TABLES, new_file
from headrace._cli.output import json_option, say
from headrace._cli.queries import Asked, read_queries
from headrace._router import Router, load_router

HELP = """\
Say for each of QUERIES which model ROUTER runs next, or whose answer to give.

QUERIES is a CSV or Parquet table with a row a query, or an NPZ file of arrays features, signals,
groups, ran, dearer and models (by default those of the router). It holds what is known so far: of
models that have not run, signals are empty.

The result has a row a query. next_model is the model to run; where it is empty, stop and give the
answer of the model in the column answer.
"""


@click.command("select", help=HELP)
@click.argument("router", type=INPUT)
@click.argument("queries", type=INPUT)
@click.option(
    "--output",
    type=new_file(*TABLES),
    metavar="FILE",
    help=f"Write the rows there ({', '.join(TABLES)}).  [default: print them as CSV]",
)
@query_columns
@json_option
def command(
    router: Path, queries: Path, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Load, read, decide, write."""
    columns = take_columns(QueryColumns, options)
    loaded = load_router(router)
    asked = read_queries(queries, loaded.models_, columns)
    with reading(queries):
        rows = decided(loaded, asked)
    if output is not None:
        write_table(output, rows)
    say(
        as_json,
        lambda: csv_text(rows)[:-1] if output is None else counts(rows["next_model"]),
        lambda: rows,
    )


def decided(router: Router, asked: Asked) -> dict[str, Sequence[str | None]]:
    """Return the columns of the result: names, or None."""
    chosen = router.select(asked.queries, asked.ran, dearer=asked.dearer).next_model
    stops = np.flatnonzero(chosen < 0)
    answers = np.full(len(chosen), -1)
    if len(stops):
        answers[stops] = router.answer(asked.queries.rows(stops), asked.ran[stops])

    def names(columns: Any) -> list[str | None]:
        return [None if column < 0 else router.models_[column] for column in columns]

    return {"next_model": names(chosen), "answer": names(answers)}


def counts(next_models: Sequence[str | None]) -> str:
    """Say how often each model runs next."""
    found = Counter(next_models)
    stops = found.pop(None, 0)
    runs = [f"{count:,} run {model}" for model, count in found.most_common()]
    return f"{len(next_models):,} queries: {', '.join([*runs, f'{stops:,} stop'])}"
