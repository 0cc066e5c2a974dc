"""The one place that picks a backend.

A backend is a module as `Backend` says; its row below registers it, fastest first.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from typing import Protocol, cast

from headrace._problem import Problem
from headrace._rollout_problem import RolloutProblem, Traces
from headrace._selection import Selection

BACKENDS = {
    "cpp": "headrace._backends.cpp",
    "numba": "headrace._backends.numba",
    "reference": "headrace._backends.reference",
}


class Backend(Protocol):
    """What the module of a backend has."""

    CHECKS_VALUES: bool
    """Whether ``select`` refuses numbers that break the rules of the problem by a ValueError."""

    def available(self) -> str | None:
        """Say why the backend cannot run; None: it can."""

    def select(self, problem: Problem, n_threads: int) -> Selection:
        """Decide the batch on at most so many threads."""

    def roll_out(self, problem: RolloutProblem, n_threads: int) -> Traces:
        """Roll all queries out at all prices, on at most so many threads."""


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
    return {name: _backend(name).available() for name in BACKENDS}


def pick(name: str | None) -> Backend:
    """Return a backend by name, of ``HEADRACE_BACKEND``, or of the best."""
    name = name if name is not None else os.environ.get("HEADRACE_BACKEND") or None
    if name is not None:
        if name not in BACKENDS:
            raise ValueError(f"unknown backend {name!r}: choose one of {list(BACKENDS)}")
        reason = _backend(name).available()
        if reason is not None:
            here = [other for other, why in backends().items() if why is None]
            raise ValueError(f"backend {name!r} is not available ({reason}); available: {here}")
        return _backend(name)
    best = next(name for name in BACKENDS if _backend(name).available() is None)
    if best == "reference":
        warnings.warn(
            "neither the compiled extension nor numba is available, so the slow reference backend "
            "decides: pip install 'headrace[numba]', or see headrace.backends()",
            RuntimeWarning,
            stacklevel=3,
        )
    return _backend(best)


@functools.cache
def _backend(name: str) -> Backend:
    return cast(Backend, importlib.import_module(BACKENDS[name]))
