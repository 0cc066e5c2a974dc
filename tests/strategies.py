"""Hypothesis strategies for batches of queries, with the awkward ones made likely."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Case, Floats
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

GRID = 64.0
"""Numbers on a grid of 1/64 add up without rounding."""


def standard_settings(max_examples: int, **options: Any) -> settings:
    """Return the settings that all profiles share."""
    return settings(
        max_examples=max_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        **options,
    )


def register_profiles() -> None:
    """Register ``default`` (always the same examples) and ``thorough`` (many new ones)."""
    settings.register_profile("default", standard_settings(40, derandomize=True, database=None))
    settings.register_profile("thorough", standard_settings(2000))


def grid(shape: tuple[int, ...], low: int, high: int) -> st.SearchStrategy[Floats]:
    """Arrays of multiples of 1/64 between low/64 and high/64."""
    integers = npst.arrays(np.int64, shape, elements=st.integers(low, high))
    return integers.map(lambda array: array / GRID)


@st.composite
def generators(draw: st.DrawFn) -> np.random.Generator:
    """NumPy generators, for bulk numbers without ties."""
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def model_counts(largest: int) -> st.SearchStrategy[int]:
    """Numbers of models, mostly around the widths of vector registers."""
    edges = [k for k in (1, 2, 3, 4, 5, 7, 8, 9) if k <= largest]
    return st.sampled_from(edges) | st.integers(1, largest)


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    largest: int = 9,
    on_grid: bool | None = None,
    uncertain: bool | None = None,
    covariances: bool = True,
    fixed_order: bool | None = None,
    tie_free: bool = False,
    largest_batch: int = 3,
) -> Case:
    """Draw a batch of queries for cascade routing with exact search.

    `on_grid`, `uncertain` and `fixed_order` are drawn where they are None; `tie_free` leaves out
    grids, near-identical models and prices of zero.
    """
    k = draw(model_counts(largest))
    n = draw(st.integers(1, largest_batch))
    if on_grid is None:
        on_grid = not tie_free and draw(st.booleans())
    if uncertain is None:
        uncertain = draw(st.booleans())

    qualities, costs, lambda_, rng = draw(estimates(n, k, on_grid, tie_free))
    sigmas = covariance = samples = None
    if uncertain:
        # Few samples where there are many supermodels: the oracle enumerates in Python.
        sizes = [1, 5, 8, 13, 16, 32, 64] if k <= 6 else [1, 5, 8, 13, 16]
        size = draw(st.sampled_from(sizes))
        normal = rng.standard_normal((k, size))
        samples = draw(grid((k, size), -128, 128)) if on_grid else normal
        if covariances and draw(st.booleans()):
            covariance = draw(covariance_matrices(k, rng))
        else:
            sigmas = draw(deviations(n, k, rng, on_grid))

    ran = None
    if draw(st.booleans()):
        ran = draw(npst.arrays(np.bool_, (n, k)))
        ran[ran.all(axis=1), draw(st.integers(0, k - 1))] = False

    case = Case(
        qualities=qualities,
        costs=costs,
        lambda_=lambda_,
        sigmas=sigmas,
        covariance=covariance,
        samples=samples,
        ran=ran,
        max_depth=draw(st.none() | st.integers(1, k + 1)),
        fixed_order=draw(st.booleans()) if fixed_order is None else fixed_order,
        ties=draw(st.sampled_from(["cheapest", "dearest"])),
    )
    if not tie_free and k > 1 and draw(st.booleans()):
        case = draw(with_twins(case))
    return case


@st.composite
def estimates(
    draw: st.DrawFn, n: int, k: int, on_grid: bool, tie_free: bool
) -> tuple[Floats, Floats, Floats, np.random.Generator]:
    """Qualities, costs, lambda (shared or one a query) and a generator for the rest."""
    rng = draw(generators())
    cost_shape = draw(st.sampled_from([(k,), (n, k)]))
    lambda_shape: tuple[int, ...] = draw(st.sampled_from([(), (n,)]))
    if on_grid:
        qualities = draw(grid((n, k), -64, 64))
        costs = draw(grid(cost_shape, 0, 128))
        prices = st.sampled_from([0.0, 1 / 64, 1 / 16, 0.25, 1.0, 4096.0])
        lambda_ = draw(npst.arrays(np.float64, lambda_shape, elements=prices))
    else:
        qualities = rng.uniform(-1.0, 1.0, (n, k))
        costs = rng.uniform(0.0, 2.0, cost_shape)
        scale = draw(st.sampled_from([0.02, 0.2, 1.0] if tie_free else [0.0, 0.02, 0.2, 1.0, 1e6]))
        lambda_ = np.asarray(scale * rng.uniform(0.1, 1.0, lambda_shape))
    return qualities, costs, lambda_, rng


@st.composite
def deviations(draw: st.DrawFn, n: int, k: int, rng: np.random.Generator, on_grid: bool) -> Floats:
    """Standard deviations, some of them zero."""
    shape = draw(st.sampled_from([(k,), (n, k)]))
    if on_grid:
        return draw(grid(shape, 0, 64))
    certain = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    return rng.uniform(0.0, 0.6, shape) * (rng.uniform(size=shape) >= certain)


@st.composite
def covariance_matrices(draw: st.DrawFn, k: int, rng: np.random.Generator) -> Floats:
    """Covariances: well conditioned, of certain models, or of models that move together."""
    loadings = rng.uniform(-0.5, 0.5, (k, k))
    matrix: Floats = loadings @ loadings.T / k + 0.05 * np.eye(k)
    kind = draw(st.sampled_from(["regular", "certain", "together", "zero"]))
    if kind == "certain":
        certain = draw(npst.arrays(np.bool_, (k,)))
        matrix[certain, :] = 0.0
        matrix[:, certain] = 0.0
    elif kind == "together":
        source = draw(npst.arrays(np.int64, (k,), elements=st.integers(0, k - 1)))
        matrix = matrix[np.ix_(source, source)]
    elif kind == "zero":
        matrix = np.zeros((k, k))
    return 0.5 * (matrix + matrix.T)


@st.composite
def with_twins(draw: st.DrawFn, case: Case) -> Case:
    """Make some models copies of others, exactly or very nearly."""
    source = list(range(case.k))
    for copy in draw(st.lists(st.integers(1, case.k - 1), max_size=case.k, unique=True)):
        source[copy] = draw(st.integers(0, copy - 1))
    ran = case.ran
    twins = case.models(source).changed(ran=ran)
    gap = draw(st.sampled_from([0.0, 0.0, 1e-12, 1e-7]))
    offsets = gap * np.arange(case.k)
    return twins.changed(qualities=twins.qualities + offsets)
