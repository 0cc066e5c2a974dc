"""The tables of the benchmark of quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import headrace as hr
import numpy as np
from quality_given import AGREES, EARLIER, EARLIER_CONFIDENCES, EARLIER_DRAWS, PAPER
from quality_rows import NO_EXPECT, RELEASED
from quality_scores import LATENCY_AT, Score, Scores
from quality_splits import TWO, Realised
from quality_times import Timing
from scipy.stats import t
from tables import Table
from workloads import Floats

Areas = Mapping[str, Mapping[str, float]]
"""By row and column, in %."""


def gap(interval: hr.Interval) -> str:
    """Write a difference with its interval."""
    return f"{interval:+.2f}"


def noise_tables(columns: Mapping[str, Scores]) -> list[Table]:
    """Return the tables of RouterBench noise, from scores by column and row."""
    rows = list(next(iter(columns.values())))
    found = {row: {column: scores[row].auc for column, scores in columns.items()} for row in rows}
    differences = [
        [row, *(gap(scores[row].minus(scores[RELEASED])) for scores in columns.values())]
        for row in rows
        if row != RELEASED
    ]
    intervals = [
        [row, *(f"{scores[row].interval:.2f}" for scores in columns.values())] for row in rows
    ]
    return [
        _areas("RouterBench noise: AUC %", "", found, columns),
        Table(
            f"RouterBench noise: AUC % minus {RELEASED}",
            "With the 95 % interval, paired over test queries.",
            ["minus " + RELEASED, *columns],
            differences,
        ),
        Table("RouterBench noise: intervals of the AUC %", "", ["AUC %", *columns], intervals),
        _beside_earlier(columns, None),
        _beside_earlier(columns, RELEASED),
        _areas("The paper's Table 1: AUC %", "Of other queries.", PAPER, columns),
    ]


def confidence_table(scores: Scores) -> Table:
    """Return the table of real confidences."""
    shares = " / ".join(f"{100 * share:.0f}" for share in LATENCY_AT)
    return Table(
        "Real confidences",
        "",
        ["", "AUC %", "earlier", "minus " + RELEASED, "minus " + NO_EXPECT, "look-ahead",
         "models a query", f"ms at {shares} % of the range of cost"],
        [
            [
                row,
                f"{score.interval:.2f}",
                f"{EARLIER_CONFIDENCES[row]:.2f}" if row in EARLIER_CONFIDENCES else "",
                gap(score.minus(scores[RELEASED])),
                gap(score.minus(scores[NO_EXPECT])),
                f"{score.lookahead:g}",
                f"{score.models:.2f}",
                _latency(score),
            ]
            for row, score in scores.items()
        ],
    )  # fmt: skip


def step_table(cases: Mapping[str, Scores], suffix: str) -> Table:
    """Return prices by step beside one price for all steps."""
    return Table(
        "Prices by step",
        "",
        ["", "", "one price", "a price for each step", "difference"],
        [
            [case, row, f"{scores[row].auc:.2f}", f"{scores[row + suffix].auc:.2f}",
             gap(scores[row + suffix].minus(scores[row]))]
            for case, scores in cases.items()
            for row in scores
            if row + suffix in scores
        ],
    )  # fmt: skip


def split_table(cases: Mapping[str, Sequence[Realised]]) -> Table:
    """Return how many splits keep their budget."""
    rows = []
    for case, splits in cases.items():
        ratio = [one.cost / one.budget for one in splits]
        rows.append(
            [
                case,
                f"{min(ratio):.3f} to {max(ratio):.3f}",
                " ".join(f"{one.errors:.1f}" for one in splits),
                f"{sum(one.errors <= TWO for one in splits)} of {len(splits)}",
                f"{sum(one.errors_of_both <= TWO for one in splits)} of {len(splits)}",
            ]
        )
    return Table(
        "Realised cost against the budget on random halves",
        "",
        ["", "cost / budget", "standard errors of the test mean", "within two",
         "within two of both halves"],
        rows,
    )  # fmt: skip


def time_table(timings: Iterable[Timing]) -> Table:
    """Return seconds beside their goals."""
    return Table(
        "Times in seconds",
        "",
        ["", "goal", "wall", "processors"],
        [
            [
                one.what,
                "" if one.goal is None else f"{one.goal:g}",
                f"{one.wall:.2f}",
                f"{one.cpu:.2f}",
            ]
            for one in timings
        ],
    )


def _areas(title: str, note: str, areas: Areas, columns: Iterable[str]) -> Table:
    names = list(columns)
    rows = [[row, *(f"{areas[row][name]:.2f}" for name in names)] for row in areas]
    return Table(title, note, ["AUC %", *names], rows)


def _beside_earlier(columns: Mapping[str, Scores], base: str | None) -> Table:
    """Return differences to the earlier simulator and what chance explains of them.

    With a base: of differences to that row, in which much of what the draws bring cancels.
    """
    rows = []
    for row, given in EARLIER.items():
        if row == base or row not in next(iter(columns.values())):
            continue
        cells, near, explained, there = [], 0, 0, 0
        for column, found in columns.items():
            if column not in given:
                cells.append("")
                continue
            draws, difference = np.array(found[row].draws), found[row].auc - given[column]
            if base is not None:
                draws = draws - found[base].draws
                difference -= found[base].auc - EARLIER[base][column]
            chance = _by_chance(draws)
            cells.append(f"{difference:+.2f}" + ("" if chance is None else f" ({chance:.2f})"))
            there += 1
            near += abs(difference) <= AGREES
            explained += abs(difference) <= max(AGREES, chance or 0.0)
        if there:
            rows.append([row, *cells, f"{near} of {there}", f"{explained} of {there}"])
    of = "AUC %" if base is None else f"AUC % minus {base}"
    return Table(
        f"RouterBench noise: {of}, minus that of an earlier simulator",
        f"Its noise was drawn otherwise, {EARLIER_DRAWS} times. In brackets: how far apart equal "
        "rows are by the draws of both, in 95 % of cases. Rows of a column share their draws.",
        ["", *columns, f"within {AGREES:g}", "or within brackets"],
        rows,
    )


def _by_chance(draws: Floats) -> float | None:
    """Return the half-width in which the difference of two means lies, None for a single draw."""
    n = len(draws)
    if n < 2:
        return None
    error = float(np.std(draws, ddof=1)) * np.sqrt(1.0 / n + 1.0 / EARLIER_DRAWS)
    return float(t.ppf(0.975, n - 1) * error)


def _latency(score: Score) -> str:
    return "" if score.latency is None else " / ".join(f"{ms:.0f}" for ms in score.latency)
