"""A heap of models by key: the highest key first, then the highest index."""

from __future__ import annotations

from headrace._backends._numba_compile import compiled
from headrace._backends._numba_query import Integers
from headrace._problem import Floats


@compiled
def sift_down(keys: Floats, models: Integers, place: int, count: int) -> None:
    """Let the entry at a place sink to where it belongs in a heap of ``count``."""
    key = keys[place]
    model = models[place]
    while 2 * place + 1 < count:
        child = 2 * place + 1
        if child + 1 < count and (
            keys[child + 1] > keys[child]
            or (keys[child + 1] == keys[child] and models[child + 1] > models[child])
        ):
            child += 1
        if key > keys[child] or (key == keys[child] and model > models[child]):
            break
        keys[place] = keys[child]
        models[place] = models[child]
        place = child
    keys[place] = key
    models[place] = model


@compiled
def make_heap(keys: Floats, models: Integers, count: int) -> None:
    """Order the first ``count`` entries as a heap."""
    for place in range(count // 2 - 1, -1, -1):
        sift_down(keys, models, place, count)


@compiled
def sort_by_key(keys: Floats, models: Integers, count: int) -> None:
    """Sort the first ``count`` entries: the lowest key first, then the lowest index."""
    make_heap(keys, models, count)
    for last in range(count - 1, 0, -1):
        keys[0], keys[last] = keys[last], keys[0]
        models[0], models[last] = models[last], models[0]
        sift_down(keys, models, 0, last)
