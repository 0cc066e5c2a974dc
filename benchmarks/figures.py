"""The figures to reach, and whether they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tables import Table


@dataclass(frozen=True)
class Goal:
    """One figure to reach: at least or at most `limit`."""

    case: str
    what: str
    limit: float
    unit: str
    at_least: bool

    def met(self, measured: float) -> bool:
        """Whether a measurement reaches the goal."""
        return measured >= self.limit if self.at_least else measured <= self.limit


def _least(case: str, what: str, limit: float, unit: str = "x") -> Goal:
    return Goal(case, what, limit, unit, at_least=True)


def _most(case: str, what: str, limit: float, unit: str) -> Goal:
    return Goal(case, what, limit, unit, at_least=False)


P99 = "p99 / median"
P99_CASES = (
    "exact uniform, k = 40",
    "exact uniform, k = 200",
    "exact uniform, k = 500",
    "exact priced, k = 200",
    "exact clones, k = 40",
    "exact clones, k = 200",
)

GOALS = (
    _least("routing, k = 200", "as fast as NumPy's line", 3.0),
    _least("routing, k = 200", "bandwidth of reading the inputs", 60.0, "%"),
    _most("index, k = 200", "time of NumPy's line", 2.0, "x"),
    _least("exact uniform, k = 40", "as fast as HiGHS", 3000.0),
    _most("exact uniform, k = 40", "median", 12.0, "us"),
    _least("exact uniform, k = 200", "as fast as NumPy's greedy", 6.0),
    _most("exact uniform, k = 200", "median", 40.0, "us"),
    _least("exact uniform, k = 500", "as fast as NumPy's greedy", 6.0),
    _most("exact uniform, k = 500", "median", 150.0, "us"),
    _most("exact priced, k = 200", "median", 1000.0, "us"),
    _least("exact priced, k = 200", "certified", 100.0, "%"),
    _most("exact clones, k = 40", "median", 2000.0, "us"),
    _least("exact clones, k = 40", "certified", 100.0, "%"),
    _most("exact clones, k = 200", "median", 20000.0, "us"),
    _least("exact clones, k = 200", "certified", 100.0, "%"),
    *(_most(case, P99, 20.0, "x") for case in P99_CASES),
    _least("two threads", "as fast as one", 1.8),
    _most("growth with k from 50 to 500, uniform", "exponent", 1.3, ""),
)

Measured = dict[tuple[str, str], float]
"""Measurements by case and what was measured, in the unit of the goal."""


def figures(measured: Measured, goals: Sequence[Goal] = GOALS) -> Table:
    """Compare measurements with the goals; what was not measured says so."""
    rows = []
    for goal in goals:
        value = measured.get((goal.case, goal.what))
        sign = ">=" if goal.at_least else "<="
        limit = f"{sign} {goal.limit:,g} {goal.unit}".strip()
        if value is None:
            rows.append([goal.case, goal.what, limit, "-", "not measured"])
            continue
        shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        verdict = "met" if goal.met(value) else "MISSED"
        rows.append([goal.case, goal.what, limit, f"{shown} {goal.unit}".strip(), verdict])
    return Table("Figures", "", ["case", "what", "goal", "measured", ""], rows)
