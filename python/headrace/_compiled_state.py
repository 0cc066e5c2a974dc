"""The one place that chooses what a session decides with: the compiled router, if it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._check import check_features
from headrace._decider import Decider
from headrace._problem import Floats
from headrace._query_state import Asked, PlainState, QueryState


def begin(
    decider: Decider,
    content: Callable[[Decider], bytes],
    features: Any,
    groups: NDArray[np.generic] | None,
    index: int,
    dear: bool,
    surcharge: Floats | None,
) -> tuple[QueryState, Asked]:
    """Check the features; return the state of a query before any model has run, and the query.

    ``content`` returns that of a file of the decider's fit; ``surcharge`` is added to the expected
    costs.
    """
    compiled = decider.compiled.router
    if compiled is None:  # not yet, or it cannot be made
        compiled = decider.compiled.make(content, decider, decider.policy.backend)
    label = None if compiled is None or groups is None else _label(decider, groups)
    if compiled is not None and (label is NotImplemented or 0 < compiled.n_rows <= index):
        compiled = None  # it does not know such a query
    if compiled is not None and (features is None or (type(features) is list and features)):
        known = None if features is None else features.copy()  # others may write to theirs
        try:
            return compiled.start(known, label, dear, index, surcharge), (known, groups, index)
        except (ValueError, TypeError):
            pass  # the check words it, or makes floats of it
    asked = check_features(features, decider.n_features), groups, index
    if compiled is None:
        return PlainState(decider, asked, dear, surcharge), asked
    return compiled.start(asked[0], label, dear, index, surcharge), asked


def _label(decider: Decider, groups: NDArray[np.generic]) -> Any:
    """Return the label of the group; NotImplemented if labels of its kind were not fitted on."""
    seen = getattr(decider.estimator, "groups_", None)
    if seen is None or not len(seen):
        return None
    kinds = "U" if seen.labels.dtype.kind == "U" else "bif"
    label = groups.item()
    known = groups.dtype.kind in kinds and isinstance(label, str | bool | int | float)
    return label if known else NotImplemented
