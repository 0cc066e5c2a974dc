"""A session that the compiled router decides."""

from __future__ import annotations

import headrace._core as _core
from headrace._session import Session


class CompiledSession(_core.Session, Session):
    """A session of a compiled router.

    What most sessions do never comes to Python: `_core.Session` takes over `next_model`,
    `next_index`, `answer`, and an `observe` of the model that was asked for with plain floats.
    """

    __slots__ = ()
