"""Write what the compiled backend answers to a fixed batch, for every plan.

    python tests/answers.py FILE

In FILE, ``instruction_set`` is the one that ran; the rest is ``STRATEGY-SEARCH-ANSWER`` by batch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import headrace
import numpy as np
from cases import ANSWERS, PLANS, Case


def batches() -> Iterator[Case]:
    """Batches with and without ties, with every kind of uncertainty, around the lanes' edges."""
    rng = np.random.default_rng(20)
    for n_samples in (1, 7, 8, 13, 32, 100):
        for k in (1, 3, 9):
            on_grid = bool(rng.integers(2))
            qualities, costs = rng.uniform(size=(2, 12, k))
            sigmas = rng.uniform(0.0, 0.4, k)
            if on_grid:
                qualities, costs, sigmas = (
                    np.round(a * 16) / 16 for a in (qualities, costs, sigmas)
                )
            case = Case(
                qualities,
                costs,
                rng.uniform(0.0, 0.3, 12),
                sigmas=sigmas,
                samples=rng.standard_normal((k, n_samples)),
                ran=(rng.uniform(size=(12, k)) < 0.3) & (np.arange(k) > 0),
                ties="dearest" if on_grid else "cheapest",
            )
            yield case
            yield case.changed(ran=None, max_depth=2)
            loadings = rng.uniform(-0.3, 0.3, (k, k))
            yield case.changed(sigmas=None, covariance=loadings @ loadings.T)
            yield case.changed(sigmas=None, samples=None, fixed_order=True)


def main() -> None:
    """Decide all batches with all plans and write the answers."""
    answers: dict[str, Any] = {}
    for number, batch in enumerate(batches()):
        for strategy, search in PLANS:
            case = batch.planned(strategy, search)
            if strategy == "index" and case.sigmas is None:
                case = case.changed(samples=None)
            selection = headrace.batch_select(**case.arguments, backend="cpp")
            for name in ANSWERS:
                answers[f"{strategy}-{search}-{name} {number}"] = getattr(selection, name)
    from headrace import _core

    answers["instruction_set"] = np.array(_core.instruction_set())
    np.savez(sys.argv[1], **answers)


if __name__ == "__main__":
    main()
