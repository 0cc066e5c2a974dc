"""The one place that looks at what an estimator says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._check import (
    as_array,
    check_floats,
    check_not_negative,
    check_number,
    first_where,
    shaped_floats,
    value_error,
)
from headrace._estimators.protocol import Estimates
from headrace._reveals import ROUNDING, Reveals

OF = "the estimator's "


def checked(given: Estimates, n: int, k: int, ran: Sequence[int]) -> Estimates:
    """Return an estimator's answer on ``n`` queries and ``k`` models, after a look at it."""
    if not isinstance(given, Estimates):
        raise TypeError(f"an estimator must return headrace.Estimates, got {given!r}")
    if given.sigmas is not None and given.covariance is not None:
        raise ValueError("the estimator gave sigmas and a covariance, which exclude each other")
    each: dict[str, tuple[int, ...]] = {"(n, k)": (n, k)}
    qualities = check_floats(f"{OF}qualities", given.qualities, each)
    costs = check_not_negative(f"{OF}costs", check_floats(f"{OF}costs", given.costs, each))
    sigmas, covariance = given.sigmas, given.covariance
    if sigmas is not None:
        shapes: dict[str, tuple[int, ...]] = {"(k,)": (k,), **each}
        sigmas = check_not_negative(f"{OF}sigmas", check_floats(f"{OF}sigmas", sigmas, shapes))
        if len(ran) and sigmas[..., ran].any():
            raise ValueError(f"{OF}sigmas must be 0 for models that have run, {list(ran)}")
    if covariance is not None:
        covariance = shaped_floats(f"{OF}covariance", covariance, {"(k, k)": (k, k)})
        if len(ran) and (covariance[ran].any() or covariance[:, ran].any()):
            raise ValueError(f"{OF}covariance must be 0 for models that have run, {list(ran)}")
    reveals = given.reveals
    if reveals is not None:
        if not isinstance(reveals, Reveals):
            raise TypeError(f"{OF}reveals must be headrace.Reveals, got {reveals!r}")
        if sigmas is None and covariance is None:
            raise ValueError(f"{OF}reveals need the spread of the changes beside them: sigmas")
        reveals = _checked_reveals(reveals, n, k)
        where = first_where(qualities, lambda q: ~((q >= -ROUNDING) & (q <= 1.0 + ROUNDING)))
        if where is not None:
            rule = "must be in 0 to 1 where there are reveals"
            raise value_error(f"{OF}qualities", rule, qualities, where)
    return Estimates(qualities, costs, sigmas, covariance, reveals)


def _checked_reveals(given: Reveals, n: int, k: int) -> Reveals:
    """Return the reveals of ``n`` queries and ``k`` models, after a look at them."""
    what = "the chances of reveals"
    right, wrong = (
        check_floats(what, each, {"(g, k, T)": np.shape(each)})
        for each in (given.right, given.wrong)
    )
    if right.ndim != 3 or right.shape != wrong.shape or right.shape[1] != k or not right.size:
        raise ValueError(
            f"{what} must have shape (g, k, T) with k = {k}, got {right.shape} and {wrong.shape}"
        )
    for each in (right, wrong):
        steps = np.diff(each, axis=2, prepend=0.0)
        if (steps < -ROUNDING).any() or (np.abs(each[:, :, -1] - 1.0) > ROUNDING).any():
            raise ValueError(f"{what} must rise from node to node, up to 1")
    group: NDArray[Any] = as_array("the groups of reveals", given.group)
    if group.shape != (n,) or group.dtype.kind not in "iu":
        raise ValueError(
            f"the groups of reveals must be integers of shape ({n},), got {group.dtype} of shape "
            f"{group.shape}"
        )
    outside = np.flatnonzero((group < 0) | (group >= len(right)))
    if len(outside):
        row = int(outside[0])
        raise ValueError(
            f"the group of row {row} is not one of the reveals: {int(group[row])} of {len(right)}"
        )
    scale = check_number("the scale of reveals", given.scale)
    return Reveals(right, wrong, group.astype(np.int64), scale)
