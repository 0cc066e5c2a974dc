"""The one place that picks a backend.

A backend is a module with ``available() -> str | None`` (None, or why it cannot run) and
``select(problem, n_threads) -> Selection``; its row below registers it, fastest first.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import cast

from headrace._problem import Problem
from headrace._selection import Selection

BACKENDS = {
    "cpp": "headrace._backends.cpp",
    "numba": "headrace._backends.numba",
    "reference": "headrace._backends.reference",
}

Select = Callable[[Problem, int], Selection]


def backends() -> dict[str, str | None]:
    """Say which backends can run here.

    Returns
    -------
    dict
        From the name of each backend, fastest first, to None where it is available, else to the
        reason why it is not.

    Examples
    --------
    >>> import headrace as hr
    >>> hr.backends()["reference"] is None
    True
    """
    return {name: importlib.import_module(module).available() for name, module in BACKENDS.items()}


def pick(name: str | None) -> Select:
    """Return the ``select`` of a backend by name, of ``HEADRACE_BACKEND``, or of the best."""
    name = name if name is not None else os.environ.get("HEADRACE_BACKEND") or None
    if name is not None:
        if name not in BACKENDS:
            raise ValueError(f"unknown backend {name!r}: choose one of {list(BACKENDS)}")
        reason = _available(name)
        if reason is not None:
            here = [other for other, why in backends().items() if why is None]
            raise ValueError(f"backend {name!r} is not available ({reason}); available: {here}")
        return _select(name)
    best = next(name for name in BACKENDS if _available(name) is None)
    if best == "reference":
        warnings.warn(
            "neither the compiled extension nor numba is available, so the slow reference backend "
            "decides: pip install 'headrace[numba]', or see headrace.backends()",
            RuntimeWarning,
            stacklevel=3,
        )
    return _select(best)


def _available(name: str) -> str | None:
    return cast("str | None", importlib.import_module(BACKENDS[name]).available())


def _select(name: str) -> Select:
    return cast(Select, importlib.import_module(BACKENDS[name]).select)
