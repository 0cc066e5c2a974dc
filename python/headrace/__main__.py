"""Command line: ``python -m headrace demo``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import headrace


def count(at_least: int) -> type[int]:
    """Return a parser of integers that are not below a bound."""

    class Count(int):
        def __new__(cls, text: str) -> Count:
            value = super().__new__(cls, text)
            if value < at_least:
                raise argparse.ArgumentTypeError(f"must be at least {at_least}, got {value}")
            return value

    Count.__name__ = "integer"
    return Count


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="headrace", description=headrace.__doc__)
    parser.add_argument("--version", action="version", version=f"headrace {headrace.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="run four strategies on a simulated workload; print a table and draw a picture",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo.add_argument("--queries", type=count(1), default=20_000, help="number of queries")
    demo.add_argument(
        "--noise", choices=("low", "medium", "high"), default="medium", help="of the estimates"
    )
    demo.add_argument("--seed", type=count(0), default=0, help="of the simulation")
    demo.add_argument("--lambdas", type=count(2), default=14, help="values of lambda to try")
    demo.add_argument(
        "--output", type=Path, default=Path("headrace-demo.png"), help="where the picture goes"
    )
    demo.add_argument("--backend", help="backend that decides; the fastest there is if not given")
    options = parser.parse_args(arguments)

    from headrace._demo.main import demo as run_demo

    try:
        return run_demo(
            int(options.queries),
            options.noise,
            int(options.seed),
            int(options.lambdas),
            options.output,
            options.backend,
        )
    except (ValueError, OSError) as error:
        print(f"headrace demo: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
