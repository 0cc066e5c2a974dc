"""A fitted router in compiled form, which decides for sessions without the interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import headrace._core as _core


class Compiled:
    """The compiled form of one fit, made when it is first asked for.

    Attributes
    ----------
    router : Router of the extension, or None
        Once it is made.
    tried : bool
        Whether it is made, or cannot be.
    """

    __slots__ = ("router", "tried")

    def __init__(self) -> None:
        self.router: _core.Router | None = None
        self.tried = False
