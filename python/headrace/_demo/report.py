"""The table and the picture of the demo."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headrace._demo.rollout import Outcome, at_budget
from headrace._demo.workload import Workload

COLOURS = {  # Okabe and Ito's palette, which colour-blind readers can tell apart
    "routing": "#999999",
    "cascade": "#E69F00",
    "cascade_routing": "#0072B2",
    "index": "#009E73",
}
MARKS = {"routing": "s", "cascade": "^", "cascade_routing": "o", "index": "D"}


def table(curves: dict[str, list[Outcome]], budget: float, backend: str) -> str:
    """One row a strategy, all at the same mean cost."""
    head = ("strategy", "quality", "cost", "models/query", "decisions/s", "backend")
    rows = []
    for strategy, curve in curves.items():
        outcome = at_budget(curve, budget)
        rows.append(
            (
                strategy,
                f"{outcome.quality:.4f}",
                f"{outcome.cost:.6f}",
                f"{outcome.n_models:.2f}",
                f"{outcome.n_decisions / outcome.seconds:,.0f}",
                backend,
            )
        )
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        first, *middle, last = (
            cell.ljust(width) if i in (0, len(widths) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join((first, *middle, last)).rstrip()

    return "\n".join([line(head), line(tuple("-" * width for width in widths)), *map(line, rows)])


def draw(
    workload: Workload,
    curves: dict[str, list[Outcome]],
    budget: float,
    noise: str,
    path: Path,
) -> None:
    """Write the cost-quality picture: a curve for each strategy, a point for each single model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    means = workload.quality.mean(axis=0)
    axes.scatter(1e3 * workload.costs, means, s=24, color="#444444", zorder=2)
    for name, cost, quality in zip(workload.names, workload.costs, means, strict=True):
        left = name in ("Claude 1", "Code Llama 34B", "GPT-4")
        axes.annotate(
            name,
            (1e3 * cost, quality),
            xytext=(-6 if left else 6, -3),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=8,
            color="#444444",
        )
    for strategy, curve in curves.items():
        points = np.array(sorted((1e3 * outcome.cost, outcome.quality) for outcome in curve))
        axes.plot(
            *points.T,
            color=COLOURS[strategy],
            marker=MARKS[strategy],
            markersize=4.5,
            linewidth=1.8,
            label=strategy.replace("_", " "),
            zorder=3,
        )
    axes.axvline(1e3 * budget, color="#BBBBBB", linestyle=":", zorder=1)
    axes.annotate(
        "budget of the table",
        (1e3 * budget, axes.get_ylim()[0]),
        xytext=(4, 6),
        textcoords="offset points",
        fontsize=8,
        color="#888888",
    )
    axes.set_xscale("log")
    axes.margins(y=0.12)
    axes.set_xlabel("mean cost, USD per 1,000 queries")
    axes.set_ylabel("mean quality")
    axes.set_title(f"{len(workload.quality):,} simulated queries, 11 models, {noise} noise")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path)
