"""The compiled backend of headrace."""

import numpy as np
from numpy.typing import NDArray

def batch_select(
    qualities: NDArray[np.float64],
    costs: NDArray[np.float64],
    lambda_: NDArray[np.float64],
    sigmas: NDArray[np.float64] | None,
    factor: NDArray[np.float64] | None,
    ran: NDArray[np.bool_] | None,
    samples: NDArray[np.float64] | None,
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
def instruction_set() -> str: ...
def instruction_sets() -> dict[str, str | None]: ...
