"""The one place that chooses what a session decides with: the compiled router, if it can."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headrace._decider import NO_MODELS, Decider
from headrace._log import Queries
from headrace._problem import Floats, Numbers
from headrace._query_state import PlainState, QueryState, row_of

if TYPE_CHECKING:
    import headrace._core as _core


def state_of(
    decider: Decider,
    content: Callable[[], bytes],
    features: Numbers | None,
    groups: NDArray[np.generic] | None,
    index: int,
    dear: bool,
    surcharge: Floats | None,
) -> QueryState:
    """Return the state of a query before any model has run.

    ``content`` returns that of a file of the decider's fit; ``surcharge`` is that of all decisions.
    """
    compiled = decider.compiled.router(content, decider.policy.backend)
    if compiled is not None and (not compiled.n_rows or index < compiled.n_rows):
        label = None if groups is None else _label(decider, groups)
        if label is not NotImplemented:
            session = compiled.start(features, label, dear, index, surcharge)
            return CompiledState(decider, session, features, groups, index)
    return PlainState(decider, row_of(features), groups, index, dear)


def _label(decider: Decider, groups: NDArray[np.generic]) -> Any:
    """Return the label of the group; NotImplemented if labels of its kind were not fitted on."""
    seen = getattr(decider.estimator, "groups_", None)
    if seen is None or not len(seen):
        return None
    kinds = "U" if seen.labels.dtype.kind == "U" else "bif"
    label = groups.item()
    known = groups.dtype.kind in kinds and isinstance(label, str | bool | int | float)
    return label if known else NotImplemented


class CompiledState:
    """A state in the compiled router.

    The query and the signals are kept for `queries` alone.
    """

    __slots__ = ("_decider", "_features", "_groups", "_index", "_seen", "_session", "ran")

    def __init__(
        self,
        decider: Decider,
        session: _core.Session,
        features: Numbers | None,
        groups: NDArray[np.generic] | None,
        index: int,
    ) -> None:
        self.ran: tuple[int, ...] = NO_MODELS
        self._decider = decider
        self._session = session
        self._features = features
        self._groups = groups
        self._index = index
        self._seen: tuple[Floats | float | None, ...] = ()

    def observe(self, model: int, signal: Floats | float | None) -> None:
        """Take in that a model has run."""
        self._session.observe(model, signal)
        if isinstance(signal, np.ndarray):
            signal = signal.copy()  # the caller may use it again
        self._seen += (signal,)
        self.ran += (model,)

    def decide(self, barred: Collection[int], surcharge: Floats | None) -> int:
        """Return the model to run next, or -1 to stop. The surcharge is that of the start."""
        session = self._session
        for model in barred:
            if not session.is_excluded(model):
                session.exclude(model)
        return session.next_model()

    def best(self) -> int:
        """Return the model whose answer to give if no other runs, or -1 if none has run."""
        return self._session.answer() if self.ran else -1

    def queries(self) -> Queries:
        """Return the query, with the signals so far."""
        signals = self._decider.unseen if not self.ran else self._decider.no_signals()
        if signals is not None:
            for model, signal in zip(self.ran, self._seen, strict=True):
                signals[0, model] = signal
        return Queries(
            index=np.array([self._index]),
            n_models=self._decider.n_models,
            features=row_of(self._features),
            signals=signals,
            groups=self._groups,
        )
