"""Compare every backend with the oracle on many random queries.

    python tests/fuzz_oracle.py --cases 10000 --seed 0

Queries of equal shape and options go in one batch. Exit status 1 if any answer differs.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter

import headrace
import numpy as np
from cases import PLANS, Case, Floats, decide, differences

BATCH = 20
GRID = 64.0


def numbers(
    rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...], on_grid: bool
) -> Floats:
    """Draw numbers, or multiples of 1/64 that tie often and add up without rounding."""
    drawn = rng.uniform(low, high, shape)
    return np.round(drawn * GRID) / GRID if on_grid else drawn


def covariance_matrix(rng: np.random.Generator, k: int) -> Floats:
    """Draw a covariance, at times singular: certain models, or models that move together."""
    loadings = rng.uniform(-0.5, 0.5, (k, k))
    matrix = loadings @ loadings.T / k + 0.05 * np.eye(k)
    kind = rng.integers(3)
    if kind == 1:
        source = rng.integers(k, size=k)
        matrix = matrix[np.ix_(source, source)]
    elif kind == 2:
        certain = rng.uniform(size=k) < 0.4
        matrix[certain, :] = 0.0
        matrix[:, certain] = 0.0
    return np.asarray(0.5 * (matrix + matrix.T))


def random_case(rng: np.random.Generator, n: int, strategy: str, search: str) -> Case:
    """Draw a batch with one set of options."""
    k = int(rng.integers(1, 8))
    on_grid = bool(rng.integers(2))
    size = int(rng.choice([1, 5, 8, 13, 16, 32]))
    uncertainty = str(rng.choice(["none", "sigmas", "sigmas", "covariance"]))
    if strategy == "index" and uncertainty == "covariance":
        uncertainty = "sigmas"  # it takes no covariance
    costs = numbers(rng, 0.0, 1.0, (n, k) if rng.integers(2) else (k,), on_grid)
    prices = [0.0, 1 / 64, 1 / 16, 0.25, 1.0] if on_grid else [0.001, 0.05, 0.2, 1.0, 1e4]
    sigmas = numbers(rng, 0.0, 0.5, (n, k) if rng.integers(2) else (k,), on_grid)
    sigmas[rng.uniform(size=sigmas.shape) < rng.choice([0.0, 0.3])] = 0.0
    ran = None
    if rng.integers(2):
        ran = rng.uniform(size=(n, k)) < rng.choice([0.2, 0.5])
        ran[ran.all(axis=1), rng.integers(k)] = False
    case = Case(
        qualities=numbers(rng, 0.0, 1.0, (n, k), on_grid),
        costs=costs,
        lambda_=np.asarray(rng.choice(prices, size=(n,) if rng.integers(2) else ())),
        sigmas=sigmas if uncertainty == "sigmas" else None,
        covariance=covariance_matrix(rng, k) if uncertainty == "covariance" else None,
        samples=numbers(rng, -2.0, 2.0, (k, size), on_grid) if uncertainty != "none" else None,
        ran=ran,
        max_depth=None if rng.integers(2) else int(rng.integers(1, k + 1)),
        fixed_order=bool(rng.uniform() < 0.3),
        ties=str(rng.choice(["cheapest", "dearest"])),
    )
    if rng.uniform() < 0.4:
        source = np.minimum(rng.integers(k, size=k), np.arange(k))
        twins = case.models(source)
        gap = float(rng.choice([0.0, 1e-12, 1e-7]))
        case = twins.changed(ran=ran, qualities=twins.qualities + gap * np.arange(k))
    return case.planned(strategy, search)


def main() -> int:
    """Run the comparison and report it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=10000, help="number of queries")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    backends = [name for name, reason in headrace.backends().items() if reason is None]
    warnings.simplefilter("error")
    rng = np.random.default_rng(options.seed)
    compared: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    done = ambiguous = batch = 0
    start = time.monotonic()
    while done < options.cases:
        strategy, search = PLANS[batch % len(PLANS)]
        case = random_case(rng, min(BATCH, options.cases - done), strategy, search)
        decisions = decide(case)
        ambiguous += sum(decision["ambiguous"] for decision in decisions)
        for backend in backends:
            selection = headrace.batch_select(**case.arguments, backend=backend)
            found = differences(case, selection, decisions)
            compared[backend] += case.n
            differing[backend] += len({message.split(":")[0] for message in found})
            for message in found[:5]:
                print(f"batch {batch}, {backend}, {strategy}, {search}: {message}", flush=True)
        done += case.n
        batch += 1
        if batch % 100 == 0:
            print(f"{done} cases, {time.monotonic() - start:.0f} s", flush=True)

    summary = ", ".join(
        f"{name} {compared[name]} comparisons {differing[name]} differences" for name in backends
    )
    print(f"{done} cases (seed {options.seed}, {ambiguous} too close to call): {summary}")
    return 1 if differing.total() else 0


if __name__ == "__main__":
    sys.exit(main())
