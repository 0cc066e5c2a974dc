"""The exact search against a solver of mixed-integer programs, where no one can enumerate."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import headrace
import numpy as np
import pytest
from cases import Case, Floats
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

N_SAMPLES = 64
N_QUERIES = 3


def uniform(k: int, rng: np.random.Generator) -> Case:
    """The paper's runtime experiment."""
    q, c = rng.random((2, N_QUERIES, k))
    return case(q, c, rng.random(N_QUERIES), rng, sigmas=np.full(k, 0.1))


def priced(k: int, rng: np.random.Generator) -> Case:
    """Costs over three decades, and quality that rises with them: many models are chosen."""
    log_costs = rng.uniform(-3.0, 0.0, (N_QUERIES, k))
    q = 0.8 + 0.2 * log_costs + 0.15 * rng.standard_normal((N_QUERIES, k))
    sigmas = rng.uniform(0.15, 0.45, (N_QUERIES, k))
    return case(q, 10.0**log_costs, rng.random(N_QUERIES), rng, sigmas=sigmas)


def clones(k: int, rng: np.random.Generator) -> Case:
    """Groups of ten models that differ by a thousandth."""
    few = priced(k // 10, rng)
    group = np.arange(k) // 10
    assert few.sigmas is not None
    q = few.qualities[:, group] + 0.001 * rng.standard_normal((N_QUERIES, k))
    c = few.costs[:, group] * rng.uniform(0.999, 1.001, (N_QUERIES, k))
    return case(q, c, few.lambda_, rng, sigmas=few.sigmas[:, group])


def twins(k: int, rng: np.random.Generator) -> Case:
    """Groups of ten whose draws nearly coincide."""
    alike = clones(k, rng)
    group = np.arange(k) // 10
    assert alike.samples is not None
    noise = 0.02 * rng.standard_normal((k, N_SAMPLES))
    return alike.changed(samples=alike.samples[10 * group] + noise)


def correlated(k: int, rng: np.random.Generator) -> Case:
    """One common factor."""
    loose = priced(k, rng)
    assert loose.sigmas is not None
    sigmas = loose.sigmas[0]
    covariance = 0.5 * np.outer(sigmas, sigmas) + 0.5 * np.diag(sigmas**2)
    return loose.changed(sigmas=None, covariance=covariance)


def case(q: Floats, c: Floats, lambda_: Floats, rng: np.random.Generator, **rest: Any) -> Case:
    """Put a case together with draws of its own."""
    samples = rng.standard_normal((q.shape[1], N_SAMPLES))
    return Case(q, c, lambda_, samples=samples, **rest)


def draws(case: Case, row: int) -> Floats:
    """Sampled qualities, shape (k, S)."""
    assert case.samples is not None
    query = case.rows([row])
    if query.covariance is not None:
        noise = np.linalg.cholesky(query.covariance[0]) @ case.samples
    else:
        assert query.sigmas is not None
        noise = query.sigmas[0][:, None] * case.samples
    result: Floats = query.qualities[0][:, None] + noise
    return result


def tradeoff(case: Case, row: int, members: Floats) -> float:
    """Tradeoff of a set of models, given by ones."""
    chosen = np.flatnonzero(members > 0.5)
    ran = case.run_models(row)
    to_pay = [i for i in chosen if i not in ran]
    query = case.rows([row])
    quality = draws(case, row)[chosen].max(axis=0).mean()
    return float(quality - query.lambda_[0] * query.costs[0][to_pay].sum())


def best_set(case: Case, row: int) -> Floats:
    """Solve the facility location: which models are open, one number for each."""
    k, n_samples = case.k, N_SAMPLES
    query = case.rows([row])
    prices = query.lambda_[0] * query.costs[0]
    ran = case.run_models(row)
    prices[ran] = 0.0
    # Variables: k models that are open, then k x S samples that are served by a model.
    values = np.concatenate([prices, -draws(case, row).ravel() / n_samples])
    served = sparse.identity(k * n_samples)
    opened = sparse.kron(sparse.identity(k), np.ones((n_samples, 1)))
    only_open = LinearConstraint(sparse.hstack([opened, -served]).tocsr(), lb=0.0)
    each = sparse.kron(np.ones((1, k)), sparse.identity(n_samples))
    once = LinearConstraint(sparse.hstack([sparse.csr_matrix((n_samples, k)), each]), 1.0, 1.0)
    lowest = np.zeros(k + k * n_samples)
    lowest[ran] = 1.0
    constraints = [only_open, once]
    if case.max_depth is not None:
        count = np.zeros((1, k + k * n_samples))
        count[0, :k] = 1.0
        constraints.append(LinearConstraint(count, ub=float(max(case.max_depth, len(ran)))))
    integrality = np.zeros(k + k * n_samples)
    integrality[:k] = 1
    solution = milp(
        values,
        integrality=integrality,
        bounds=Bounds(lowest, 1.0),
        constraints=constraints,
        options={"mip_rel_gap": 0.0, "time_limit": 30.0},
    )
    assert solution.success, solution.message
    members: Floats = solution.x[:k]
    return members


@pytest.mark.parametrize("make", [uniform, priced, clones, twins, correlated])
@pytest.mark.parametrize("k", [20, 40, 60])
@pytest.mark.parametrize("option", ["plain", "max_depth", "ran"])
def test_no_set_of_highs_is_better(make: Any, k: int, option: str) -> None:
    rng = np.random.default_rng(k)
    problem: Case = make(k, rng)
    if option == "max_depth":
        problem = problem.changed(max_depth=3)
    elif option == "ran":
        problem = problem.changed(ran=rng.random((N_QUERIES, k)) < 0.05)
    found = [best_set(problem, row) for row in range(N_QUERIES)]
    for backend in ("cpp", "numba"):
        if headrace.backends()[backend] is not None:
            continue
        selection = headrace.batch_select(**problem.arguments, backend=backend)
        assert selection.optimal.all()
        for row, members in enumerate(found):
            best = tradeoff(problem, row, members)
            own = tradeoff(problem, row, selection.supermodel[row].astype(np.float64))
            assert selection.tradeoff[row] == pytest.approx(own, abs=1e-12)
            assert selection.tradeoff[row] >= best - 1e-9
            assert selection.tradeoff[row] <= best + 1e-6  # what the solver calls optimal
            assert selection.upper_bound[row] >= best - 1e-12


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (1e60, 1e100), (1e-170, 1e100)])
def test_draws_whose_squares_no_double_holds(sizes: tuple[float, float]) -> None:
    size, sigma = sizes
    unit = size * sigma
    dear = min(unit, 1e60)
    rng = np.random.default_rng(0)
    for _ in range(100):
        k, n_samples = int(rng.integers(4, 9)), int(rng.choice([8, 16, 32]))
        spread = rng.choice([0.3, 0.8, 1.5]) * rng.standard_normal((k, n_samples))
        sigmas, ran = np.full(k, sigma), np.zeros((1, k), dtype=np.bool_)
        if rng.random() < 0.5:
            sigmas[0], ran[0, 0] = 0.0, True
        given: dict[str, Any] = {
            "qualities": 0.3 * min(unit, 1.0) * rng.random((1, k)),
            "costs": dear * rng.uniform(0.3, 1.0, (1, k)),
            "lambda_": unit / dear * rng.choice([0.02, 0.05, 0.2]),
            "sigmas": sigmas,
            "samples": size * (rng.choice([0.0, 3.0]) + spread),
            "ran": ran,
        }
        x = given["qualities"][0][:, None] + sigmas[:, None] * given["samples"]
        best = max(
            x[list(models)].max(axis=0).mean()
            - given["lambda_"] * sum(given["costs"][0, i] for i in models if not ran[0, i])
            for count in range(1, k + 1)
            for models in combinations(range(k), count)
            if 0 in models or not ran[0, 0]
        )
        slack = 1e-12 * abs(best)
        for backend in ("cpp", "numba"):
            if headrace.backends()[backend] is not None:
                continue
            found = headrace.batch_select(**given, backend=backend)
            assert found.optimal[0]
            assert found.tradeoff[0] >= best - max(slack, 1e-9)
            for limits in ({}, {"node_limit": 1}, {"time_limit": 1e-9}):
                cut = headrace.batch_select(**given, **limits, backend=backend)
                assert cut.upper_bound[0] >= best - slack
