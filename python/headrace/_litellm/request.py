"""What is known of a request before any model runs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Request:
    """A request, for the functions that say what is known of it.

    Attributes
    ----------
    messages : sequence of mappings
        As sent; empty where there are none. They are left out of the ``repr``.
    metadata : mapping
        Of the request, as its sender gave it and LiteLLM has added to it; so is this.
    """

    messages: Sequence[Mapping[str, Any]] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, messages: object, arguments: Mapping[str, Any] | None) -> Request:
        """Take the parts out of what LiteLLM hands on; either may be missing."""
        metadata: dict[str, Any] = {}
        for name in ("litellm_metadata", "metadata"):
            metadata.update((arguments or {}).get(name) or {})
        return cls(messages if isinstance(messages, Sequence) else [], metadata)


Features = Callable[[Request], "ArrayLike | Awaitable[ArrayLike]"]
Group = Callable[[Request], object]


@dataclass(frozen=True)
class Known:
    """The user's functions of a request.

    Attributes
    ----------
    features : callable, optional
        Returns an array of shape (d,), or, where the request is asynchronous, an awaitable of one.
    group : callable, optional
        Returns the group of the request.
    """

    features: Features | None
    group: Group | None

    def __post_init__(self) -> None:
        for what, given in (("features", self.features), ("group", self.group)):
            if given is not None and not callable(given):
                raise TypeError(f"{what} must be a function of a Request, got {given!r}")

    def of(self, request: Request) -> dict[str, Any]:
        """Return the arguments of :meth:`headrace.Router.start`."""
        features = self._features(request)
        if inspect.isawaitable(features):
            if inspect.iscoroutine(features):
                features.close()
            raise TypeError(
                "features is a coroutine function, and this request is synchronous: use "
                "acompletion, or a function that returns the array"
            )
        return {"features": features, "group": self._group(request)}

    async def aof(self, request: Request) -> dict[str, Any]:
        """Return the same; the features may be awaited."""
        features = self._features(request)
        if inspect.isawaitable(features):
            features = await features
        return {"features": features, "group": self._group(request)}

    def _features(self, request: Request) -> Any:
        return None if self.features is None else self.features(request)

    def _group(self, request: Request) -> object:
        return None if self.group is None else self.group(request)
