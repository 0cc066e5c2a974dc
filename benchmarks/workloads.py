"""Batches of queries to measure with, by name: ``WORKLOADS[name](n, k, seed)``.

A workload is defined here and nowhere else, but for `uniform`, which is that of ``headrace bench``;
the C++ program that counts instructions has the same definitions with a generator of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
from headrace._bench import uniform as draw_uniform
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Measurements beside the repository, not part of it."""
PRICES = DATA / "prices.npz"

GROUP = 10
"""Near-identical models in a group of `clones`."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Workload:
    """Arguments of a call: n queries, k models."""

    qualities: Floats
    """Shape (n, k)."""
    costs: Floats
    """Shape (n, k)."""
    lambdas: Floats
    """Shape (n,)."""
    sigmas: Floats | None = None
    """Shape (k,) or (n, k)."""
    covariance: Floats | None = None
    """Shape (k, k); in place of ``sigmas``."""

    @property
    def n(self) -> int:
        """Number of queries."""
        return int(self.qualities.shape[0])

    @property
    def k(self) -> int:
        """Number of models."""
        return int(self.qualities.shape[1])

    def rows(self, rows: slice | NDArray[np.intp]) -> Workload:
        """Return some of the queries."""
        sigmas = self.sigmas
        return Workload(
            self.qualities[rows],
            self.costs[rows],
            self.lambdas[rows],
            sigmas[rows] if sigmas is not None and sigmas.ndim == 2 else sigmas,
            self.covariance,
        )

    def query(self, row: int, times: int = 1) -> Workload:
        """Return one query, so many times."""
        return self.rows(np.full(times, row))

    def certain(self) -> Workload:
        """Return the workload without its uncertainty."""
        return replace(self, sigmas=None, covariance=None)

    def select(self, **options: Any) -> hr.Selection:
        """Decide every query; on one thread unless the options say more."""
        return hr.batch_select(
            self.qualities,
            self.costs,
            self.lambdas,
            sigmas=self.sigmas,
            covariance=self.covariance,
            **{"n_threads": 1, **options},
        )


Maker = Callable[[int, int, int], Workload]


def uniform(n: int, k: int, seed: int) -> Workload:
    """Quality, cost and lambda ~ U(0, 1), sigma 0.1: the runtime figure of the paper."""
    return Workload(*draw_uniform(n, k, seed))


def priced(n: int, k: int, seed: int) -> Workload:
    """Costs log-uniform over three decades, quality rising with log cost, sigma 0.15 to 0.45."""
    random = np.random.default_rng(seed)
    decades = random.uniform(-3.0, 0.0, (n, k))
    return Workload(
        qualities=0.2 + 0.6 * (decades + 3.0) / 3.0 + 0.15 * random.standard_normal((n, k)),
        costs=10.0**decades,
        lambdas=random.random(n),
        sigmas=0.3 * (0.5 + random.random((n, k))),
    )


def clones(n: int, k: int, seed: int) -> Workload:
    """As `priced`, in groups of ten models that differ by about 0.001; draws are independent."""
    group = np.arange(k) // GROUP
    original = priced(n, int(group[-1]) + 1, seed)
    random = np.random.default_rng([seed, 1])
    assert original.sigmas is not None
    return Workload(
        qualities=original.qualities[:, group] + random.normal(0.0, 0.001, (n, k)),
        costs=original.costs[:, group] * random.uniform(0.999, 1.001, (n, k)),
        lambdas=original.lambdas,
        sigmas=original.sigmas[:, group],
    )


def correlated(n: int, k: int, seed: int) -> Workload:
    """As `priced`, with one covariance for all: each model is loaded on one common factor."""
    independent = priced(n, k, seed)
    random = np.random.default_rng([seed, 1])
    sigmas = 0.3 * (0.5 + random.random(k))
    loadings = sigmas * random.uniform(0.3, 0.9, k)
    covariance = np.outer(loadings, loadings)
    np.fill_diagonal(covariance, sigmas**2)
    return replace(independent, sigmas=None, covariance=covariance)


def real(n: int, k: int, seed: int) -> Workload:
    """Models of real price lists, costs in US cents, quality rising with log price.

    Every query sees the same models; it has about 1,000 tokens in and 300 out, both log-normal.
    """
    prices = price_list()
    random = np.random.default_rng(seed)
    chosen = prices[random.choice(len(prices), k, replace=k > len(prices))]
    tokens = np.array([1000.0, 300.0]) * random.lognormal(0.0, 0.5, (n, 2))
    logs = np.log(chosen @ np.array([1000.0, 300.0]))
    rank = (logs - logs.min()) / max(np.ptp(logs), 1e-9)
    return Workload(
        qualities=0.2 + 0.6 * rank + 0.15 * random.standard_normal((n, k)),
        costs=np.ascontiguousarray(tokens @ chosen.T) * 1e-4,
        lambdas=random.random(n),
        sigmas=0.3 * (0.5 + random.random((n, k))),
    )


@cache
def price_list() -> Floats:
    """Return distinct prices, USD a million tokens in and out, shape (m, 2)."""
    with np.load(PRICES, allow_pickle=False) as file:
        prices = np.column_stack([file["usd_per_mtok_in"], file["usd_per_mtok_out"]])
    sound = np.all((prices > 0.0) & (prices < 400.0), axis=1)  # above: errors of the source
    return np.unique(prices[sound].astype(np.float64), axis=0)


WORKLOADS: dict[str, Maker] = {
    "uniform": uniform,
    "priced": priced,
    "clones": clones,
    "correlated": correlated,
    "real": real,
}


def workloads() -> dict[str, str | None]:
    """Name every workload, with the reason why it cannot be made; None: it can."""
    absent = (
        None if PRICES.is_file() else f"no price lists: {PRICES.name} is not beside the project"
    )
    return {name: absent if name == "real" else None for name in WORKLOADS}
