"""How the numba backend compiles, and how it keeps what it compiled."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

WITHOUT_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Calls from Python and from C would take as long to compile as the functions themselves."""

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function that compiled functions call, and no one else."""
    return cast(Function, numba.njit(error_model="numpy", **WITHOUT_WRAPPERS)(function))


def compiled_once(function: Function) -> Function:
    """Compile a function that Python calls, and keep it on disk where there is a place for it."""
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # no directory that may be written
        return cast(Function, numba.njit(nogil=True, error_model="numpy")(function))


def generated(function: Callable[..., Any]) -> Callable[..., float]:
    """Make a function of numbers, for compiled functions, from one that writes its code."""
    return cast(Callable[..., float], intrinsic(function))


def stamp_of(modules: list[ModuleType]) -> NDArray[Any]:
    """Make an empty array whose type names the sources of modules.

    As an argument it keeps what was compiled from other sources out of use: numba's cache goes by
    the types of the arguments, but watches no file other than that of the function called.
    """
    digest = hashlib.sha256()
    for module in modules:
        with contextlib.suppress(OSError):  # shipped without sources: then nothing is cached
            digest.update(inspect.getsource(module).encode())
    return np.empty(0, [("sources_" + digest.hexdigest(), np.uint8)])
