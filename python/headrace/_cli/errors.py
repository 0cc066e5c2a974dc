"""Every error in one line on stderr, with its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130


class CommandError(click.ClickException):
    """Why a command ends, and with which exit code."""

    exit_code = BAD_INPUT

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

    def show(self, file: object = None) -> None:
        """Print one line on stderr."""
        del file
        click.echo(f"headrace: error: {self.message}", err=True)


class FailureError(CommandError):
    """The input was good, but something else was not."""

    exit_code = FAILED


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what the package and click raise into a `CommandError`."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
        raise CommandError(error.format_message().rstrip(".") + where) from None
    except BrokenPipeError:  # the reader of the output has had enough; click exits quietly
        raise
    except ImportError as error:
        hint = "" if "pip install" in str(error) else ': pip install "headrace[cli]"'
        raise CommandError(f"{error}{hint}") from None
    except OSError as error:
        raise CommandError(reason(error)) from None
    except (ValueError, TypeError) as error:
        raise CommandError(str(error)) from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say of an error which file it was in."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None
    except (ValueError, TypeError) as error:
        raise CommandError(f"{path}: {error}") from None


@contextmanager
def writing(what: Path | str) -> Iterator[None]:
    """Say of an error which file could not be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"{what} could not be written: {error.strerror or error}"
        raise FailureError(message) from None


def reason(error: OSError) -> str:
    """Return what happened to which file."""
    what = error.strerror or str(error)
    return what if error.filename is None else f"{error.filename}: {what}"
