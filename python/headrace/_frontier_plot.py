"""The picture of a frontier: quality against cost."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Protocol

import numpy as np

from headrace._problem import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = {  # colour (Okabe and Ito's, safe for the colour-blind) and line
    "routing": ("#e69f00", "-"),
    "threshold_cascade": ("#009e73", (0, (6, 2))),
    "cascade": ("#0072b2", "-."),
    "cascade_routing": ("#d55e00", "-"),
    "index": ("#cc79a7", (0, (2, 1.5))),
    "": ("#56b4e9", "-"),
    " ": ("#000000", (0, (4, 3))),
}
"""By strategy; curves with other labels take what is left, in turn."""
GREY = "#8a8a8a"
LOG_FROM = 20.0
"""Costs are drawn on a logarithmic axis if the dearest model costs so many times the cheapest."""
LINE_HEIGHT = 0.048
"""Least distance of labels, as a share of the height."""
LETTER_WIDTH = 0.0125
"""Of a model's name, as a share of the width."""


class DrawnCurve(Protocol):
    """What is drawn of a curve."""

    @property
    def costs(self) -> Floats:
        """Mean costs, shape (P,)."""

    @property
    def qualities(self) -> Floats:
        """Mean qualities, shape (P,)."""


class DrawnFrontier(Protocol):
    """What is drawn of a frontier."""

    @property
    def curves(self) -> Mapping[str, DrawnCurve]:
        """By label."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the single models."""

    @property
    def model_costs(self) -> Floats:
        """Mean costs of the single models, shape (k,)."""

    @property
    def model_qualities(self) -> Floats:
        """Mean qualities of the single models, shape (k,)."""

    def bands(self, name: str, costs: Floats, n_bootstrap: int) -> tuple[Floats, Floats]:
        """Return the interval of a curve's quality at fixed mean costs."""


def draw(frontier: DrawnFrontier, ax: Axes | None, n_bootstrap: int) -> Axes:
    """Draw the curves with their intervals, the single models, and labels beside the lines."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if ax is None:
        ax = Figure(figsize=(8.0, 5.0), dpi=160, layout="constrained").add_subplot()
    low, high = float(frontier.model_costs.min()), float(frontier.model_costs.max())
    in_log = low > 0.0 and high > LOG_FROM * low
    grid = np.geomspace(low, high, 200) if in_log else np.linspace(low, high, 200)
    if in_log:
        ax.set_xscale("log")
        ax.set_xlim(low / 1.08, high)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_xlim(low - 0.02 * (high - low), high if high > low else 2.0 * high or 1.0)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.grid(color="#e6e6e6", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)

    heights = {}
    drawn: list[Floats] = []
    free = cycle([style for name, style in STYLES.items() if name not in frontier.curves])
    for at, (name, curve) in enumerate(frontier.curves.items()):
        colour, style = (GREY, ":") if at == 0 else STYLES.get(name) or next(free)
        by_cost = np.argsort(curve.costs, kind="stable")
        costs, qualities = curve.costs[by_cost], curve.qualities[by_cost]
        inside = grid[grid >= costs[0] * (1.0 - 1e-9)]
        height = np.interp(inside, costs, qualities)
        band_low, band_high = frontier.bands(name, inside, n_bootstrap)
        if at:
            ax.fill_between(inside, band_low, band_high, color=colour, alpha=0.10, linewidth=0)
        ax.plot(inside, height, color=colour, linestyle=style, linewidth=1.5 if at == 0 else 2.0)
        heights[name] = (float(height[-1]) if len(height) else float(qualities[-1]), colour)
        drawn += [height]
    ax.plot(
        frontier.model_costs,
        frontier.model_qualities,
        "D",
        color="#777777",
        markersize=4.0,
        clip_on=False,
    )
    drawn += [frontier.model_qualities]

    bottom, top = (f(values.min() if f is min else values.max() for values in drawn if len(values))
                   for f in (min, max))  # fmt: skip
    margin = 0.05 * (top - bottom or 1.0)
    ax.set_ylim(bottom - margin, top + margin)
    _label_models(frontier, ax)
    _label_curves(heights, ax)
    ax.set_xlabel("mean cost of a query")
    ax.set_ylabel("mean quality")
    return ax


def _label_curves(heights: dict[str, tuple[float, str]], ax: Axes) -> None:
    """Write the names right of the lines' ends, spread so that none covers another."""
    bottom, top = ax.get_ylim()
    ends = {
        name: ((height - bottom) / (top - bottom), colour)
        for name, (height, colour) in heights.items()
    }
    order = sorted(ends, key=lambda name: ends[name][0])
    places = _spread([ends[name][0] for name in order])
    for name, place in zip(order, places, strict=True):
        end, colour = ends[name]
        ax.annotate(
            name.replace("_", " "),
            (1.0, end),
            xytext=(1.05, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=colour,
            fontweight="bold",
            fontsize=9,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 1.0,
                        "shrinkB": 0.0, "relpos": (0.0, 0.5)},
        )  # fmt: skip


def _spread(places: list[float]) -> list[float]:
    """Move ascending places apart, as little as it takes, within 0 to 1 as far as they fit."""
    moved = list(places)
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + LINE_HEIGHT)
    excess = max(0.0, moved[-1] - 1.0) if moved else 0.0
    for i in reversed(range(len(moved))):
        ceiling = moved[i + 1] - LINE_HEIGHT if i + 1 < len(moved) else moved[i] - excess
        moved[i] = min(moved[i], ceiling)
    return moved


def _label_models(frontier: DrawnFrontier, ax: Axes) -> None:
    """Write the models' names beside their dots; of dots close together only the best is named."""
    from matplotlib.patheffects import withStroke

    to_axes = ax.transData + ax.transAxes.inverted()
    places = to_axes.transform(np.column_stack([frontier.model_costs, frontier.model_qualities]))
    named: list[tuple[float, float]] = []
    for model in np.argsort(-frontier.model_qualities, kind="stable").tolist():
        x, y = places[model].tolist()
        if any(abs(x - other_x) < 0.16 and abs(y - other_y) < 0.04 for other_x, other_y in named):
            continue
        named.append((x, y))
        width = LETTER_WIDTH * len(frontier.models[model])
        beside = places[(np.abs(places[:, 1] - (y - 0.02)) < 0.035) & (places[:, 0] != x), 0] - x
        hides_right = bool(((beside > 0.0) & (beside < width)).any())
        hides_left = x < width or bool(((beside < 0.0) & (beside > -width)).any())
        left = x + width > 1.0 or (hides_right and not hides_left)
        ax.annotate(
            frontier.models[model],
            (float(frontier.model_costs[model]), float(frontier.model_qualities[model])),
            xytext=(-5 if left else 5, -4),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            color="#555555",
            fontsize=8,
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
        )
