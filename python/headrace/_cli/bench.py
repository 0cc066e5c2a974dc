"""``headrace bench``: decisions a second as the number of models grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

import headrace
from headrace._bench import ROUNDS, SLOW, DisagreementError, Timing, measure
from headrace._check import MAX_MODELS, MAX_THREADS
from headrace._cli.errors import FailureError
from headrace._cli.options import backend, integer, listed, one_of, seed_option
from headrace._cli.output import json_option, progress, say
from headrace._options import SEARCHES, STRATEGIES
from headrace._text_table import text_table

HELP = f"""\
Let backends decide the same random queries, and print decisions a second by the number of models.
All answers that are timed are compared bit by bit.

Quality, cost and lambda are uniform between 0 and 1, with a standard deviation of 0.1. The
{SLOW} enumerates all options, so it takes fewer of the queries, and none where they are too many.
"""


@click.command("bench", help=HELP)
@click.option(
    "--models",
    type=listed(integer(1, MAX_MODELS)),
    default="5,20,50",
    show_default=True,
    metavar="K,...",
    help="Numbers of models.",
)
@click.option(
    "--queries",
    "n_queries",
    type=integer(1),
    default=2000,
    show_default=True,
    metavar="N",
    help="Queries in a batch.",
)
@click.option(
    "--strategy",
    "strategies",
    type=listed(one_of(STRATEGIES)),
    default="cascade_routing",
    show_default=True,
    metavar="NAME,...",
    help=f"Of {', '.join(STRATEGIES)}.",
)
@click.option(
    "--search",
    type=click.Choice([search for search in SEARCHES if search != "exhaustive"]),
    default="exact",
    show_default=True,
    help="For cascade_routing.",
)
@click.option(
    "--backend",
    "backends",
    type=listed(backend),
    metavar="NAME,...",
    help="What decides.  [default: all there are]",
)
@click.option(
    "--threads",
    "n_threads",
    type=integer(1, MAX_THREADS),
    default=1,
    show_default=True,
    metavar="N",
    help="Threads.",
)
@seed_option("the queries")
@json_option
def command(
    models: tuple[int, ...],
    n_queries: int,
    strategies: tuple[str, ...],
    search: str,
    backends: tuple[str, ...] | None,
    n_threads: int,
    seed: int,
    as_json: bool,
) -> None:
    """Measure every number of models with every strategy."""
    from tqdm import tqdm

    names = backends or tuple(name for name, why in headrace.backends().items() if why is None)
    pairs = [(strategy, k) for strategy in strategies for k in models]
    timings: list[Timing] = []
    with tqdm(total=len(pairs) * ROUNDS, leave=False, disable=not progress()) as bar:
        for strategy, k in pairs:
            bar.set_description(f"{strategy}, {k} models")
            try:
                timings += measure(
                    k,
                    strategy,
                    names,
                    n_queries=n_queries,
                    search=search,
                    n_threads=n_threads,
                    seed=seed,
                    progress=bar.update,
                )
            except DisagreementError as error:
                raise FailureError(str(error)) from None
    scene = f"{n_queries:,} queries, threads: {n_threads}, median of {ROUNDS} rounds"
    say(
        as_json,
        lambda: f"decisions a second: {scene}\n\n{table(timings, names)}",
        lambda: {
            "n_queries": n_queries,
            "n_threads": n_threads,
            "search": search,
            "seed": seed,
            "rounds": ROUNDS,
            "timings": [described(timing) for timing in timings],
        },
    )


def table(timings: Sequence[Timing], backends: Sequence[str]) -> str:
    """Return a row for each strategy and number of models, a column for each backend."""
    rows = [["strategy", "models", *backends]]
    for at in range(0, len(timings), len(backends)):
        each = timings[at : at + len(backends)]
        speeds = [timing.decisions_per_second for timing in each]
        cells = ["-" if speed is None else f"{speed:,.0f}" for speed in speeds]
        rows.append([each[0].strategy, str(each[0].models), *cells])
    return text_table(rows)


def described(timing: Timing) -> dict[str, Any]:
    """Return a timing, under the names of `Timing`."""
    return {
        "strategy": timing.strategy,
        "models": timing.models,
        "backend": timing.backend,
        "queries": timing.queries,
        "decisions_per_second": timing.decisions_per_second,
    }
