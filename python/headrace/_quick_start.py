"""Sessions that start without the interpreter, where there is the extension."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from headrace._backends import cpp

Start = TypeVar("Start", bound=Callable[..., Any])


def quick_start(checked: Start) -> Start:
    """Return a method that starts compiled sessions by itself, where it is asked as it usually is.

    For all else it calls the method given, which is the judge. Without the extension it is that.
    """
    if cpp.available() is not None:
        return checked
    import headrace._core as _core

    started = _core.quick_start(checked)
    functools.update_wrapper(started, checked)
    return started
