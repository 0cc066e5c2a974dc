"""The command line: ``python -m headrace demo``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import headrace
from headrace._demo.main import run_demo
from headrace._demo.workload import NOISE
from headrace._embed import print_folder

FORMATS = (".png", ".svg", ".pdf")

DESCRIPTION = """\
Simulate queries to 11 language models with the average costs and qualities that RouterBench
publishes, let routing, cascade, cascade routing and the index rule answer them, print a table at
one budget and draw the cost-quality curves. Needs no data; the same seed gives the same answers.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit with code 2 if it cannot be, for its arguments or a missing package."""
    parser = make_parser()
    parsed = parser.parse_args(arguments)
    try:
        import matplotlib  # noqa: F401
        import tqdm  # noqa: F401
    except ImportError as error:
        parser.exit(2, f'the demo draws a picture ({error}): pip install "headrace[demo]"\n')
    try:
        run_demo(
            n_queries=parsed.queries,
            noise=parsed.noise,
            seed=parsed.seed,
            n_lambdas=parsed.lambdas,
            output=parsed.output,
            backend=parsed.backend,
        )
    except OSError as error:
        parser.exit(1, f"the picture could not be written: {error}\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; it refuses bad values with exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m headrace", description=headrace.__doc__)
    parser.add_argument("--version", action="version", version=f"headrace {headrace.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="compare four strategies on a simulated workload",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo.add_argument(
        "--queries", type=at_least(100), default=20_000, metavar="N", help="number of queries"
    )
    demo.add_argument(
        "--noise", choices=tuple(NOISE), default="medium", help="how noisily quality is observed"
    )
    demo.add_argument(
        "--seed", type=at_least(0), default=0, metavar="N", help="seed of the simulation"
    )
    demo.add_argument(
        "--lambdas", type=at_least(2), default=12, metavar="N", help="prices for each strategy"
    )
    demo.add_argument(
        "--output",
        type=picture,
        default="headrace-demo.png",
        metavar="FILE",
        help=f"the picture ({', '.join(FORMATS)})",
    )
    demo.add_argument(
        "--backend",
        type=backend,
        default=os.environ.get("HEADRACE_BACKEND") or "auto",
        metavar="NAME",
        help=f"what decides: auto (the fastest there is), {', '.join(headrace.backends())}",
    )
    return parser


def at_least(minimum: int) -> Callable[[str], int]:
    """Return the type of an integer argument of at least ``minimum``."""

    def integer(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer of at least {minimum}")
        return value

    return integer


def picture(text: str) -> Path:
    """Return the path of a picture that can be written."""
    path = Path(text)
    if path.suffix.lower() not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{str(path.parent)!r} is not a directory")
    return path


def backend(name: str) -> str:
    """Return the name of an available backend."""
    reasons = headrace.backends()
    if name == "auto":
        return next(name for name, reason in reasons.items() if reason is None)
    if name not in reasons:
        raise argparse.ArgumentTypeError(f"{name!r} is none of auto, {', '.join(reasons)}")
    if reasons[name] is not None:
        raise argparse.ArgumentTypeError(f"{name!r} is not available: {reasons[name]}")
    return name


if __name__ == "__main__" and not print_folder(sys.argv[1:]):
    main()
