"""Loops over samples. The order of every addition is part of the contract of all backends.

Rows are padded with zeros to a multiple of eight. Eight running sums, added in pairs at the end,
fix the order of addition; they are the lanes of one vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range

from headrace._backends._numba_compile import compiled, generated
from headrace._problem import Floats

LANES = 8

VECTOR = ir.VectorType(ir.DoubleType(), LANES)


def lane_sum(rows: tuple[Any, ...], term: Callable[..., Any]) -> tuple[Any, Any]:
    """Type and compile a sum over the samples of rows: ``term(builder, *vectors)`` is added up."""
    assert all(isinstance(row, types.Array) and row.layout == "C" for row in rows)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, argument)
            for kind, argument in zip(signature.args, arguments, strict=True)
        ]
        starts = [builder.bitcast(array.data, VECTOR.as_pointer()) for array in arrays]
        with builder.goto_entry_block():
            sums = builder.alloca(VECTOR)
        builder.store(ir.Constant(VECTOR, None), sums)
        n_vectors = builder.lshr(arrays[0].nitems, ir.Constant(arrays[0].nitems.type, 3))
        with for_range(builder, n_vectors) as loop:
            vectors = [
                builder.load(builder.gep(start, [loop.index]), align=LANES) for start in starts
            ]
            builder.store(builder.fadd(builder.load(sums), term(builder, *vectors)), sums)
        lanes = [
            builder.extract_element(builder.load(sums), ir.Constant(ir.IntType(32), lane))
            for lane in range(LANES)
        ]
        while len(lanes) > 1:
            lanes = [builder.fadd(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        return lanes[0]

    return types.float64(*rows), generate


@generated
def total(typing_context: Any, values: Any) -> Any:
    """Add up."""
    return lane_sum((values,), lambda builder, x: x)


@generated
def excess(typing_context: Any, x: Any, level: Any) -> Any:
    """Add up (x - level)+."""

    def above(builder: Any, x: Any, level: Any) -> Any:
        zero = ir.Constant(VECTOR, None)
        difference = builder.fsub(x, level)
        return builder.select(builder.fcmp_ordered(">", difference, zero), difference, zero)

    return lane_sum((x, level), above)


@generated
def dot(typing_context: Any, x: Any, y: Any) -> Any:
    """Add up x * y."""
    return lane_sum((x, y), lambda builder, x, y: builder.fmul(x, y))


@compiled
def padded_length(n_samples: int) -> int:
    """Return the length of a row."""
    return (n_samples + LANES - 1) // LANES * LANES


@compiled
def mean_excess(x: Floats, level: Floats, n_samples: int) -> float:
    """Average (x - level)+."""
    return excess(x, level) / n_samples


@compiled
def fill(target: Floats, value: float) -> None:
    """Set target to one value."""
    for s in range(len(target)):
        target[s] = value


@compiled
def copy_to(target: Floats, x: Floats) -> None:
    """Set target to x."""
    for s in range(len(target)):
        target[s] = x[s]


@compiled
def raise_to(level: Floats, x: Floats) -> None:
    """Set level to max(level, x)."""
    for s in range(len(level)):
        level[s] = x[s] if level[s] < x[s] else level[s]


@compiled
def lower_to(level: Floats, x: Floats) -> None:
    """Set level to min(level, x)."""
    for s in range(len(level)):
        level[s] = x[s] if x[s] < level[s] else level[s]


@compiled
def at_least(x: Floats, y: Floats) -> bool:
    """Whether x >= y everywhere."""
    for s in range(len(x)):  # noqa: SIM110
        if x[s] < y[s]:
            return False
    return True


@compiled
def raise_two(best: Floats, second: Floats, owner: Floats, x: Floats, place: float) -> None:
    """Take x into the best and second-best; ``place`` owns the samples where it is the best."""
    for s in range(len(best)):
        above = x[s] > best[s]
        loser = best[s] if above else x[s]
        second[s] = loser if second[s] < loser else second[s]
        owner[s] = place if above else owner[s]
        best[s] = x[s] if above else best[s]


@compiled
def swap_kept(kept: Floats, x: Floats, best: Floats, second: Floats) -> None:
    """Set kept to (min(x, best) - second)+: of what goes with the best draw, what x keeps."""
    for s in range(len(kept)):
        above = (x[s] if x[s] < best[s] else best[s]) - second[s]
        kept[s] = above if above > 0.0 else 0.0


@compiled
def clip_slope(slope: Floats, level: Floats, floor: Floats, top: Floats) -> None:
    """Clear the slopes that lead out of [floor, top]."""
    for s in range(len(slope)):
        down = 0.0 if level[s] <= floor[s] else slope[s]
        up = 0.0 if level[s] >= top[s] else slope[s]
        slope[s] = down if slope[s] < 0.0 else up


@compiled
def deflect(direction: Floats, slope: Floats, turn: float) -> float:
    """Set direction to slope + turn * direction; return the sum of its squares."""
    for s in range(len(direction)):
        direction[s] = slope[s] + turn * direction[s]
    return dot(direction, direction)


@compiled
def move_level(level: Floats, slope: Floats, step: float, floor: Floats, top: Floats) -> None:
    """Set level to min(top, max(floor, level + step * slope))."""
    for s in range(len(level)):
        moved = level[s] + step * slope[s]
        moved = floor[s] if moved < floor[s] else moved
        level[s] = top[s] if top[s] < moved else moved


@compiled
def count_above(count: Floats, x: Floats, level: Floats) -> None:
    """Count where x is above the level."""
    for s in range(len(count)):
        count[s] += 1.0 if x[s] > level[s] else 0.0


@compiled
def draw_to(x: Floats, quality: float, sigma: float, z: Floats) -> None:
    """Set x to quality + sigma * z, and its padding to zero."""
    for s in range(len(z)):
        x[s] = quality + sigma * z[s]
    for s in range(len(z), len(x)):
        x[s] = 0.0


@compiled
def add_scaled(x: Floats, weight: float, z: Floats) -> None:
    """Add weight * z to x."""
    for s in range(len(z)):
        x[s] += weight * z[s]
