"""``headrace frontier``: strategies side by side at many budgets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from headrace._atomic_file import save_picture
from headrace._cli.columns import LogColumns, log_columns, take_columns
from headrace._cli.errors import reading, writing
from headrace._cli.estimators import estimator_options, make_estimator
from headrace._cli.logs import LOG_FILES, layout_option, read_log
from headrace._cli.options import (
    INPUT,
    PICTURES,
    bootstrap_option,
    integer,
    listed,
    new_file,
    number,
    one_of,
    policy_options,
    seed_option,
)
from headrace._cli.output import json_option, progress, say
from headrace._frontier import Frontier, frontier
from headrace._policy import POLICIES
from headrace._router import Router

HELP = f"""\
Tune strategies for many budgets on one part of LOG, and measure them on the other.

{LOG_FILES}"""
SHARE = 0.5


@click.command("frontier", help=HELP)
@click.argument("log", type=INPUT)
@click.option("--test", type=INPUT, metavar="LOG2", help="Measure on this log, and tune on LOG.")
@click.option(
    "--share",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    metavar="X",
    help=f"Share of LOG to tune on, drawn within groups.  [default: {SHARE}]",
)
@click.option(
    "--strategies",
    type=listed(one_of(POLICIES)),
    default="routing,threshold_cascade,cascade,cascade_routing,index",
    show_default=True,
    metavar="NAME,...",
    help="What is compared.",
)
@click.option(
    "--budgets", type=listed(number(0.0)), metavar="B,...", help="Mean costs to tune for."
)
@click.option(
    "--n-budgets",
    type=integer(2),
    metavar="N",
    help="About so many, spread over the range of costs.  [default: 20]",
)
@click.option("--plot", type=new_file(*PICTURES), metavar="FILE", help="Draw the curves.")
@estimator_options
@policy_options
@layout_option
@log_columns
@bootstrap_option
@seed_option("the split and of the resamples")
@json_option
def command(
    log: Path,
    test: Path | None,
    share: float | None,
    strategies: tuple[str, ...],
    budgets: tuple[float, ...] | None,
    n_budgets: int | None,
    plot: Path | None,
    estimator: str,
    calibration: str | None,
    layout: str,
    n_bootstrap: int,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Check the options, split, measure, draw, report."""
    if test is not None and share is not None:
        raise click.UsageError("--test and --share exclude each other")
    if budgets is not None and n_budgets is not None:
        raise click.UsageError("--budgets and --n-budgets exclude each other")
    if plot is not None:
        import matplotlib  # noqa: F401  # fails before any work
    learner = make_estimator(estimator, calibration)
    columns = take_columns(LogColumns, options)
    routers = {name: Router(learner, strategy=name, **options) for name in strategies}
    for router in routers.values():
        router.policy(1.0)  # faulty options fail before any work
    train = read_log(log, layout, columns)
    if test is None:
        train, tested = train.split(SHARE if share is None else share, seed=seed)
    else:
        tested = read_log(test, layout, columns)
        with reading(test):
            tested = tested.subset(models=train.models)
    found = frontier(
        learner,
        train,
        tested,
        strategies=routers,
        budgets=budgets,
        n_budgets=n_budgets or 20,
        seed=seed,
        progress=progress(),
    )
    if plot is not None:
        draw(found, plot)
    say(as_json, lambda: found.table(n_bootstrap), lambda: described(found, n_bootstrap))


def draw(found: Frontier, path: Path) -> None:
    """Save the picture."""
    from matplotlib.figure import Figure

    figure = found.plot().figure
    assert isinstance(figure, Figure)  # not a part of one
    with writing(path):
        save_picture(figure, path)


def described(found: Frontier, n_bootstrap: int) -> dict[str, Any]:
    """Return curves, areas and differences, under the names of `Frontier`."""
    return {
        "budgets": found.budgets.tolist(),
        "models": list(found.models),
        "model_costs": found.model_costs.tolist(),
        "model_qualities": found.model_qualities.tolist(),
        "curves": {
            name: {
                "costs": curve.costs.tolist(),
                "qualities": curve.qualities.tolist(),
                "models_per_query": curve.query_models.mean(axis=0).tolist(),
                "latencies": None
                if curve.query_latencies is None
                else curve.query_latencies.mean(axis=0).tolist(),
                "lookahead": curve.lookahead,
            }
            for name, curve in found.curves.items()
        },
        "auc": {name: asdict(area) for name, area in found.auc(n_bootstrap).items()},
        "differences": [
            {"of": one, "minus": other, **asdict(gap)}
            for (one, other), gap in found.differences(n_bootstrap).items()
        ],
    }
