"""A batch of queries with its options, and its comparison with the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import oracle

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PLANS = [
    ("routing", "exact"),
    ("cascade", "exact"),
    ("cascade_routing", "exact"),
    ("cascade_routing", "greedy"),
    ("cascade_routing", "exhaustive"),
    ("index", "exact"),
]
"""Every strategy with every search that it takes."""

ANSWERS = (
    "next_model",
    "supermodel",
    "tradeoff",
    "quality",
    "cost",
    "upper_bound",
    "optimal",
)


class Selection(Protocol):
    """What a call answers."""

    @property
    def next_model(self) -> npt.NDArray[np.int64]: ...
    @property
    def supermodel(self) -> Bools: ...
    @property
    def tradeoff(self) -> Floats: ...
    @property
    def quality(self) -> Floats: ...
    @property
    def cost(self) -> Floats: ...
    @property
    def upper_bound(self) -> Floats: ...
    @property
    def optimal(self) -> Bools: ...


@dataclass(frozen=True)
class Case:
    """Arguments of one call; `covariance` is kept next to the oracle's own factor of it."""

    qualities: Floats
    costs: Floats
    lambda_: Floats
    sigmas: Floats | None = None
    covariance: Floats | None = None
    samples: Floats | None = None
    ran: Bools | None = None
    strategy: str = "cascade_routing"
    search: str = "exact"
    max_depth: int | None = None
    fixed_order: bool = False
    ties: str = "cheapest"

    @property
    def n(self) -> int:
        """Number of queries."""
        return int(self.qualities.shape[0])

    @property
    def k(self) -> int:
        """Number of models."""
        return int(self.qualities.shape[1])

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments by name, for the call."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def independent(self) -> bool:
        """Whether there is no covariance."""
        return self.covariance is None

    def changed(self, **changes: Any) -> Case:
        """Return a copy with some arguments changed."""
        return replace(self, **changes)

    def planned(self, strategy: str, search: str) -> Case:
        """Return a copy for a strategy and search, without the options that these exclude."""
        if strategy == "index":
            return self.changed(
                strategy=strategy, search=search, covariance=None, max_depth=None, fixed_order=False
            )
        return self.changed(strategy=strategy, search=search)

    def rows(self, chosen: Sequence[int] | npt.NDArray[np.intp]) -> Case:
        """Return the case with these queries only."""
        index = np.asarray(chosen, dtype=np.intp)
        full = self.broadcast()
        return full.changed(
            qualities=full.qualities[index],
            costs=full.costs[index],
            lambda_=full.lambda_[index],
            sigmas=None if full.sigmas is None else full.sigmas[index],
            covariance=None if full.covariance is None else full.covariance[index],
            ran=None if full.ran is None else full.ran[index],
        )

    def models(self, order: Sequence[int] | npt.NDArray[np.intp]) -> Case:
        """Return the case with the models in this order; one may come twice."""
        index = np.asarray(order, dtype=np.intp)
        covariance = self.covariance
        return self.changed(
            qualities=self.qualities[:, index],
            costs=self.costs[..., index],
            sigmas=None if self.sigmas is None else self.sigmas[..., index],
            covariance=None if covariance is None else covariance[..., index[:, None], index],
            samples=None if self.samples is None else self.samples[index],
            ran=None if self.ran is None else self.ran[:, index],
        )

    def broadcast(self) -> Case:
        """Return the case with one row of everything for each query."""
        n, k = self.n, self.k
        sigmas, covariance = self.sigmas, self.covariance
        return self.changed(
            costs=np.broadcast_to(self.costs, (n, k)).copy(),
            lambda_=np.broadcast_to(self.lambda_, (n,)).copy(),
            sigmas=None if sigmas is None else np.broadcast_to(sigmas, (n, k)).copy(),
            covariance=(
                None if covariance is None else np.broadcast_to(covariance, (n, k, k)).copy()
            ),
        )

    def run_models(self, row: int) -> list[int]:
        """Return the models that have run on a query."""
        return [] if self.ran is None else [int(i) for i in np.flatnonzero(self.ran[row])]

    def outcomes(self, row: int) -> list[list[float]]:
        """Return the sampled qualities of every model for a query."""
        query = self.rows([row])
        return oracle.sample_outcomes(
            query.qualities[0].tolist(),
            None if query.sigmas is None else query.sigmas[0].tolist(),
            None if query.covariance is None else oracle.cholesky(query.covariance[0]),
            query.samples,
        )

    def scale(self) -> float:
        """Return a magnitude that rounding errors are relative to."""
        price = float(np.max(self.lambda_, initial=0.0)) * float(np.max(self.costs, initial=0.0))
        spread = 0.0
        if self.sigmas is not None:
            spread = float(np.max(self.sigmas, initial=0.0))
        if self.covariance is not None:
            spread = float(np.sqrt(np.max(self.covariance, initial=0.0)))
        best = float(np.max(np.abs(self.qualities), initial=0.0))
        return max(1.0, best + 6.0 * spread + self.k * price)


def decide(case: Case) -> list[oracle.Decision]:
    """Return the oracle's decision for every query."""
    full = case.broadcast()
    return [
        oracle.decide(
            full.qualities[row].tolist(),
            full.costs[row].tolist(),
            float(full.lambda_[row]),
            deviations=None if full.sigmas is None else full.sigmas[row].tolist(),
            factor=None if full.covariance is None else oracle.cholesky(full.covariance[row]),
            samples=full.samples,
            ran=full.run_models(row),
            strategy=full.strategy,
            search=full.search,
            max_depth=full.max_depth,
            fixed_order=full.fixed_order,
            ties=full.ties,
        )
        for row in range(full.n)
    ]


def differences(
    case: Case, selection: Selection, decisions: Sequence[oracle.Decision]
) -> list[str]:
    """Say where a selection is not what the oracle decides; empty if it is."""
    found = []
    for row, decision in enumerate(decisions):
        near = 1e-12 * case.rows([row]).scale()
        best = decision["best"]
        bound = float(selection.upper_bound[row])
        # Reservation values come from an iteration, all else from sums and products.
        loose = near
        if case.strategy == "index" and np.isfinite(best):
            loose = max(near, 1e-9 * max(1.0, abs(best)))
        least = best - loose if case.strategy == "index" else best

        def compare(what: str, given: object, expected: object, same: bool, at: int = row) -> None:
            if not same:
                found.append(f"query {at}: {what} is {given}, the oracle says {expected}")

        compare("upper_bound", bound, f"at least {best!r}", bound >= least)
        if selection.optimal[row]:
            compare("upper_bound", bound, best, bound == best or bound - best <= 1e-8 + loose)
        elif not (case.strategy == "cascade_routing" and case.search == "greedy"):
            compare("optimal", False, True, False)
        if decision["ambiguous"]:
            continue
        members = {int(i) for i in np.flatnonzero(selection.supermodel[row])}
        following, cost = int(selection.next_model[row]), float(selection.cost[row])
        compare("supermodel", members, decision["supermodel"], members == decision["supermodel"])
        same = following == decision["next_model"]
        compare("next_model", following, decision["next_model"], same)
        compare("cost", cost, decision["cost"], cost == decision["cost"])
        for what, given, expected in (
            ("tradeoff", float(selection.tradeoff[row]), decision["tradeoff"]),
            ("quality", float(selection.quality[row]), decision["quality"]),
        ):
            compare(what, given, expected, abs(given - expected) <= near)
    return found
