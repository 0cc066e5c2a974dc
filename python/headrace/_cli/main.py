"""The group of commands: a row for each, imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

import headrace
from headrace._cli.errors import one_line_errors

COMMANDS = {
    "fit": "Learn a router from a log, and save it.",
    "evaluate": "Measure what a saved router gives and costs on a log.",
    "frontier": "Compare strategies at many budgets on a log.",
    "select": "Say which model runs next for each query, or to stop.",
    "bench": "Measure decisions a second as the number of models grows.",
    "demo": "Compare four strategies on a simulated workload.",
}
"""Each is the object ``command`` of the module of its name beside this one."""

EPILOG = """\
Exit codes: 0 all went well; 1 a file could not be written, or backends disagree; 2 bad input;
130 interrupted. Errors are one line on stderr.
"""


class Commands(click.Group):
    """A group that imports a command when it is called, and words errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"headrace._cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments before the command."""
        with one_line_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Parse the arguments of the command and run it."""
        with one_line_errors():
            return super().invoke(ctx)


@click.group(cls=Commands, help=headrace.__doc__, epilog=EPILOG)
@click.version_option(headrace.__version__, message="headrace %(version)s")
def cli() -> None:
    """Do nothing before the command."""
