"""How levels move so that their bound falls.

Subgradient steps of Polyak's length (1969), deflected from the step before (Camerini, Fratta and
Maffioli, 1975).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_samples import clip_slope, copy_to, deflect, dot, fill, move_level
from headrace._problem import Floats

PATIENCE = 4
"""Steps without progress before they are halved."""
PROGRESS = 0.01
"""Share of the gap that counts as progress."""
LONGEST_STEP = 1.4
"""In Polyak's lengths."""
SHORTEST_STEP = 0.07
"""Shorter ones are not worth it."""
DEFLECTION = 0.7

PACE = np.dtype(
    [
        ("bound", np.float64),
        ("lowest", np.float64),
        ("norm", np.float64),  # of the direction, squared; 0: there is none yet
        ("stride", np.float64),  # in Polyak's lengths
        ("stale", np.int64),
    ]
)


class Descent(NamedTuple):
    """A descent, or the room for one."""

    paces: Any
    """One record of ``PACE``."""
    slope: Floats
    """The number of counted models above each level, less one: minus a subgradient."""
    best_slope: Floats
    direction: Floats


@compiled
def start_descent(descent: Descent) -> None:
    """Start anew."""
    pace = descent.paces[0]
    fill(descent.direction, 0.0)
    pace.norm = 0.0
    pace.stride = LONGEST_STEP
    forget(descent)


@compiled
def forget(descent: Descent) -> None:
    """Forget the bounds so far, but neither the direction nor the length of the steps."""
    pace = descent.paces[0]
    pace.lowest = np.inf
    pace.stale = 0


@compiled
def note(descent: Descent, bound: float, target: float) -> bool:
    """Take note of the bound of the levels that the slope belongs to.

    ``target`` is what it cannot fall below. Returns whether it is the lowest yet.
    """
    pace = descent.paces[0]
    pace.bound = bound
    pace.stale = 0 if pace.lowest - bound > PROGRESS * (pace.lowest - target) else pace.stale + 1
    if not bound < pace.lowest:
        return False
    pace.lowest = bound
    copy_to(descent.best_slope, descent.slope)
    return True


@compiled
def move(
    descent: Descent,
    level: Floats,
    best: Floats,
    floor: Floats,
    top: Floats,
    target: float,
    n_samples: int,
) -> bool:
    """Move the levels; False where nothing leads on.

    ``best`` are those of the lowest bound, where shorter steps start again when progress stalls.
    """
    pace = descent.paces[0]
    slope, direction = descent.slope, descent.direction
    if pace.stale >= PATIENCE:
        pace.stride *= 0.5
        if pace.stride < SHORTEST_STEP:
            return False
        pace.stale = 0
        copy_to(level, best)
        copy_to(slope, descent.best_slope)
        pace.bound = pace.lowest
        pace.norm = 0.0
    clip_slope(slope, level, floor, top)
    along = dot(slope, direction)
    turn = 0.0
    if pace.norm > 0.0 and along < 0.0:
        turn = -DEFLECTION * along / pace.norm
    pace.norm = deflect(direction, slope, turn)
    if pace.norm == 0.0:
        return False
    step = pace.stride * (pace.bound - target) * n_samples / pace.norm
    move_level(level, direction, step, floor, top)
    return True
