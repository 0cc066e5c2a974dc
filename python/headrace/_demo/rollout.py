"""Let a strategy answer a whole workload, decision by decision, at one or many prices lambda."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from headrace._demo.workload import FloatArray, Workload
from headrace._frontier import pareto_hull
from headrace._select import batch_select

STRATEGIES = ("routing", "cascade", "cascade_routing", "index")


@dataclass(frozen=True, eq=False)
class Rollout:
    """What a strategy did with ``n`` queries.

    Attributes
    ----------
    ran : bool array of shape (n, k)
        Models that ran.
    answers : integer array of shape (n,)
        Model whose answer was given: of those that ran, the one with the highest estimate.
    qualities, costs : array of shape (n,)
        Realised quality of the answer; total cost in USD of the models that ran.
    decisions : int
        Number of decisions taken, stops included.
    seconds : float
        Time spent on deciding.
    """

    ran: NDArray[np.bool_]
    answers: NDArray[np.intp]
    qualities: FloatArray
    costs: FloatArray
    decisions: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Sweep:
    """A strategy at several prices; arrays have one entry for each, by ascending cost.

    Attributes
    ----------
    strategy : str
        Its name.
    costs, qualities, models : array
        Means over queries: cost in USD, realised quality, number of models that ran.
    decisions : int
        Number of decisions at all prices.
    seconds : float
        Time spent on them.
    """

    strategy: str
    costs: FloatArray
    qualities: FloatArray
    models: FloatArray
    decisions: int
    seconds: float

    def mix(self, budget: float) -> tuple[float, float, float]:
        """Return mean quality, cost and models of the mixture that spends a budget exactly.

        A query takes the cheaper of the two neighbouring policies with probability gamma, else the
        dearer one: expectations are linear in between. Beyond the sweep the last policy is taken.
        """
        quality, cost, models = (
            float(np.interp(budget, self.costs, values))
            for values in (self.qualities, self.costs, self.models)
        )
        return quality, cost, models


def roll_out(workload: Workload, strategy: str, lambda_: float, backend: str | None) -> Rollout:
    """Ask, run the model, update its estimate, and ask again until every query stops.

    Parameters
    ----------
    workload : Workload
        The queries; the columns are the order of the cascade.
    strategy : str
        One of `STRATEGIES`; cascade routing searches exactly.
    lambda_ : float
        Quality that one USD must buy.
    backend : str or None
        As in `batch_select`.

    Returns
    -------
    Rollout
        One entry for each query.
    """
    ran = np.zeros(workload.qualities.shape, dtype=np.bool_)
    active = np.arange(len(ran))
    decisions, seconds = 0, 0.0
    while active.size:
        known = ran[active]
        estimates = np.where(known, workload.post_hoc[active], workload.ex_ante[active])
        sigmas = np.where(known, 0.0, workload.sigmas)
        start = perf_counter()
        selection = batch_select(
            estimates,
            workload.costs,
            lambda_,
            sigmas=sigmas,
            ran=known,
            strategy=strategy,
            backend=backend,
        )
        seconds += perf_counter() - start
        decisions += active.size
        goes_on = selection.next_model >= 0
        active, models = active[goes_on], selection.next_model[goes_on]
        ran[active, models] = True
        active = active[~ran[active].all(axis=1)]  # once all have run, nothing is left to decide
    answers = np.where(ran, workload.post_hoc, -np.inf).argmax(axis=1)
    return Rollout(
        ran=ran,
        answers=answers,
        qualities=workload.qualities[np.arange(len(ran)), answers],
        costs=ran @ workload.costs,
        decisions=decisions,
        seconds=seconds,
    )


def prices(costs: FloatArray, n_prices: int) -> FloatArray:
    """Return prices lambda, evenly spaced in log, at which policies go from cheap to dear.

    At the highest, the cheapest model costs as much as a right answer is worth; at the lowest,
    the dearest costs a fiftieth of it.
    """
    return np.geomspace(1.0 / costs.min(), 0.02 / costs.max(), n_prices)


def interpolate_models(workload: Workload) -> Sweep:
    """Return the baseline without estimates: mixtures of the models on the Pareto hull."""
    qualities = workload.qualities.mean(axis=0)
    hull = pareto_hull(workload.costs, qualities)
    return Sweep(
        strategy="linear interpolation",
        costs=workload.costs[hull],
        qualities=qualities[hull],
        models=np.ones(len(hull)),
        decisions=0,
        seconds=0.0,
    )


def sweep(
    workload: Workload,
    strategy: str,
    lambdas: FloatArray,
    backend: str | None,
    progress: Callable[[], object],
) -> Sweep:
    """Roll a strategy out at every price, calling ``progress()`` after each."""
    batch_select([[0.5]], [1.0], 1.0, sigmas=[0.1], strategy=strategy, backend=backend)  # warm up
    rollouts = []
    for lambda_ in lambdas:
        rollouts.append(roll_out(workload, strategy, float(lambda_), backend))
        progress()
    rollouts.sort(key=lambda rollout: float(rollout.costs.mean()))
    return Sweep(
        strategy=strategy,
        costs=np.array([rollout.costs.mean() for rollout in rollouts]),
        qualities=np.array([rollout.qualities.mean() for rollout in rollouts]),
        models=np.array([rollout.ran.sum(axis=1).mean() for rollout in rollouts]),
        decisions=sum(rollout.decisions for rollout in rollouts),
        seconds=sum(rollout.seconds for rollout in rollouts),
    )
