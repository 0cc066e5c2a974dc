"""The one place that chooses what a session decides with: the compiled router, if it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._decider import Decider
from headrace._problem import Floats
from headrace._query_state import Asked, PlainState, QueryState


def state_of(
    decider: Decider,
    content: Callable[[Decider], bytes],
    asked: Asked,
    dear: bool,
    surcharge: Floats | None,
) -> QueryState:
    """Return the state of a query before any model has run.

    ``content`` returns that of a file of the decider's fit; ``surcharge`` is added to the expected
    costs.
    """
    features, groups, index = asked
    compiled = decider.compiled.router
    if compiled is None:  # not yet, or it cannot be made
        compiled = decider.compiled.make(content, decider, decider.policy.backend)
    if compiled is not None and (index == 0 or not compiled.n_rows or index < compiled.n_rows):
        label = None if groups is None else _label(decider, groups)
        if label is not NotImplemented:
            return compiled.start(features, label, dear, index, surcharge)
    return PlainState(decider, asked, dear, surcharge)


def _label(decider: Decider, groups: NDArray[np.generic]) -> Any:
    """Return the label of the group; NotImplemented if labels of its kind were not fitted on."""
    seen = getattr(decider.estimator, "groups_", None)
    if seen is None or not len(seen):
        return None
    kinds = "U" if seen.labels.dtype.kind == "U" else "bif"
    label = groups.item()
    known = groups.dtype.kind in kinds and isinstance(label, str | bool | int | float)
    return label if known else NotImplemented
