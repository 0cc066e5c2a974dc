"""``headrace demo``: four strategies on a simulated workload."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from headrace._cli.errors import CommandError, writing
from headrace._cli.options import PICTURES, backend, integer, new_file
from headrace._cli.output import json_option, say
from headrace._demo.main import run_demo
from headrace._demo.workload import NOISE

HELP = """\
Simulate queries to 11 language models with the average costs and qualities that RouterBench
publishes, let routing, cascade, cascade routing and the index rule answer them, print a table at
one budget and draw the cost-quality curves. Needs no data; the same seed gives the same answers.
"""


@click.command("demo", help=HELP, context_settings={"show_default": True})
@click.option(
    "--queries",
    "n_queries",
    type=integer(100),
    default=20_000,
    metavar="N",
    help="Number of queries.",
)
@click.option(
    "--noise",
    type=click.Choice(list(NOISE)),
    default="medium",
    help="How noisily quality is observed.",
)
@click.option("--seed", type=integer(0), default=0, metavar="N", help="Seed of the simulation.")
@click.option(
    "--lambdas",
    "n_lambdas",
    type=integer(2),
    default=12,
    metavar="N",
    help="Prices for each strategy.",
)
@click.option(
    "--output",
    type=new_file(*PICTURES),
    default="headrace-demo.png",
    metavar="FILE",
    help=f"The picture ({', '.join(PICTURES)}).",
)
@click.option(
    "--backend",
    type=backend,
    default=lambda: os.environ.get("HEADRACE_BACKEND") or "auto",
    show_default="auto",
    metavar="NAME",
    help="What decides.",
)
@json_option
def command(
    n_queries: int,
    noise: str,
    seed: int,
    n_lambdas: int,
    output: Path,
    backend: str,
    as_json: bool,
) -> None:
    """Check what is needed, and run."""
    try:
        import matplotlib  # noqa: F401
        import tqdm  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f'the demo draws a picture ({error}): pip install "headrace[cli]"'
        ) from None
    demo = run_demo(n_queries, noise, seed, n_lambdas, backend)
    with writing(output):
        demo.draw(output)
    say(as_json, partial(demo.text, output), partial(demo.document, output))
