"""Labels of groups as numbers, with a place for those that a fit has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headrace._log import Integers
from headrace._state import Kind, Labels


@dataclass(frozen=True, eq=False)
class Groups:
    """The labels of a fit, sorted; an unseen label, or none, gets the number ``len(labels)``."""

    labels: NDArray[np.generic]

    STATE: ClassVar[dict[str, Kind]] = {"labels": Labels()}

    @classmethod
    def of(cls, labels: NDArray[np.generic] | None) -> Groups:
        """Return the groups of these labels; fewer than two are as good as none."""
        found = np.zeros(0) if labels is None else np.unique(labels)
        return cls(found if len(found) > 1 else found[:0])

    def __len__(self) -> int:
        return len(self.labels)

    def codes(self, labels: NDArray[np.generic] | None, n: int) -> Integers:
        """Return the number of each query's group."""
        if labels is None or not len(self):
            return np.full(n, len(self), dtype=np.int64)
        if (labels.dtype.kind in "US") != (self.labels.dtype.kind in "US"):
            raise TypeError(
                f"groups must be labels of the kind that was fitted on, such as "
                f"{self.labels[0]!r}, got {labels[0]!r}"
            )
        place = np.minimum(np.searchsorted(self.labels, labels), len(self) - 1)
        known = self.labels[place] == labels
        return np.where(known, place, len(self)).astype(np.int64)
