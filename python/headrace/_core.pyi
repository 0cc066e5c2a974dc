"""The compiled backend of headrace."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Reveals: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], float]
_Numbers: TypeAlias = NDArray[np.float64] | tuple[float, ...] | None
_Forecast: TypeAlias = tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64] | None,
    NDArray[np.float64] | None,
    _Reveals | None,
]

def batch_select(
    qualities: NDArray[np.float64],
    costs: NDArray[np.float64],
    lambda_: NDArray[np.float64],
    sigmas: NDArray[np.float64] | None,
    factor: NDArray[np.float64] | None,
    ran: NDArray[np.bool_] | None,
    samples: NDArray[np.float64] | None,
    reveals: _Reveals | None,
    strategy: str,
    search: str,
    max_models: int,
    fixed_order: bool,
    ties: str,
    node_limit: int,
    time_limit: float,
    n_threads: int,
    next_model: NDArray[np.int64],
    supermodel: NDArray[np.bool_],
    tradeoff: NDArray[np.float64],
    quality: NDArray[np.float64],
    cost: NDArray[np.float64],
    upper_bound: NDArray[np.float64],
    optimal: NDArray[np.bool_],
    nodes: NDArray[np.int64],
) -> None: ...
def roll_out(
    forecast: Callable[[tuple[int, ...], NDArray[np.int64]], _Forecast],
    n_queries: int,
    n_models: int,
    prices: NDArray[np.float64],
    samples: NDArray[np.float64] | None,
    strategy: str,
    search: str,
    max_models: int,
    ties: str,
    n_threads: int,
) -> tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[np.int64],
]: ...
def lower_cholesky(
    covariances: NDArray[np.float64], precision: float, n_threads: int
) -> NDArray[np.float64]: ...

@final
class Router:  # made by read_router
    @property
    def models(self) -> tuple[str, ...]: ...
    @property
    def n_rows(self) -> int: ...
    def start(
        self,
        features: _Numbers,
        group: str | float | None,
        dearer: bool,
        row: int,
        surcharge: _Numbers,
        groups: Any,
        decider: Any,
        pace: Any,
        /,
    ) -> Any: ...  # of the type of its sessions

@disjoint_base
class Session:  # made by Router.start
    @property
    def next_model(self) -> str | None: ...
    @property
    def next_index(self) -> int: ...
    @property
    def answer(self) -> str | None: ...
    @property
    def cost(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def dearer(self) -> bool: ...
    def observe(
        self,
        model: str | int,
        signal: ArrayLike | None = None,
        *,
        cost: float | None = None,
        latency: float | None = None,
    ) -> None: ...
    _next: int | None
    _path: tuple[int, ...]
    _asked: Any
    _decider: Any
    _pace: Any
    _excluded: dict[int, str] | None
    def _choose(self) -> int: ...
    def _best(self) -> int: ...
    def _take_in(self, model: int, signals: _Numbers, spent: float, passed: float, /) -> None: ...
    def _take_out(self, model: int, reason: str | None, spent: float, /) -> None: ...
    def _seen(self) -> tuple[tuple[float, ...], ...]: ...
    def _estimates(
        self,
    ) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]: ...
    def _choice(
        self,
    ) -> tuple[tuple[bool, ...], float, float, float, float, bool, int]: ...

def read_router(content: bytes, sessions: type[Session] = ..., /) -> Router: ...
def quick_start(checked: _Function, /) -> _Function: ...

@final
class SampleMatrix: ...  # made by sample_matrix

def sample_matrix(samples: NDArray[np.float64], /) -> SampleMatrix: ...
def quick_select(checked: _Function, helpers: tuple[Any, ...], /) -> _Function: ...
def instruction_set() -> str: ...
def instruction_sets() -> dict[str, str | None]: ...
