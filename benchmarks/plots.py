"""The pictures of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from figures import GOALS
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

Curves = dict[str, list[tuple[int, float, float]]]
"""By name: models, median and 99th percentile in seconds."""

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6E6E6E"

STYLES: dict[str, tuple[str, str, str]] = {
    "Normal": (BLUE, "-", "o"),
    "Slow": (VERMILION, "-", "s"),
    "Greedy": (GREEN, "-", "^"),
    "No-Expect": (PURPLE, "-", "v"),
    "Max-Depth": (ORANGE, "-", "D"),
    "index": (SKY, "-", "P"),
    "routing": (BLACK, "-", "X"),
    "NumPy greedy": (GREEN, "--", "^"),
    "NumPy routing": (BLACK, "--", "X"),
    "HiGHS": (GREY, "--", "h"),
    "numba": (BLUE, "--", "o"),
    "reference": (VERMILION, ":", "s"),
}
LABELS = {
    "Normal": "Normal (exact)",
    "Slow": "Slow (no pruning)",
    "numba": "Normal, numba",
    "reference": "Normal, reference",
    "HiGHS": "HiGHS (MILP)",
}
ON_THE_LEFT = (LABELS["Slow"], LABELS["reference"])
WORKLOAD_STYLES = {
    "uniform": (BLUE, "o"),
    "priced": (VERMILION, "s"),
    "clones": (GREEN, "^"),
    "correlated": (PURPLE, "D"),
    "real": (BLACK, "v"),
}

PAPER = (
    (40, 3.5, "reference code of the paper:\n3.5 s at 40 models", (12, 6), "left"),
    (40, 1.0, "paper, Normal:\n40 models in 1 s", (-12, -3), "right"),
    (80, 1.0, "paper, Max-Depth:\n80 models in 1 s", (10, 9), "left"),
)
CROWDED = (50, 60)
"""Sizes without a tick of their own."""

INFEASIBLE = 20
"""Where the paper gives up on Slow."""


def draw_variants(curves: Curves, path: Path) -> None:
    """Draw the time of a decision by number of models, for every variant and peer."""
    figure, axes = plt.subplots(figsize=(9.5, 6.6), layout="constrained")
    _log_scales(axes, curves, right=2.6, left=1.5)
    axes.set_ylabel("time of a decision")
    ends = []
    for name, points in curves.items():
        colour, line, marker = STYLES[name]
        k, times, _ = zip(*points, strict=True)
        bold = name == "Normal"
        axes.plot(
            k,
            times,
            color=colour,
            linestyle=line,
            marker=marker,
            markersize=6 if bold else 4,
            linewidth=2.6 if bold else 1.3,
            zorder=5 if bold else 3,
        )
        ends.append((k[-1], times[-1], LABELS.get(name, name), colour, bold))
    for at, time, text, offset, side in PAPER:
        axes.plot(at, time, marker="*", markersize=13, color=BLACK, zorder=6)
        axes.annotate(
            text,
            (at, time),
            xytext=offset,
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=8.5,
            color=BLACK,
        )
    axes.axvline(INFEASIBLE, color=VERMILION, linewidth=0.8, linestyle=(0, (1, 3)))
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, 12.0))
    axes.annotate(
        "paper: Slow infeasible\nfrom 20 models",
        (INFEASIBLE, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5, -6),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8.5,
        color=VERMILION,
    )
    _label_ends(axes, ends)
    axes.set_title("One decision, uniform workload, one thread, 128 samples", loc="left")
    _save(figure, path)


def draw_workloads(curves: Curves, time_limit: float, path: Path) -> None:
    """Draw the exact search: a panel for each workload, with the goals.

    The median in colour, a band up to the 99th percentile, and the other medians in grey.
    """
    sizes = sorted({k for points in curves.values() for k, _, _ in points})
    width = 2.9 * len(curves) + 0.8
    figure, panels = plt.subplots(
        1, len(curves), figsize=(width, 4.6), sharex=True, sharey=True, layout="constrained"
    )
    for axes, (name, points) in zip(np.atleast_1d(panels), curves.items(), strict=True):
        colour, marker = WORKLOAD_STYLES[name]
        for other in curves.values():
            axes.plot(*np.transpose(other)[:2], color="#C4C4C4", linewidth=1, zorder=1)
        models, p50, p99 = np.transpose(points)
        axes.fill_between(models, p50, p99, color=colour, alpha=0.18, linewidth=0)
        axes.plot(models, p50, color=colour, marker=marker, markersize=5, linewidth=2)
        _log_scales(axes, curves, right=1.15)
        axes.xaxis.set_major_locator(FixedLocator([5, 20, 100, 500, 2000]))
        axes.axhline(time_limit, color=GREY, linewidth=0.8, linestyle=(0, (1, 3)))
        axes.set_title(name, color=colour, fontweight="bold")
        _mark_goals(axes, name, [size for size, _, _ in points])
    first = np.atleast_1d(panels)[0]
    first.set_ylabel("time of a decision")
    first.annotate(
        "time limit",
        (sizes[0], time_limit),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8,
        color=GREY,
    )
    figure.suptitle(
        "The exact search, one thread, 128 samples: median, and band up to the 99th percentile",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    _save(figure, path)


def _mark_goals(axes: Any, name: str, sizes: Sequence[int]) -> None:
    for goal in GOALS:
        for size in sizes:
            if (goal.case, goal.what) != (f"exact {name}, k = {size}", "median"):
                continue
            place = (size, goal.limit * 1e-6)
            axes.plot(*place, marker="_", markersize=16, markeredgewidth=2.5, color=BLACK)
            axes.annotate(
                "goal",
                place,
                xytext=(0, -4),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=8,
            )


def _log_scales(axes: Any, curves: Curves, right: float, left: float = 1.15) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({k for points in curves.values() for k, _, _ in points})
    axes.set_xlim(sizes[0] / left, sizes[-1] * right)
    axes.xaxis.set_major_locator(FixedLocator([k for k in sizes if k not in CROWDED]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda time, _: _duration(time)))
    axes.set_xlabel("models")
    axes.grid(which="major", color="#E4E4E4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.999 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds * 1e9:,.0f} ns"


def _label_ends(axes: Any, ends: Sequence[tuple[int, float, str, str, bool]]) -> None:
    """Label each line at its right end, kept apart where several end together."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    last = max(end[0] for end in ends)
    group = sorted((end for end in ends if end[0] == last), key=lambda end: end[1])
    places = _spread([math.log10(end[1]) for end in group], (high - low) * 0.036)
    for (k, time, text, colour, bold), place in zip(group, places, strict=True):
        axes.annotate(
            text,
            (k, time),
            xytext=(k * 1.16, 10**place),
            ha="left",
            va="center",
            fontsize=9,
            fontweight="bold" if bold else "normal",
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6},
        )
    for k, time, text, colour, _ in ends:
        if k != last:
            on_the_left = text in ON_THE_LEFT
            axes.text(
                k / 1.08 if on_the_left else k * 1.08,
                time,
                text,
                ha="right" if on_the_left else "left",
                va="center",
                fontsize=9,
                color=colour,
            )


def _spread(heights: Sequence[float], apart: float) -> list[float]:
    """Move ascending heights apart, as little as possible: pool what is too close."""
    pools: list[list[float]] = []
    for place, height in enumerate(heights):
        pools.append([height - place * apart])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    flat = [fmean(pool) for pool in pools for _ in pool]
    return [height + place * apart for place, height in enumerate(flat)]


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=150)
    plt.close(figure)
