"""What goes into the rollouts of a backend, and what comes out.

Models are positions in the order of a cascade, queries are numbered from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrace._problem import Floats
from headrace._reveals import Integers, Reveals

Bytes = NDArray[np.uint8]

THRESHOLD_CASCADE = "threshold_cascade"
"""The classical baseline: continue while the estimate of the last answer is below a threshold."""

STOP = -1


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is expected of ``m`` queries on which the same models have run, as decisions take it.

    Attributes
    ----------
    qualities, costs : C-contiguous float64 array of shape (m, k)
    sigmas : C-contiguous float64 array of shape (m, k) or (1, k), or None
    factor : C-contiguous float64 array of shape (1, k, k), or None
        Lower Cholesky factor of the covariance.
    reveals : Reveals, or None
        Of the ``m`` queries.
    """

    qualities: Floats
    costs: Floats
    sigmas: Floats | None = None
    factor: Floats | None = None
    reveals: Reveals | None = None


@dataclass(frozen=True, eq=False)
class RolloutProblem:
    """Rollouts of ``n`` queries at ``L`` prices.

    Attributes
    ----------
    forecast : callable
        From the models that have run (ascending) and queries (ascending) to their `Forecast`. It is
        called once for each set of models at each step, on the calling thread. A field of a
        forecast is None always or never.
    prices : C-contiguous float64 array of shape (L, T)
        Price at each step, the last one at all later steps; thresholds of a threshold cascade.
    strategy : str
        As in a `Problem`, or ``"threshold_cascade"``.
    max_models : int
        Most models that run on a query.
    samples : array of shape (k, S), or None
        As in a `Problem`; they count where the forecasts have sigmas or a factor.
    """

    forecast: Callable[[tuple[int, ...], Integers], Forecast]
    n_queries: int
    n_models: int
    prices: Floats
    strategy: str
    search: str
    max_models: int
    ties: str
    samples: Floats | None

    @property
    def by_threshold(self) -> bool:
        """Whether thresholds take the place of the prices."""
        return self.strategy == THRESHOLD_CASCADE


@dataclass(frozen=True, eq=False)
class Traces:
    """What happened to ``n`` queries at ``L`` prices.

    Attributes
    ----------
    paths : int64 array of shape (L, n, T)
        Models in the order in which they ran, then -1.
    answers : int64 array of shape (L, n)
        Model whose answer was given.
    plans : uint8 array of shape (L, n, T + 1, w)
        Supermodel of each decision, as bits, the first model highest; zeros where none was taken.
    decisions, estimates : int64 array of shape (L, n)
        How many decisions were taken, and how many states were estimated for it.
    """

    paths: Integers
    answers: Integers
    plans: Bytes
    decisions: Integers
    estimates: Integers


def goes_on(last: Floats, thresholds: Floats | float) -> NDArray[np.bool_]:
    """Say whether a threshold cascade goes on after answers with these estimates."""
    below: NDArray[np.bool_] = last < thresholds
    return below


def best_answers(qualities: Floats, ran: tuple[int, ...], by_threshold: bool) -> Integers:
    """Say whose answer is given once ``ran`` have run: the best estimate, the first of equals.

    A threshold cascade gives the last one.
    """
    columns = np.asarray(ran)
    if by_threshold or len(ran) == 1:
        return np.full(len(qualities), columns[-1])
    best: Integers = columns[qualities[:, columns].argmax(axis=1)]
    return best
