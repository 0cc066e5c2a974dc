"""The command ``python -m headrace demo``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from headrace import backends
from headrace._demo import report
from headrace._demo.rollout import Outcome, run
from headrace._demo.workload import simulate
from headrace._options import STRATEGIES

BUDGET = 0.0005
"""Mean USD per query at which the table compares: twice a small model, a seventh of the largest."""


def demo(
    n_queries: int, noise: str, seed: int, n_lambdas: int, output: Path, backend: str | None
) -> int:
    """Simulate, run every strategy over a range of lambda, print the table, draw the picture."""
    try:
        import matplotlib  # noqa: F401
        from tqdm import tqdm
    except ImportError as error:
        print(f'The demo needs {error.name}: pip install "headrace[demo]"', file=sys.stderr)
        return 2
    name = backend or os.environ.get("HEADRACE_BACKEND") or None
    name = name or next(name for name, reason in backends().items() if reason is None)

    workload = simulate(n_queries, noise, seed)
    lambdas = np.geomspace(5e3, 5.0, n_lambdas)
    curves: dict[str, list[Outcome]] = {strategy: [] for strategy in STRATEGIES}
    run(simulate(1, noise, seed), "routing", 1.0, name)  # compile, where the backend does so
    with tqdm(total=len(curves) * len(lambdas), unit="run", leave=False) as progress:
        for strategy, curve in curves.items():
            progress.set_description(strategy)
            for lambda_ in lambdas:
                curve.append(run(workload, strategy, float(lambda_), name))
                progress.update()

    print(report.table(curves, BUDGET, name))
    print(
        f"\n{n_queries:,} queries, {len(workload.names)} models, {noise} noise, seed {seed}; "
        f"cost in USD per query. Every row meets\nthe budget of {BUDGET} exactly, by mixing the "
        f"two nearest of {n_lambdas} values of lambda."
    )
    report.draw(workload, curves, BUDGET, noise, output)
    print(f"Picture: {output}")
    return 0
