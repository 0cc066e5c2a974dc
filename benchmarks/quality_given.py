"""Areas in % that the benchmark of quality is read beside: of an earlier simulator, of the paper.

Columns are 3, 5 and 11 models, each with low, medium and high noise.
"""

from __future__ import annotations

from quality_rows import (
    ALL_ROWS,
    CASCADE,
    CASCADE_ROUTING,
    CEILING,
    CLASSES_INDEX,
    FUSED,
    GAUSSIAN_EXACT,
    GAUSSIAN_INDEX,
    INDEX,
    LINEAR,
    NO_EXPECT,
    RELEASED,
    ROUTING,
    SEARCHED,
    THRESHOLDS,
)

LEVELS = ("low", "medium", "high")
COLUMNS = tuple(f"{size} {level}" for size in (3, 5, 11) for level in LEVELS)

AGREES = 0.2
"""Rows agree if they differ by no more."""

_Row = tuple[float | None, ...]
_NOISE: dict[str, _Row] = {
    LINEAR: (80.93, 80.93, 80.93, 80.54, 80.54, 80.54, 81.98, 81.98, 81.98),
    ROUTING: (89.45, 84.89, 83.41, 91.31, 84.70, 83.04, 94.25, 85.72, 83.99),
    SEARCHED: (90.64, 85.91, 84.21, 92.23, 84.87, 81.77, 95.01, 86.93, 82.83),
    CASCADE: (91.62, 86.92, 84.65, 93.92, 86.36, 82.81, 95.80, 88.52, 83.78),
    CASCADE_ROUTING: (91.67, 86.93, 84.70, 94.42, 87.36, 84.44, 96.29, 89.72, 85.75),
    RELEASED: (91.69, 87.22, 85.04, 94.51, 87.70, 84.89, 96.52, 89.98, 86.35),
    NO_EXPECT: (91.61, 87.16, 85.06, 94.28, 87.45, 84.85, 96.47, 89.71, 86.23),
    INDEX: (91.69, 86.94, 84.69, 94.47, 87.40, 84.46, 96.42, 89.55, 85.41),
    FUSED: (91.88, 87.81, 85.31, 94.79, 88.52, 85.22, 96.68, 90.85, 86.62),
    GAUSSIAN_EXACT + ALL_ROWS: (None, None, None, None, None, None, 96.54, 91.51, 87.34),
    GAUSSIAN_INDEX: (91.76, 87.68, 85.26, 94.61, 88.52, 85.29, 96.47, 91.21, 87.16),
    CLASSES_INDEX: (92.10, 87.91, 85.35, 95.12, 88.90, 85.52, 97.05, 91.68, 87.45),
    CEILING: (92.86, 92.86, 92.86, 95.81, 95.81, 95.81, 97.33, 97.33, 97.33),
}
_PAPER: dict[str, _Row] = {
    LINEAR: (69.62, 69.62, 69.62, 69.22, 69.22, 69.22, 70.51, 70.51, 70.51),
    ROUTING: (79.73, 74.97, 71.81, 81.24, 74.43, 71.33, 83.25, 74.63, 72.67),
    THRESHOLDS: (80.86, 74.64, 72.48, 82.33, 73.03, 69.53, 84.48, 73.64, 69.79),
    CASCADE: (81.09, 76.16, 72.67, 83.06, 75.17, 70.18, 84.47, 75.10, 70.26),
    CASCADE_ROUTING: (82.36, 76.55, 73.22, 84.33, 76.31, 72.75, 87.24, 77.57, 74.40),
}


def _by_column(table: dict[str, _Row]) -> dict[str, dict[str, float]]:
    return {
        label: {column: area for column, area in zip(COLUMNS, row, strict=True) if area is not None}
        for label, row in table.items()
    }


EARLIER = _by_column(_NOISE)
"""Another simulator on the same rows with the same noise, by label and column."""
PAPER = _by_column(_PAPER)
"""Table 1 of the paper, ICML 2025: all of RouterBench, and so other queries."""
EARLIER_CONFIDENCES = {
    LINEAR: 80.30,
    ROUTING: 80.47,
    SEARCHED: 78.64,
    CASCADE: 79.66,
    CASCADE_ROUTING: 80.04,
    RELEASED: 81.78,
    NO_EXPECT: 81.85,
    INDEX: 80.81,
    GAUSSIAN_EXACT: 81.13,
}
"""The same simulator on real confidences."""
