"""``headrace fit``: from a log to a saved router."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from headrace._cli.columns import LogColumns, log_columns, take_columns
from headrace._cli.errors import writing
from headrace._cli.estimators import estimator_options, make_estimator
from headrace._cli.logs import LOG_FILES, layout_option, read_log
from headrace._cli.options import INPUT, new_file, number, policy_options, seed_option
from headrace._cli.output import json_option, progress, say
from headrace._log import QueryLog
from headrace._policy import POLICIES
from headrace._router import Router

HELP = f"""\
Learn estimates from LOG and the price that meets a target, and save the router.

{LOG_FILES}
Give just one of --budget, --quality and --lambda.
"""


@click.command("fit", help=HELP)
@click.argument("log", type=INPUT)
@click.option(
    "--output", type=new_file(), required=True, metavar="ROUTER", help="The saved router."
)
@click.option("--budget", type=number(0.0), metavar="B", help="Mean cost of a query to meet.")
@click.option("--quality", "target", type=number(), metavar="Q", help="Mean quality to reach.")
@click.option(
    "--lambda", "lambda_", type=number(0.0), metavar="L", help="Price of cost in units of quality."
)
@estimator_options
@click.option(
    "--strategy",
    type=click.Choice(POLICIES),
    default="cascade_routing",
    show_default=True,
    help="What may be chosen.",
)
@policy_options
@layout_option
@log_columns
@seed_option("the draws of qualities")
@json_option
def command(
    log: Path,
    output: Path,
    budget: float | None,
    target: float | None,
    lambda_: float | None,
    estimator: str,
    calibration: str | None,
    layout: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Check the options, fit, save, report."""
    targets = {"budget": budget, "quality": target, "lambda": lambda_}
    given = {name: value for name, value in targets.items() if value is not None}
    if len(given) != 1:
        raise click.UsageError("give just one of --budget, --quality and --lambda")
    columns = take_columns(LogColumns, options)
    router = Router(make_estimator(estimator, calibration), lambda_=lambda_, **options)
    router.policy(1.0)  # faulty options fail before any work
    rows = read_log(log, layout, columns)
    router.fit(rows, budget=budget, quality=target, progress=progress())
    with writing(output):
        router.save(output)
    say(as_json, lambda: report(router, rows, output), lambda: described(router, rows, given))


def report(router: Router, log: QueryLog, output: Path) -> str:
    """Say in words what was learned."""
    price = "threshold" if router.strategy == "threshold_cascade" else "lambda"
    lines = [
        f"{output}: {router.strategy} over {len(router.models_)} models, "
        f"from {log.n_queries:,} queries",
        f"{price} {router.lambdas_[0]:.6g}, gamma {router.gamma_:.4g}, "
        f"look-ahead {router.lookahead_:g}",
    ]
    if len(router.step_factors_) > 1:
        lines.append(f"factors by step: {', '.join(f'{f:.4g}' for f in router.step_factors_)}")
    return "\n".join(lines)


def described(router: Router, log: QueryLog, target: dict[str, float]) -> dict[str, Any]:
    """Return what was learned, under the names of `Router`."""
    return {
        "target": target,
        "strategy": router.strategy,
        "estimator": type(router.estimator_).__name__,
        "n_queries": log.n_queries,
        "models": list(router.models_),
        "order": [router.models_[column] for column in router.order_],
        "lambdas": list(router.lambdas_),
        "gamma": router.gamma_,
        "lookahead": router.lookahead_,
        "step_factors": list(router.step_factors_),
    }
