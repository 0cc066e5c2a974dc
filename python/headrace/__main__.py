"""The command line: ``headrace``, or ``python -m headrace``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from headrace._embed import print_folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; with code 2 where click is missing."""
    try:
        import click  # noqa: F401
    except ImportError as error:
        hint = 'pip install "headrace[cli]"'
        print(f"headrace: error: the command line needs click ({error}): {hint}", file=sys.stderr)
        sys.exit(2)
    from headrace._cli.main import cli

    cli.main(arguments)


if __name__ == "__main__" and not print_folder(sys.argv[1:]):
    main()
