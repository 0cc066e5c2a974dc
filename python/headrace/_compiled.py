"""A fitted router in compiled form, which decides for sessions without the interpreter."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from headrace._backends import cpp, pick

if TYPE_CHECKING:
    import headrace._core as _core

T = TypeVar("T")


class Compiled:
    """The compiled form of one fit, made when it is first asked for.

    Copies of an owner start without it, because an owner may change before it uses them.

    Attributes
    ----------
    router : Router of the extension, or None
        Once it is made.
    """

    __slots__ = ("_tried", "router")

    def __init__(self) -> None:
        self.router: _core.Router | None = None
        self._tried = False

    def make(
        self, content: Callable[[T], bytes], fit: T, backend: str | None
    ) -> _core.Router | None:
        """Make it of the content of a file of the fit, and return it.

        None where another backend decides, or the compiled one cannot read the fit: then the
        estimator is not one of the package, or depends on other libraries. Which backend decides is
        settled by the first call.
        """
        if not self._tried:
            if pick(backend) is cpp:
                with contextlib.suppress(ValueError, TypeError, AttributeError):
                    self.router = cpp.router(content(fit))
            self._tried = True
        return self.router

    def __reduce__(self) -> tuple[type[Compiled], tuple[()]]:
        return type(self), ()
