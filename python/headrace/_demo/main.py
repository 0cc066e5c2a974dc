"""The demo from the first draw to the picture."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace._demo.report import PER, at_budget, draw, format_table
from headrace._demo.rollout import STRATEGIES, Sweep, interpolate_models, prices, sweep
from headrace._demo.workload import MODELS, NOISE, Workload, simulate

BUDGET_SHARE = 0.2
"""The budget of the table, as a share of the dearest model's cost."""
DEAREST = max(MODELS, key=lambda model: model.cost)
BUDGET = BUDGET_SHARE * DEAREST.cost


@dataclass(frozen=True)
class Demo:
    """Strategies on one simulated workload, and what there is to say of them."""

    workload: Workload
    sweeps: list[Sweep]
    noise: str
    seed: int
    backend: str

    @property
    def scene(self) -> str:
        """What was simulated."""
        n_queries = len(self.workload.qualities)
        return f"{len(MODELS)} models, {n_queries:,} simulated queries, {self.noise} noise"

    def draw(self, output: Path) -> None:
        """Save the picture; the ending says the format."""
        title = f"Quality against cost: {self.scene}"
        draw(self.sweeps, self.workload, BUDGET, title, output)

    def text(self, output: Path) -> str:
        """Return the table in words, and where the picture is."""
        return (
            f"{self.scene}, seed {self.seed}\n"
            f"at {PER * BUDGET:.3f} USD per {PER:,} queries, {BUDGET_SHARE:.0%} of "
            f"{DEAREST.name}\n\n"
            f"{format_table(self.sweeps, BUDGET, self.backend)}\n\n"
            "Each row mixes its two policies next to the budget, the cheaper with probability"
            " gamma,\nso that it spends the budget exactly (Dekoninck et al., ICML 2025,"
            f" Theorem 1).\nPicture: {output}"
        )

    def document(self, output: Path) -> dict[str, Any]:
        """Return the same for machines."""
        return {
            "models": len(MODELS),
            "n_queries": len(self.workload.qualities),
            "noise": self.noise,
            "seed": self.seed,
            "budget": BUDGET,
            "backend": self.backend,
            "strategies": [at_budget(one, BUDGET) for one in self.sweeps],
            "picture": str(output),
        }


def run_demo(n_queries: int, noise: str, seed: int, n_lambdas: int, backend: str) -> Demo:
    """Simulate, and sweep every strategy.

    Parameters
    ----------
    n_queries : int
        Number of queries.
    noise : str
        A key of `NOISE`.
    seed : int
        Seed of the workload.
    n_lambdas : int
        Number of prices that each strategy tries.
    backend : str
        What decides.
    """
    from tqdm import tqdm

    if backend == "reference":
        print("The reference backend is slow: take few --queries and --lambdas.", file=sys.stderr)
    workload = simulate(n_queries, NOISE[noise], seed)
    lambdas = prices(workload.costs, n_lambdas)
    sweeps = [interpolate_models(workload)]
    with tqdm(total=len(STRATEGIES) * n_lambdas, unit="policy", leave=False, disable=None) as bar:
        for strategy in STRATEGIES:
            bar.set_description(strategy)
            sweeps.append(sweep(workload, strategy, lambdas, backend, bar.update))
    return Demo(workload, sweeps, noise, seed, backend)
