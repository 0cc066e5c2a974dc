"""The one place that checks what a user passes, before any work.

Value and shape faults raise ``ValueError``, faults of type ``TypeError``; the message says what
was expected, what was given and at which index.

Looking at every number takes as long as deciding does. So `check_problem` notes the large arrays
whose numbers are still to be looked at, and `check_values` looks: before a backend that trusts
them, or after one that checks them itself has refused something.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Collection
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headrace._covariance import lower_cholesky
from headrace._options import SEARCHES, STRATEGIES, TIES
from headrace._problem import Bools, Floats, Problem
from headrace._samples import standard_normal_samples

FLOAT64 = np.dtype(np.float64)
MAX_MODELS = 4096
MAX_SAMPLES = 2**16
MAX_THREADS = 1024
MAX_NODES = 2**62
LARGEST = 1e100
"""Magnitudes beyond this could overflow a sum."""
LARGEST_BYTES = 2**63 - 1
BLOCK_ENTRIES = 2**18
"""Arrays are read in blocks of about this many entries: signals are handled between them."""
FEW = 4096
"""So many numbers are looked at together first: those of a single query."""


Rule = Callable[[str, Any], None]
"""Refuses an array by name."""

Unchecked = list[tuple[Rule, str, NDArray[Any]]]
"""Arrays to be looked at, in the order of the signature and in the shape that the user gave."""


def check_values(unchecked: Unchecked) -> None:
    """Look at the numbers that `check_problem` has left."""
    for rule, what, array in unchecked:
        rule(what, array)


def check_name(what: str, given: object, valid: Collection[str]) -> str:
    """Return the name if it is valid, else say which are."""
    if not isinstance(given, str):
        raise TypeError(f"{what} must be one of {list(valid)}, got {given!r}")
    if given not in valid:
        raise ValueError(f"unknown {what} {given!r}: choose one of {list(valid)}")
    return given


def check_integer(what: str, given: object, lowest: int, highest: int | None = None) -> int:
    """Return an integer not below ``lowest``, nor above ``highest``."""
    if type(given) is int:
        value = given
    elif isinstance(given, (bool, np.bool_)):
        raise TypeError(f"{what} must be an integer, got {given!r}")
    else:
        try:
            value = operator.index(given)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"{what} must be an integer, got {given!r}") from None
    if value < lowest:
        raise ValueError(f"{what} must be at least {lowest}, got {value}")
    if highest is not None and value > highest:
        raise ValueError(f"{what} must be at most {highest}, got {value}")
    return value


def check_flag(what: str, given: object) -> bool:
    """Return a bool; nothing else counts as one."""
    if not isinstance(given, (bool, np.bool_)):
        raise TypeError(f"{what} must be True or False, got {given!r}")
    return bool(given)


def as_array(what: str, given: ArrayLike) -> NDArray[np.generic]:
    """Make an array without converting its numbers."""
    if type(given) is np.ndarray:
        return given
    if isinstance(given, np.ma.MaskedArray) and np.ma.getmaskarray(given).any():
        where = tuple(int(i) for i in np.argwhere(np.ma.getmaskarray(given))[0])
        raise ValueError(f"{what} has a masked entry at index {where}: fill it first")
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ValueError(f"{what} is not an array of numbers: {error}") from None


def check_size(what: str, *factors: int) -> None:
    """Refuse sizes whose product overflows."""
    if math.prod(factors) * 8 > LARGEST_BYTES:
        raise ValueError(f"{what} of shape {factors} is too large to address")


def shaped_floats(what: str, given: ArrayLike, shapes: dict[str, tuple[int, ...]]) -> Floats:
    """Return C-contiguous float64 of one of the shapes; copy only if it is not so yet."""
    array = as_array(what, given)
    if array.dtype is FLOAT64 and array.flags.carray and array.shape in shapes.values():
        return cast(Floats, array)  # as most are
    if array.dtype.kind not in "iuf" or not np.can_cast(array.dtype, np.float64, "safe"):
        raise TypeError(
            f"{what} must hold real numbers that float64 represents "
            f"(float16 to float64, or integers), got dtype {array.dtype}"
        )
    if array.shape not in shapes.values():
        expected = " or ".join(f"{name} = {shape}" for name, shape in shapes.items())
        raise ValueError(f"{what} must have shape {expected}, got {array.shape}")
    check_size(what, *array.shape)
    floats = as_floats(array)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        inexact = first_where(floats, lambda block: np.abs(block) >= 2.0**53)
        if inexact is not None:
            raise value_error(what, "must be exact in float64", array, inexact)
    return floats


def check_floats(what: str, given: ArrayLike, shapes: dict[str, tuple[int, ...]]) -> Floats:
    """Return finite C-contiguous float64 of one of the shapes."""
    floats = shaped_floats(what, given, shapes)
    refuse_values(what, floats)
    return floats


def check_features(given: ArrayLike | None, d: int) -> Floats | None:
    """Return the d features of one query, not those of the caller."""
    if not d and given is None:
        return None
    if not d or given is None:
        raise ValueError(
            f"features must have shape (d,) = ({d},), as in the log that was fitted on, got "
            f"{'none' if given is None else 'some, and that has none'}"
        )
    return check_floats("features", given, {"(d,)": (d,)}).copy()


def refuse_values(what: str, floats: Floats, *, missing: bool = False) -> None:
    """Refuse numbers that are not finite or too large; NaN may say that one is missing."""
    if floats.size <= FEW and np.vdot(floats, floats) <= LARGEST:
        return  # NaN is not below anything

    def is_bad(block: Floats) -> Bools:
        bad: Bools = ~(np.abs(block) <= LARGEST)
        return bad & ~np.isnan(block) if missing else bad

    beyond = first_where(floats, is_bad)
    if beyond is not None:
        finite = np.isfinite(floats[beyond])
        rule = f"not exceed {LARGEST:g} in magnitude" if finite else "be finite"
        raise value_error(what, f"must {rule}", floats, beyond)


def refuse_negative_values(what: str, floats: Floats) -> None:
    """Refuse numbers that are not finite, too large or negative."""
    refuse_values(what, floats)
    if 0 < floats.size <= FEW and floats.min() >= 0.0:
        return
    negative = first_where(floats, lambda block: block < 0.0)
    if negative is not None:
        raise value_error(what, "must not be negative", floats, negative)


def check_not_negative(what: str, floats: Floats) -> Floats:
    """Return finite numbers, none of which is negative."""
    refuse_negative_values(what, floats)
    return floats


def as_floats(array: NDArray[np.generic]) -> Floats:
    """Return aligned C-contiguous float64: the array itself if it is so, else a copy."""
    if array.dtype == np.float64 and array.flags.c_contiguous and array.flags.aligned:
        return cast(Floats, array)
    floats = np.empty(array.shape)
    source, target = np.atleast_1d(array), np.atleast_1d(floats)
    rows = max(1, BLOCK_ENTRIES * len(source) // max(1, array.size))
    for start in range(0, len(source), rows):
        target[start : start + rows] = source[start : start + rows]
    return floats


def first_where(
    floats: Floats, faulty: Callable[[Floats], NDArray[np.bool_]]
) -> tuple[int, ...] | None:
    """Return the first index of a C-contiguous array where a rule is broken, if any."""
    flat = floats.reshape(-1)
    for start in range(0, flat.size, BLOCK_ENTRIES):
        broken = faulty(flat[start : start + BLOCK_ENTRIES])
        if broken.any():
            where = np.unravel_index(start + int(np.argmax(broken)), floats.shape)
            return tuple(int(i) for i in where)
    return None


def value_error(
    what: str, rule: str, array: NDArray[np.generic], where: tuple[int, ...]
) -> ValueError:
    """Say which rule the entry at an index breaks."""
    at = f" at index {where if len(where) != 1 else where[0]}" if where else ""
    return ValueError(f"{what} {rule}, got {array[where]}{at}")


def check_ran(given: ArrayLike, n: int, k: int) -> Bools:
    """Return the run models."""
    array = as_array("ran", given)
    if array.dtype != np.bool_:
        raise TypeError(f"ran must be of dtype bool, got dtype {array.dtype}")
    if array.shape != (n, k):
        raise ValueError(f"ran must have shape (n, k) = {(n, k)}, got {array.shape}")
    ran: Bools = np.ascontiguousarray(array)
    return ran


def refuse_all_run(what: str, ran: Bools) -> None:
    """Refuse a row in which no model is left to run."""
    n, k = ran.shape
    rows = max(1, BLOCK_ENTRIES // k)
    for start in range(0, n, rows):
        full = np.flatnonzero(ran[start : start + rows].all(axis=1))
        if len(full):
            row = start + int(full[0])
            raise ValueError(
                f"{what}: all {k} models have run in row {row}, so there is nothing to decide"
            )


def check_factor(given: ArrayLike, n: int, k: int, n_threads: int = 1) -> Floats:
    """Return the lower Cholesky factor of the covariance, shape (n, k, k) or (1, k, k)."""
    array = as_array("covariance", given)
    covariance = check_floats("covariance", array, {"(k, k)": (k, k), "(n, k, k)": (n, k, k)})
    dtype: np.dtype[Any] = array.dtype if array.dtype.kind == "f" else covariance.dtype
    return lower_cholesky(covariance.reshape(-1, k, k), float(np.finfo(dtype).eps), n_threads)


def check_samples(given: ArrayLike | None, n_samples: object, seed: object, k: int) -> Floats:
    """Return the user's standardised draws, or draw them."""
    count = check_integer("n_samples", n_samples, 1)
    seed = check_integer("seed", seed, 0)
    if given is not None:
        array = as_array("samples", given)
        if array.ndim != 2 or array.shape[0] != k or not 1 <= array.shape[1] <= MAX_SAMPLES:
            raise ValueError(
                f"samples must have shape (k, S) = ({k}, 1 to {MAX_SAMPLES}), got {array.shape}"
            )
        return check_floats("samples", array, {"(k, S)": array.shape})
    check_sample_count(count)
    return standard_normal_samples(k, count, seed)


def check_sample_count(n_samples: object) -> None:
    """Refuse a number of draws that there are no well-spread ones of."""
    count = check_integer("n_samples", n_samples, 1)
    if count & (count - 1) or count > MAX_SAMPLES:
        raise ValueError(f"n_samples must be a power of two up to {MAX_SAMPLES}, got {count}")


def check_depth(max_depth: object, strategy: str) -> int:
    """Return the most models of a query, if the strategy may be held to it."""
    depth = check_integer("max_depth", max_depth, 1)
    if strategy in STRATEGIES and STRATEGIES[strategy].adaptive:
        raise ValueError(
            f"strategy={strategy!r} explores cheap models first and must not be combined "
            f"with max_depth, got {depth}"
        )
    return depth


def check_number(what: str, given: object) -> float:
    """Return one number that is not negative."""
    array = check_floats(what, given, {"a number": ()})  # type: ignore[arg-type]
    return float(check_not_negative(what, array))


def check_limits(
    node_limit: int | None, time_limit: float | None, search: str
) -> tuple[int | None, float | None]:
    """Return the limits of an anytime search."""
    if node_limit is not None:
        node_limit = min(check_integer("node_limit", node_limit, 1), MAX_NODES)
    if time_limit is not None:
        time_limit = float(check_floats("time_limit", time_limit, {"()": ()}))
        if time_limit <= 0.0:
            raise ValueError(f"time_limit must be above 0 seconds, got {time_limit}")
    if search == "exhaustive" and (node_limit is not None or time_limit is not None):
        raise ValueError(
            "search='exhaustive' visits every supermodel: node_limit and time_limit are for "
            "search='exact'"
        )
    return node_limit, time_limit


def check_threads(n_threads: int | None) -> int:
    """Return the number of threads; None means the CPUs that the process may use."""
    if n_threads is not None:
        return min(check_integer("n_threads", n_threads, 1), MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_problem(
    unchecked: Unchecked,
    qualities: ArrayLike,
    costs: ArrayLike,
    lambda_: ArrayLike,
    *,
    sigmas: ArrayLike | None,
    covariance: ArrayLike | None,
    ran: ArrayLike | None,
    strategy: str,
    search: str,
    max_depth: int | None,
    fixed_order: bool,
    ties: str,
    n_samples: int,
    seed: int,
    samples: ArrayLike | None,
    node_limit: int | None,
    time_limit: float | None,
    n_threads: int,
) -> Problem:
    """Check the arguments of :func:`headrace.batch_select`, in the order of its signature.

    Covariances are factorised on so many threads. All is checked but for the numbers of
    those that are added to ``unchecked``; `check_values` is due for them before a backend that
    trusts them, and before a fault of a later argument is raised.
    """
    shape = as_array("qualities", qualities).shape
    if len(shape) != 2:
        raise ValueError(f"qualities must have shape (n, k), got {shape}")
    n, k = shape
    if k < 1 or k > MAX_MODELS:
        raise ValueError(f"qualities must have 1 to {MAX_MODELS} models (columns), got {k}")
    check_size("qualities", n, k)
    q = shaped_floats("qualities", qualities, {"(n, k)": (n, k)})
    unchecked.append((refuse_values, "qualities", q))
    c = shaped_floats("costs", costs, {"(n, k)": (n, k), "(k,)": (k,)})
    unchecked.append((refuse_negative_values, "costs", c))
    price = shaped_floats("lambda_", lambda_, {"a number": (), "(n,)": (n,)})
    unchecked.append((refuse_negative_values, "lambda_", price))

    rules = STRATEGIES[check_name("strategy", strategy, STRATEGIES)]
    check_name("search", search, SEARCHES)
    check_name("ties", ties, TIES)
    if sigmas is not None and covariance is not None:
        raise ValueError("sigmas and covariance exclude each other: give one of them")
    if rules.adaptive and covariance is not None:
        raise ValueError(
            f"strategy={strategy!r} needs independent estimates: give sigmas, not a covariance"
        )
    sd = None
    if sigmas is not None:
        sd = shaped_floats("sigmas", sigmas, {"(k,)": (k,), "(n, k)": (n, k)})
        unchecked.append((refuse_negative_values, "sigmas", sd))
        sd = sd.reshape(-1, k)
    factor = None if covariance is None else check_factor(covariance, n, k, n_threads)
    has_run = None
    if ran is not None:
        has_run = check_ran(ran, n, k)
        unchecked.append((refuse_all_run, "ran", has_run))

    if max_depth is not None:
        max_depth = check_depth(max_depth, strategy)
    fixed_order = check_flag("fixed_order", fixed_order)
    if rules.adaptive and fixed_order:
        raise ValueError(f"strategy={strategy!r} finds its own order: leave out fixed_order")
    drawn = check_samples(samples, n_samples, seed, k)
    uncertain = rules.uses_samples and (sd is not None or factor is not None)
    node_limit, time_limit = check_limits(node_limit, time_limit, search)

    return Problem(
        qualities=q,
        costs=c.reshape(-1, k),
        lambda_=price.reshape(-1),
        sigmas=sd,
        factor=factor,
        ran=has_run,
        samples=drawn if uncertain else None,
        strategy=strategy,
        search=search,
        max_models=k if max_depth is None else min(max_depth, k),
        fixed_order=fixed_order,
        ties=ties,
        node_limit=node_limit,
        time_limit=time_limit,
    )
