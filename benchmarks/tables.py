"""Tables that read well as text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A title, a paragraph, and rows of cells."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        grid = [list(self.columns), *map(list, self.rows)]
        widths = [max(3, *(len(row[place]) for row in grid)) for place in range(len(self.columns))]
        numbers = [
            all(not row[place] or row[place][0] in "0123456789-<>=.~" for row in self.rows)
            for place in range(len(self.columns))
        ]

        def line(cells: Sequence[str]) -> str:
            padded = (
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(cells, widths, numbers, strict=True)
            )
            return f"| {' | '.join(padded)} |"

        rule = [
            "-" * (width - 1) + (":" if right else "-")
            for width, right in zip(widths, numbers, strict=True)
        ]
        lines = [f"## {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        return "\n".join([*lines, line(grid[0]), line(rule), *map(line, grid[1:])])


def microseconds(value: float) -> str:
    """Write seconds as microseconds, with three digits."""
    value *= 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
