"""The one place that chooses what decides a session: the compiled router, if it can."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._backends import cpp, pick
from headrace._check import check_features
from headrace._decider import Decider
from headrace._plain_session import PlainSession
from headrace._session import Pace, Session


def begin(
    decider: Decider,
    content: Callable[[Decider], bytes],
    features: Any,
    groups: NDArray[np.generic] | None,
    index: int,
    dear: bool,
    pace: Pace | None,
) -> Session:
    """Check the features; return the session of a query.

    ``content`` returns that of a file of the decider's fit.
    """
    if decider.may_compile:
        _compile(decider, content)
    compiled = decider.compiled
    label = None if compiled is None or groups is None else _label(decider, groups)
    if compiled is not None and (label is NotImplemented or 0 < compiled.n_rows <= index):
        compiled = None  # it does not know such a query
    known = check_features(features, decider.n_features)
    if compiled is None:
        return PlainSession(decider, (known, groups, index), dear, pace)
    surcharge = None if pace is None else pace.surcharge
    run: Session = compiled.start(known, label, dear, index, surcharge, groups, decider, pace)
    return run


def _compile(decider: Decider, content: Callable[[Decider], bytes]) -> None:
    """Make the compiled router of a file of the fit.

    There is none where another backend decides, or the compiled one cannot read the fit: then the
    estimator is not one of the package, or depends on other libraries. Which backend decides is
    settled by the first call.
    """
    if pick(decider.policy.backend) is cpp:
        from headrace._compiled_session import CompiledSession

        with contextlib.suppress(ValueError, TypeError, AttributeError):
            decider.compiled = cpp.router(content(decider), CompiledSession)
    decider.may_compile = False


def _label(decider: Decider, groups: NDArray[np.generic]) -> Any:
    """Return the label of the group; NotImplemented if labels of its kind were not fitted on."""
    seen = getattr(decider.estimator, "groups_", None)
    if seen is None or not len(seen):
        return None
    kinds = "U" if seen.labels.dtype.kind == "U" else "bif"
    label = groups.item()
    known = groups.dtype.kind in kinds and isinstance(label, str | bool | int | float)
    return label if known else NotImplemented
