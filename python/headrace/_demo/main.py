"""The demo from the first draw to the picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from headrace._demo.report import PER, at_budget, draw, format_table
from headrace._demo.rollout import STRATEGIES, interpolate_models, prices, sweep
from headrace._demo.workload import MODELS, NOISE, simulate

BUDGET_SHARE = 0.2
"""The budget of the table, as a share of the dearest model's cost."""


def run_demo(
    *,
    n_queries: int,
    noise: str,
    seed: int,
    n_lambdas: int,
    output: Path,
    backend: str,
    as_json: bool,
) -> None:
    """Simulate, sweep every strategy, print the table and save the picture.

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
    output : Path
        Where the picture goes; the ending says the format.
    backend : str
        What decides.
    as_json : bool
        Print the table as one JSON document, and nothing else.

    Raises
    ------
    OSError
        The picture cannot be written; the table has been printed by then.
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

    dearest = max(MODELS, key=lambda model: model.cost)
    budget = BUDGET_SHARE * dearest.cost
    scene = f"{len(MODELS)} models, {n_queries:,} simulated queries, {noise} noise"
    if as_json:
        document = {
            "models": len(MODELS),
            "n_queries": n_queries,
            "noise": noise,
            "seed": seed,
            "budget": budget,
            "backend": backend,
            "strategies": [at_budget(one, budget) for one in sweeps],
            "picture": str(output),
        }
        print(json.dumps(document, allow_nan=False, indent=2))
    else:
        print(f"{scene}, seed {seed}")
        print(
            f"at {PER * budget:.3f} USD per {PER:,} queries, {BUDGET_SHARE:.0%} of {dearest.name}\n"
        )
        print(format_table(sweeps, budget, backend))
        print(
            "\nEach row mixes its two policies next to the budget, the cheaper with probability"
            " gamma,\nso that it spends the budget exactly (Dekoninck et al., ICML 2025,"
            " Theorem 1)."
        )
    draw(sweeps, workload, budget, f"Quality against cost: {scene}", output)
    if not as_json:
        print(f"Picture: {output}")
