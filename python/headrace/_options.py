"""The names that options may take, and what each strategy needs.

A new strategy or search is one row here and one file in each backend.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Strategy:
    """What the check has to know of a strategy."""

    name: str
    uses_samples: bool
    """E[max] is taken over the sample matrix."""
    takes_search: bool = False
    """It searches all supermodels, so ``search`` and the limits apply."""
    adaptive: bool = False
    """It plans beyond the set, so a depth cap, an order or a covariance would break it."""


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy("routing", uses_samples=False),
        Strategy("cascade", uses_samples=True),
        Strategy("cascade_routing", uses_samples=True, takes_search=True),
        Strategy("index", uses_samples=False, adaptive=True),
    )
}
SEARCHES = ("exact", "greedy", "exhaustive")
TIES = ("cheapest", "dearest")
