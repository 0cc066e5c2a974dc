"""What the demo shows: a table at one budget, and a picture of cost and quality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headrace._atomic_file import save_picture
from headrace._demo.rollout import Sweep
from headrace._demo.workload import MODELS, Workload
from headrace._text_table import text_table

PER = 1000
"""Costs are shown in USD for this many queries."""

STYLES = {  # colour (Okabe and Ito's, safe for the colour-blind), marker, line
    "linear interpolation": ("#9a9a9a", "", ":"),
    "routing": ("#e69f00", "s", "-"),
    "cascade": ("#0072b2", "^", "-"),
    "cascade_routing": ("#d55e00", "o", "-"),
    "index": ("#000000", "", (0, (4, 3))),
}

LABELS = {  # offset of a model's name from its dot, in points, if not just to the right
    "Claude Instant": (5, -7),
    "Claude 1": (-5, -3),
    "GPT-4 Turbo": (0, -13),
    "Yi 34B": (-5, -2),
}


def at_budget(sweep: Sweep, budget: float) -> dict[str, Any]:
    """Return the figures of a strategy at a budget in USD per query."""
    quality, cost, models = sweep.mix(budget)
    return {
        "strategy": sweep.strategy,
        "quality": quality,
        "cost": cost,
        "models_per_query": models,
        "decisions_per_second": sweep.decisions / sweep.seconds if sweep.decisions > 0 else None,
    }


def format_table(sweeps: Sequence[Sweep], budget: float, backend: str) -> str:
    """Return the strategies side by side at a common budget in USD per query."""
    rows = [("strategy", "quality", "USD/1,000", "models/query", "decisions/s", "backend")]
    for sweep in sweeps:
        found = at_budget(sweep, budget)
        speed = found["decisions_per_second"]
        rows.append(
            (
                sweep.strategy,
                f"{found['quality']:.3f}",
                f"{PER * found['cost']:.3f}",
                f"{found['models_per_query']:.2f}",
                "-" if speed is None else f"{speed:,.0f}",
                "-" if speed is None else backend,
            )
        )
    return text_table(rows, left=(0, len(rows[0]) - 1))


def draw(
    sweeps: Sequence[Sweep], workload: Workload, budget: float, title: str, output: Path
) -> None:
    """Draw quality against cost, with the single models and the budget, and save the picture."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    with mpl.rc_context({"font.size": 9.5, "axes.edgecolor": "#666666", "text.color": "#222222"}):
        figure = Figure(figsize=(8.0, 5.0), dpi=160, layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.grid(color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)

        axes.axvline(PER * budget, color="#666666", linewidth=0.9, linestyle=(0, (2, 2)))
        axes.annotate(
            "budget of the table",
            (PER * budget, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(5, 6),
            textcoords="offset points",
            color="#666666",
        )
        for sweep in sweeps:
            colour, marker, line = STYLES[sweep.strategy]
            grid = np.union1d(np.geomspace(sweep.costs[0], sweep.costs[-1], 200), sweep.costs)
            axes.plot(
                PER * grid,
                np.interp(grid, sweep.costs, sweep.qualities),
                color=colour,
                linestyle=line,
                linewidth=1.5 if marker == "" else 2.0,
                marker=marker or None,
                markevery=np.searchsorted(grid, sweep.costs).tolist(),
                markersize=5.0,
                markeredgecolor="white",
                markeredgewidth=0.6,
                label=sweep.strategy.replace("_", " "),
            )
        qualities = workload.qualities.mean(axis=0)
        axes.plot(PER * workload.costs, qualities, "D", color="#777777", markersize=4.0)
        for model, quality in zip(MODELS, qualities, strict=True):
            offset = LABELS.get(model.name, (5, -3))
            axes.annotate(
                model.name,
                (PER * model.cost, quality),
                xytext=offset,
                textcoords="offset points",
                ha="right" if offset[0] < 0 else "left",
                color="#555555",
                fontsize=8,
            )

        axes.set_xlim(0.9 * PER * workload.costs.min(), 1.6 * PER * workload.costs.max())
        axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0])
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("mean cost, USD per 1,000 queries")
        axes.set_ylabel("mean quality (share of right answers)")
        axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
        axes.legend(loc="upper left", frameon=False)
        save_picture(figure, output)
