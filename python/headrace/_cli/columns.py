"""Which columns of a table are what: the default layout, and the options that name others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import click

from headrace._cli.options import template, together
from headrace._log_files import MODEL, models_of

QUALITY, COST = f"{MODEL}|quality", f"{MODEL}|cost"
LATENCY, FIRST_TOKEN = f"{MODEL}|latency", f"{MODEL}|first_token_latency"
SIGNAL, RAN = f"{MODEL}|signal", f"{MODEL}|ran"
FEATURE = "feature|"
GROUP, DEARER = "group", "dearer"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class ObservedColumns:
    """Columns of what is known without labels; what is not given is looked for by default.

    Attributes
    ----------
    signals : tuple of str
        A template for each signal; by default `SIGNAL`, if there are such columns.
    features : tuple of str
        Columns, in this order; by default those that begin with `FEATURE`, by name.
    group : str, or None
        Column of labels; by default `GROUP`, if there is one.
    """

    signals: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    group: str | None = None

    def templates(self) -> list[str]:
        """Return all templates, those of the defaults included."""
        return list(self.signals or (SIGNAL,))

    def singles(self) -> set[str]:
        """Return all single columns but those of default features."""
        return {*self.features, self.group or GROUP}

    def wanted(self, names: Sequence[str]) -> list[str]:
        """Return those of a file's columns that may be needed; at least one, to count the rows."""
        needed = self.singles() | set(self.features_of(names) or ())
        for columns in self.templates():
            needed |= {columns.replace(MODEL, model) for model in models_of(names, columns)}
        return [name for name in names if name in needed] or list(names[:1])

    def features_of(self, names: Sequence[str]) -> list[str] | None:
        """Return the columns of features."""
        found = [name for name in names if name.startswith(FEATURE)]
        return list(self.features) or sorted(found) or None

    def signals_of(self, names: Sequence[str]) -> list[str] | None:
        """Return the templates of signals."""
        return list(self.signals) or ([SIGNAL] if models_of(names, SIGNAL) else None)

    def group_of(self, names: Sequence[str]) -> str | None:
        """Return the column of groups."""
        return self.group or (GROUP if GROUP in names else None)


@dataclass(frozen=True)
class LogColumns(ObservedColumns):
    """Templates of the labels as well; latencies by default if there are such columns."""

    quality: str | None = None
    cost: str | None = None
    latency: str | None = None
    first_token: str | None = None

    def templates(self) -> list[str]:
        """Return all templates, those of the defaults included."""
        return [
            *super().templates(),
            self.quality or QUALITY,
            self.cost or COST,
            self.latency or LATENCY,
            self.first_token or FIRST_TOKEN,
        ]

    def latency_of(self, names: Sequence[str]) -> str | None:
        """Return the template of latencies."""
        return self.latency or (LATENCY if models_of(names, LATENCY) else None)

    def first_token_of(self, names: Sequence[str]) -> str | None:
        """Return the template of latencies of first tokens."""
        return self.first_token or (FIRST_TOKEN if models_of(names, FIRST_TOKEN) else None)


@dataclass(frozen=True)
class QueryColumns(ObservedColumns):
    """Columns of what has been done as well, by default if there are such columns."""

    ran: str | None = None
    dearer: str | None = None

    def templates(self) -> list[str]:
        """Return all templates, those of the defaults included."""
        return [*super().templates(), self.ran or RAN]

    def singles(self) -> set[str]:
        """Return all single columns but those of default features."""
        return super().singles() | {self.dearer or DEARER}

    def dearer_of(self, names: Sequence[str]) -> str | None:
        """Return the column of queries that take the dearer policy."""
        return self.dearer or (DEARER if DEARER in names else None)


def _template(name: str, default: str, what: str) -> Callable[[F], F]:
    return click.option(
        f"--{name.replace('_', '-')}-column",
        name,
        type=template,
        metavar="TEMPLATE",
        help=f"{what}.  [default: {default}]",
    )


_observed = together(
    click.option(
        "--signal-column",
        "signals",
        type=template,
        multiple=True,
        metavar="TEMPLATE",
        help=f"Number known of an answer once it is there; may be repeated.  [default: {SIGNAL}, "
        "if there]",
    ),
    click.option(
        "--feature-column",
        "features",
        multiple=True,
        metavar="NAME",
        help=f"Number known before any model runs; may be repeated.  [default: all {FEATURE}..., "
        "by name]",
    ),
    click.option(
        "--group-column",
        "group",
        metavar="NAME",
        help=f"Label known before any model runs.  [default: {GROUP}, if there]",
    ),
)
_labels = together(
    _template("quality", QUALITY, "Quality of a model's answer"),
    _template("cost", COST, "Cost of a model's answer"),
    _template("latency", f"{LATENCY}, if there", "Seconds until an answer is complete"),
    _template("first_token", f"{FIRST_TOKEN}, if there", "Seconds until its first token"),
)
log_columns = together(_labels, _observed)
query_columns = together(
    _observed,
    _template(
        "ran", f"{RAN}, else where all signals are there", "Whether a model has run (0 or 1)"
    ),
    click.option(
        "--dearer-column",
        "dearer",
        metavar="NAME",
        help="Whether a query takes the dearer of the router's two policies (0 or 1): draw it once "
        f"a query, with probability 1 - gamma.  [default: {DEARER}, if there, else none does]",
    ),
)

C = TypeVar("C", bound=ObservedColumns)


def take_columns(kind: type[C], options: dict[str, Any]) -> C:
    """Take the options of columns out of a command's options."""
    return kind(**{field.name: options.pop(field.name) for field in fields(kind)})
