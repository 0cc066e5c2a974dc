"""The tables of the benchmark of quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import headrace as hr
from quality_given import AGREES, EARLIER, EARLIER_CONFIDENCES, PAPER
from quality_rows import NO_EXPECT, RELEASED
from quality_scores import LATENCY_AT, Score, Scores
from quality_splits import TWO, Realised
from quality_times import Timing
from tables import Table

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
        _beside_earlier(columns),
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


def _beside_earlier(columns: Mapping[str, Scores]) -> Table:
    """Return differences to the earlier simulator."""
    rows = []
    for row, given in EARLIER.items():
        gaps = {
            column: found[row].auc - given[column]
            for column, found in columns.items()
            if column in given and row in found
        }
        if gaps:
            cells = [f"{gaps[column]:+.2f}" if column in gaps else "" for column in columns]
            near = sum(abs(gap) <= AGREES for gap in gaps.values())
            rows.append([row, *cells, f"{near} of {len(gaps)}"])
    return Table(
        "RouterBench noise: AUC %, minus that of an earlier simulator",
        "Which took the mean over the first five draws of the noise.",
        ["", *columns, f"within {AGREES:g}"],
        rows,
    )


def _latency(score: Score) -> str:
    return "" if score.latency is None else " / ".join(f"{ms:.0f}" for ms in score.latency)
