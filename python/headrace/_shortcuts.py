"""Functions that do without the interpreter what is usual, where there is the extension.

Each calls the one that it stands for where it is asked for anything else: that one is the judge.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from headrace._backends import cpp
from headrace._check import check_samples
from headrace._selection import Selection

if TYPE_CHECKING:
    from headrace._core import SampleMatrix

Function = TypeVar("Function", bound=Callable[..., Any])


def quick_start(checked: Function) -> Function:
    """Return a method that starts compiled sessions by itself."""
    if cpp.available() is not None:
        return checked
    import headrace._core as _core

    return _like(checked, _core.quick_start(checked))


def quick_select(checked: Function) -> Function:
    """Return a function that decides one query in arrays of float64 by itself."""
    if cpp.available() is not None:
        return checked
    import headrace._core as _core

    helpers = (os, np.ndarray, _sample_matrix, Selection)
    return _like(checked, _core.quick_select(checked, helpers))


def _like(checked: Function, shortcut: Function) -> Function:
    functools.update_wrapper(shortcut, checked)
    vars(shortcut)["__signature__"] = inspect.signature(checked)
    return shortcut


@functools.lru_cache(maxsize=8)
def _sample_matrix(n_models: int, n_samples: int, seed: int) -> SampleMatrix:
    """Return the draws of a problem, looked at once; ValueError where `batch_select` raises it."""
    import headrace._core as _core

    return _core.sample_matrix(check_samples(None, n_samples, seed, n_models))
