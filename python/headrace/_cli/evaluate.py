"""``headrace evaluate``: what a saved router gives and costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from headrace._cli.columns import LogColumns, log_columns, take_columns
from headrace._cli.errors import reading
from headrace._cli.logs import LOG_FILES, layout_option, read_log
from headrace._cli.options import INPUT, bootstrap_option, number, seed_option
from headrace._cli.output import json_option, say
from headrace._router import load_router

HELP = f"""\
Measure what ROUTER gives and costs on LOG, with 95 % intervals, also by group.

{LOG_FILES}
It must have the router's models; others are left out.
"""


@click.command("evaluate", help=HELP)
@click.argument("router", type=INPUT)
@click.argument("log", type=INPUT)
@layout_option
@log_columns
@click.option(
    "--estimate-cost",
    type=number(0.0),
    default=0.0,
    show_default=True,
    metavar="C",
    help="Charged for each estimate.",
)
@click.option(
    "--decision-cost",
    type=number(0.0),
    default=0.0,
    show_default=True,
    metavar="C",
    help="Charged for each decision.",
)
@bootstrap_option
@seed_option("the resamples")
@json_option
def command(router: Path, log: Path, layout: str, as_json: bool, **options: Any) -> None:
    """Load, read, evaluate, report."""
    columns = take_columns(LogColumns, options)
    loaded = load_router(router)
    rows = read_log(log, layout, columns)
    with reading(log):
        rows = rows.subset(models=loaded.models_)
    evaluation = loaded.evaluate(rows, **options)
    say(as_json, lambda: str(evaluation), lambda: asdict(evaluation))
