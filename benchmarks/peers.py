"""What the kernels are measured against, and the variants of the paper.

Everything here answers the question of ``Workload.select``, or the part of it that it can.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import headrace as hr
import numpy as np
from headrace._samples import standard_normal_samples
from numpy.typing import NDArray
from workloads import Floats, Workload

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Variant:
    """One way to ask for decisions."""

    options: dict[str, Any]
    certain: bool = False
    """Whether the uncertainty is left out."""
    independent: bool = False
    """Whether it takes standard deviations only."""
    most_models: int = 4096

    def workload(self, workload: Workload) -> Workload:
        """Return the workload as this variant sees it."""
        return workload.certain() if self.certain else workload

    def select(self, workload: Workload, **options: Any) -> hr.Selection:
        """Decide; `workload` is as `Variant.workload` returns it."""
        return workload.select(**self.options, **options)


VARIANTS = {
    "Normal": Variant({}),
    "Slow": Variant({"search": "exhaustive"}, most_models=20),
    "Greedy": Variant({"search": "greedy"}),
    "No-Expect": Variant({}, certain=True),
    "Max-Depth": Variant({"max_depth": 3}),
    "index": Variant({"strategy": "index"}, independent=True),
    "routing": Variant({"strategy": "routing"}),
}
"""The five variants of the paper, Normal being the exact search, and the two streaming rules."""


def numpy_routing(workload: Workload) -> NDArray[np.intp]:
    """Route in one line of NumPy."""
    q, c, lam = workload.qualities, workload.costs, workload.lambdas
    best: NDArray[np.intp] = np.argmax(q - lam[:, None] * c, axis=1)
    return best


def draws(workload: Workload, row: int, n_samples: int = 128) -> Floats:
    """Return the sampled qualities of each model, shape (k, S)."""
    q = workload.qualities[row][:, None]
    z = standard_normal_samples(workload.k, n_samples, 0)
    if workload.covariance is not None:
        noise = np.linalg.cholesky(workload.covariance) @ z
    elif workload.sigmas is not None:
        sigmas = workload.sigmas
        noise = (sigmas[row] if sigmas.ndim == 2 else sigmas)[:, None] * z
    else:
        noise = np.zeros((workload.k, 1))
    drawn: Floats = q + noise
    return drawn


def numpy_tradeoff(workload: Workload, row: int, models: Bools, n_samples: int = 128) -> float:
    """Evaluate a supermodel as its definition says."""
    quality = draws(workload, row, n_samples)[models].max(axis=0).mean()
    return float(quality - workload.lambdas[row] * workload.costs[row][models].sum())


def numpy_greedy(workload: Workload, row: int, n_samples: int = 128) -> tuple[Bools, float]:
    """Add the model of the highest marginal gain until none gains; it proves nothing."""
    x = draws(workload, row, n_samples)
    prices = workload.lambdas[row] * workload.costs[row]
    chosen = np.zeros(workload.k, dtype=np.bool_)
    values = x.mean(axis=1) - prices
    best = np.full(x.shape[1], -np.inf)
    tradeoff, paid = -np.inf, 0.0
    while True:
        model = int(values.argmax())
        if not values[model] > tradeoff:
            return chosen, float(tradeoff)
        tradeoff = values[model]
        chosen[model] = True
        paid += prices[model]
        np.maximum(best, x[model], out=best)
        values = np.maximum(x, best).mean(axis=1) - prices - paid


def highs_missing() -> str | None:
    """Say why HiGHS cannot run; None: it can."""
    return None if importlib.util.find_spec("highspy") else "highspy is not installed"


class Highs:
    """One query as a mixed-integer program: facility location in its strong formulation.

    Maximise ``mean over s of sum_i x_is y_is - sum_i price_i open_i`` with ``sum_i y_is = 1`` and
    ``y_is <= open_i``, ``open`` binary. The program is built before the clock runs.
    """

    def __init__(
        self, workload: Workload, row: int, time_limit: float, n_samples: int = 128
    ) -> None:
        import highspy
        from scipy import sparse

        x = draws(workload, row, n_samples)
        k, size = x.shape
        prices = workload.lambdas[row] * workload.costs[row]
        serve = sparse.hstack([sparse.csr_array((size, k)), sparse.kron(np.ones(k), np.eye(size))])
        link = sparse.hstack(
            [sparse.kron(-np.eye(k), np.ones((size, 1))), sparse.eye_array(k * size)]
        )
        matrix = sparse.csc_array(sparse.vstack([serve, link]))
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = k + k * size, size + k * size
        program.sense_ = highspy.ObjSense.kMaximize
        program.col_cost_ = np.concatenate([-prices, x.ravel() / size])
        program.col_lower_ = np.zeros(k + k * size)
        program.col_upper_ = np.ones(k + k * size)
        program.row_lower_ = np.concatenate([np.ones(size), np.full(k * size, -np.inf)])
        program.row_upper_ = np.concatenate([np.ones(size), np.zeros(k * size)])
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = matrix.indptr
        program.a_matrix_.index_ = matrix.indices
        program.a_matrix_.value_ = matrix.data
        integer, continuous = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        program.integrality_ = [integer] * k + [continuous] * (k * size)
        self._optimal = highspy.HighsModelStatus.kOptimal
        self._solver = highspy.Highs()
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("mip_rel_gap", 0.0),
            ("mip_abs_gap", 1e-8),
            ("time_limit", time_limit),
        ):
            self._solver.setOptionValue(option, value)
        self._solver.passModel(program)

    def solve(self) -> None:
        """Run the solver."""
        self._solver.run()

    @property
    def optimum(self) -> float | None:
        """The optimum, once solved; None where the time was over first."""
        if self._solver.getModelStatus() != self._optimal:
            return None
        return float(self._solver.getObjectiveValue())
