"""What a command says: text for people or one JSON document; progress for a terminal alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import click

from headrace._cli.errors import CommandError, writing

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else."
)


def say(as_json: bool, text: Callable[[], str], document: Callable[[], Mapping[str, Any]]) -> None:
    """Print the text, or the document as JSON, on stdout."""
    content = json.dumps(document(), allow_nan=False, indent=2) if as_json else text()
    try:
        with writing("the standard output"):
            click.echo(content)
    except CommandError:
        _drop_output()
        raise


def progress() -> bool:
    """Say whether somebody looks at stderr."""
    return sys.stderr.isatty()


def _drop_output() -> None:
    """Let the interpreter, as it ends, not try again to write what could not be written."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
