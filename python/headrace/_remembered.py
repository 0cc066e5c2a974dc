"""What depends on the models that have run alone, remembered for a while."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

LARGEST_ENTRIES = 2**22
"""Numbers that are remembered at the most: 32 MiB."""


class Remembered(Generic[T]):
    """A dictionary that forgets its oldest entries, for many threads at once without a lock.

    Whoever finds nothing computes it; two threads may do so at once and leave equal values. Copies
    of an owner start empty, because an owner may change before it uses them.

    Parameters
    ----------
    size : int
        How many numbers an entry has.
    """

    __slots__ = ("_entries", "_most")

    def __init__(self, size: int) -> None:
        self._most = max(LARGEST_ENTRIES // max(size, 1), 8)
        self._entries: dict[Hashable, T] = {}

    def get(self, key: Hashable) -> T | None:
        """Return what is known, if anything."""
        return self._entries.get(key)

    def put(self, key: Hashable, value: T) -> None:
        """Remember."""
        entries = self._entries
        entries[key] = value
        if len(entries) > self._most:
            with suppress(KeyError, RuntimeError):  # another thread has removed or added one
                del entries[next(iter(entries))]

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[type[Remembered[T]], tuple[int]]:
        return type(self), (LARGEST_ENTRIES // self._most,)
