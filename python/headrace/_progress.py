"""A progress bar around long work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def progress_bar(items: list[T], shown: bool, what: str) -> Iterable[T]:
    """Iterate with a progress bar, if it is to be shown (needs tqdm)."""
    if not shown:
        return items
    from tqdm import tqdm

    bar: Callable[..., Iterable[T]] = tqdm
    return bar(items, desc=what, leave=False)
