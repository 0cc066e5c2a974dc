"""What the benchmark scripts share: whether answers agree, and where they were measured."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import headrace as hr
import numpy as np

FAST = tuple(name for name, why in hr.backends().items() if why is None and name != "reference")
"""The available backends that are fast enough for whole batches, fastest first."""


def assert_same(answer: hr.Selection, other: hr.Selection, rows: slice, where: str) -> None:
    """Assert that ``other`` decides as ``answer`` does on ``rows``, to the last bit.

    Raises
    ------
    AssertionError
        Names `where` and the field and query that differ first.
    """
    for field in ("next_model", "supermodel", "tradeoff", "quality", "cost"):
        mine, yours = getattr(answer, field)[rows], getattr(other, field)
        if mine.dtype == np.float64:
            mine, yours = mine.view(np.int64), yours.view(np.int64)
        assert mine.shape == yours.shape, f"{where}: {field} has another shape"
        different = np.argwhere(mine != yours)
        assert not len(different), f"{where}: {field} differs first at query {different[0, 0]}"


def machine() -> str:
    """Say what the measurements run on, in one line."""
    return (
        f"headrace {hr.__version__}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, numba {_version('numba')}; "
        f"backends: {', '.join((*FAST, 'reference'))}; one thread"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
