"""Types of options, which refuse bad values before any work, and options that commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click

import headrace
from headrace._log_files import MODEL, is_template
from headrace._options import SEARCHES

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

PICTURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".parquet", ".npz")
INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)


def integer(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return the type of an integer within bounds."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = lowest - 1
        if number < lowest:
            raise click.BadParameter(f"{text!r} is not an integer of at least {lowest}")
        if highest is not None and number > highest:
            raise click.BadParameter(f"{text!r} is more than {highest}")
        return number

    return convert


def number(lowest: float = -math.inf) -> Callable[[str], float]:
    """Return the type of a finite number that is not below a bound."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise click.BadParameter(f"{text!r} is not a finite number")
        if value < lowest:
            raise click.BadParameter(f"{text!r} is below {lowest:g}")
        return value

    return convert


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """Return the type of a name."""

    def convert(text: str) -> str:
        if text not in names:
            raise click.BadParameter(f"{text!r} is none of {', '.join(names)}")
        return text

    return convert


def listed(each: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """Return the type of different values with commas between them."""

    def convert(text: str) -> tuple[T, ...]:
        found = tuple(each(part.strip()) for part in text.split(","))
        if len(set(found)) < len(found):
            raise click.BadParameter(f"{text!r} names something twice")
        return found

    return convert


def backend(name: str) -> str:
    """Return the name of a backend that can run here; ``auto`` is the fastest."""
    reasons = headrace.backends()
    if name == "auto":
        return next(name for name, reason in reasons.items() if reason is None)
    if name not in reasons:
        raise click.BadParameter(f"{name!r} is none of auto, {', '.join(reasons)}")
    if reasons[name] is not None:
        raise click.BadParameter(f"{name!r} is not available: {reasons[name]}")
    return name


def template(text: str) -> str:
    """Return names of columns with ``{model}`` in place of the model."""
    if not is_template(text):
        raise click.BadParameter(f"{text!r} does not have {MODEL!r} in it, once")
    return text


def new_file(*endings: str) -> Callable[[str], Path]:
    """Return the type of a file to write, with one of some endings if any are given."""

    def convert(text: str) -> Path:
        path = Path(text)
        if endings and path.suffix.lower() not in endings:
            raise click.BadParameter(f"{text!r} does not end in {', '.join(endings)}")
        if not path.parent.is_dir():
            raise click.BadParameter(f"{str(path.parent)!r} is not a directory")
        if os.path.exists(path) and not os.path.isfile(path):  # which a rename would replace
            raise click.BadParameter(f"{text!r} is not a file")
        return path

    return convert


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return the decorator that adds options in this order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


policy_options = together(
    click.option(
        "--search",
        type=click.Choice(SEARCHES),
        default="exact",
        show_default=True,
        help="For cascade_routing.",
    ),
    click.option(
        "--max-depth",
        type=integer(1),
        metavar="N",
        help="Most models that run on a query; not for the strategy index.",
    ),
    click.option(
        "--lookahead",
        type=number(0.0),
        metavar="X",
        help="Factor on the uncertainty.  [default: the best on the log]",
    ),
    click.option("--per-step", is_flag=True, help="Look for prices that differ from step to step."),
)
"""Of a router, by the names of its parameters."""

bootstrap_option = click.option(
    "--bootstrap",
    "n_bootstrap",
    type=integer(2),
    default=1000,
    show_default=True,
    metavar="N",
    help="Resamples of the queries for the 95 % intervals.",
)


def seed_option(of: str) -> Callable[[F], F]:
    """Return the option of a seed."""
    return click.option(
        "--seed", type=integer(0), default=0, show_default=True, metavar="N", help=f"Seed of {of}."
    )
