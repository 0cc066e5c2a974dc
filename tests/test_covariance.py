"""Cholesky factors: right, defined for singular matrices, the same bits in every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from math import copysign, sqrt

import headrace
import numpy as np
import oracle
import pytest
from headrace import _covariance
from headrace._backends import cpp
from headrace._covariance import EPSILON, lower_cholesky, plain_lower_cholesky
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@pytest.fixture(params=["extension", "NumPy"], scope="module", autouse=True)
def _who(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the extension factorise, or NumPy."""
    if request.param == "extension":
        if cpp.available() is not None:
            pytest.skip("there is no compiled extension")
        yield
        return

    def refuse(*_: object) -> Floats:
        raise ValueError("not this one")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpp, "lower_cholesky", refuse)
        yield


def random_covariance(seed: int, n_models: int, rank: int) -> Floats:
    """A covariance of the given rank whose standard deviations differ by orders of magnitude."""
    generator = np.random.default_rng(seed)
    loadings = generator.normal(size=(n_models, rank))
    loadings *= np.exp(generator.normal(scale=3.0, size=(n_models, 1)))
    covariance = loadings @ loadings.T
    return (covariance + covariance.T) / 2


def exact_factor(covariance: Floats) -> Floats:
    """Lower Cholesky factor of an integer matrix in rational arithmetic, rounded at the end."""
    rest = [[Fraction(int(entry)) for entry in row] for row in covariance]
    factor = np.zeros_like(covariance)
    for j in range(len(rest)):
        pivot = rest[j][j]
        if not pivot:
            continue
        below = range(j, len(rest))
        column = [rest[i][j] for i in below]
        for i, entry in zip(below, column, strict=True):
            factor[i, j] = copysign(sqrt(entry * entry / pivot), entry)
            for m, other in zip(below, column, strict=True):
                rest[i][m] -= entry * other / pivot
    return factor


def largest_residual(covariance: Floats, factor: Floats) -> float:
    """Largest |A - L L^T| relative to sqrt(A_ii A_jj)."""
    residual = np.abs(covariance - factor @ factor.T)
    deviation = np.sqrt(np.diagonal(covariance))
    scale = np.outer(deviation, deviation)
    assert not residual[scale == 0.0].any()
    return float((residual / np.where(scale > 0.0, scale, 1.0)).max())


@pytest.mark.parametrize("n_models", [1, 2, 3, 11, 40])
def test_equals_numpy_when_well_conditioned(n_models: int) -> None:
    covariance = random_covariance(0, n_models, 3 * n_models)[None]
    factor = lower_cholesky(covariance)
    expected = np.linalg.cholesky(covariance)
    deviation = np.sqrt(np.diagonal(covariance[0]))[:, None]
    np.testing.assert_allclose(factor / deviation, expected / deviation, rtol=0, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.data())
def test_any_rank_reproduces_the_matrix(seed: int, n_models: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, n_models))
    covariance = random_covariance(seed, n_models, rank)
    (factor,) = lower_cholesky(covariance[None])
    assert largest_residual(covariance, factor) <= 1e-8
    assert not np.triu(factor, 1).any()
    assert (np.diagonal(factor) >= 0.0).all()


@pytest.mark.parametrize("rank", [1, 30, 59])
def test_large_singular_matrix(rank: int) -> None:
    covariance = random_covariance(1, 60, rank)
    (factor,) = lower_cholesky(covariance[None])
    assert largest_residual(covariance, factor) <= 1e-8


def test_singular_matrix_with_a_leading_block_of_bad_condition() -> None:
    generator = np.random.default_rng(7)
    loadings = generator.normal(size=(20, 13, 11))
    loadings[:, 10] = loadings[:, 9] + 1e-6 * loadings[:, 10]
    for matrix in loadings @ loadings.swapaxes(1, 2):
        (factor,) = lower_cholesky(((matrix + matrix.T) / 2)[None])
        assert largest_residual(matrix, factor) <= 1e-8


def test_sample_covariance_of_few_observations() -> None:
    observations = np.random.default_rng(2).normal(size=(5, 20))
    covariance = np.cov(observations, rowvar=False)
    (factor,) = lower_cholesky(covariance[None])
    assert largest_residual(covariance, factor) <= 1e-8


@pytest.mark.parametrize("largest", [1, 4, 30])
def test_singular_integer_matrices_have_their_exact_factor(largest: int) -> None:
    generator = np.random.default_rng(largest)
    n_compared = 0
    for _ in range(1500):
        n_models = int(generator.integers(2, 9))
        rank = int(generator.integers(1, n_models))
        loadings = generator.integers(-largest, largest + 1, (n_models, rank)).astype(float)
        covariance = loadings @ loadings.T
        exact = exact_factor(covariance)
        allowed = 1e-12 * sqrt(covariance.max())
        # Few matrices are so near to others of a lower rank that no float arithmetic gets this far.
        if np.abs(oracle.cholesky(covariance) - exact).max() <= allowed:
            n_compared += 1
            (factor,) = lower_cholesky(covariance[None])
            np.testing.assert_allclose(factor, exact, rtol=0, atol=allowed)
            np.testing.assert_array_equal(np.diagonal(factor) == 0.0, np.diagonal(exact) == 0.0)
    assert n_compared >= 1480


def test_a_pivot_of_zero_after_pivots_of_bad_condition(backend: str) -> None:
    # The minors are 22, 178, 16 and 0: rounding errors have grown where the last pivot is.
    covariance = np.array([[22, 8, -6, -8], [8, 11, 6, -6], [-6, 6, 10, 0], [-8, -6, 0, 14]])
    (factor,) = lower_cholesky(covariance[None].astype(np.float64))
    assert factor[3, 3] == 0.0
    selection = headrace.batch_select(
        np.zeros((1, 4)),
        np.ones(4),
        0.0,
        covariance=covariance,
        samples=np.random.default_rng(0).normal(size=(4, 16)),
        backend=backend,
    )
    np.testing.assert_allclose(selection.quality, 4.075437023449377, rtol=1e-12)


def test_zero_matrix() -> None:
    np.testing.assert_array_equal(lower_cholesky(np.zeros((2, 3, 3))), np.zeros((2, 3, 3)))


def test_known_models_have_zero_rows() -> None:
    covariance = np.array([[[0.0, 0.0, 0.0], [0.0, 4.0, 2.0], [0.0, 2.0, 5.0]]])
    expected = [[[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 2.0]]]
    np.testing.assert_array_equal(lower_cholesky(covariance), expected)


def test_models_that_move_together() -> None:
    covariance = np.array([[[9.0, 9.0, -3.0], [9.0, 9.0, -3.0], [-3.0, -3.0, 5.0]]])
    expected = [[[3.0, 0.0, 0.0], [3.0, 0.0, 0.0], [-1.0, 0.0, 2.0]]]
    np.testing.assert_array_equal(lower_cholesky(covariance), expected)


def test_small_variances_are_not_rounding() -> None:
    deviations = np.array([1.0, 1e-9, 1e9, 1e-30])
    factor = lower_cholesky(np.diag(deviations**2)[None])
    np.testing.assert_allclose(factor[0], np.diag(deviations), rtol=1e-15)


def test_close_models_keep_their_difference() -> None:
    covariance = np.array([[[1.0, 1.0 - 1e-9], [1.0 - 1e-9, 1.0]]])
    factor = lower_cholesky(covariance)
    np.testing.assert_allclose(factor[0, 1, 1], np.sqrt(2e-9), rtol=1e-6)


@pytest.mark.parametrize("variance", [1e-25, 1e-40, 0.0, -1e-20])
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [1, 2, 0]])
def test_rounding_in_a_variance_of_zero(variance: float, order: list[int]) -> None:
    covariance = np.array([[variance, 1e-17, -1e-17], [1e-17, 1.0, 0.5], [-1e-17, 0.5, 1.0]])
    covariance = covariance[np.ix_(order, order)]
    (factor,) = lower_cholesky(covariance[None])
    np.testing.assert_allclose(factor @ factor.T, covariance, rtol=0, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-100, 1e200])
def test_extreme_units(scale: float) -> None:
    covariance = random_covariance(3, 6, 4)
    covariance /= np.abs(covariance).max()
    (factor,) = lower_cholesky(scale * covariance[None])
    assert largest_residual(covariance, factor / np.sqrt(scale)) <= 1e-8


@pytest.mark.parametrize(("n_matrices", "n_models"), [(7, 4), (600, 11), (3, 150)])
def test_batch_equals_one_by_one(n_matrices: int, n_models: int) -> None:
    covariance = np.stack(
        [random_covariance(seed, n_models, 1 + seed % n_models) for seed in range(n_matrices)]
    )
    batch = lower_cholesky(covariance)
    for matrix, factor in zip(covariance, batch, strict=True):
        assert lower_cholesky(matrix[None])[0].tobytes() == factor.tobytes()


def test_chunks_change_no_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    covariance = np.stack([random_covariance(seed, 5, 3) for seed in range(20)])
    whole = lower_cholesky(covariance)
    monkeypatch.setattr(_covariance, "CHUNK_ENTRIES", 75)
    assert lower_cholesky(covariance).tobytes() == whole.tobytes()


def awkward_covariances() -> Iterator[Floats]:
    """Regular and singular ones, at all sizes of a register, and such as rounding has hurt."""
    for n_models in (1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64, 100):
        for rank in {1, 2, max(1, n_models // 2), n_models, 3 * n_models}:
            covariance = random_covariance(n_models + rank, n_models, rank)
            yield covariance
            yield covariance.astype(np.float32).astype(np.float64)
            hurt = covariance * (1.0 + 1e-9 * np.cos(np.arange(n_models)))
            yield (hurt + hurt.T) / 2
            hollow = covariance.copy()
            hollow[::2] = hollow[:, ::2] = 0.0
            yield hollow
            yield covariance - 1e-9 * np.diag(np.diagonal(covariance))
            yield covariance - 1e-2 * np.diag(np.diagonal(covariance))
    for seed in range(40):
        certain = random_covariance(seed, 3, 1)
        certain[2] = certain[:, 2] = -0.0
        certain[2, 2] = 0.0
        yield certain


def factor_bits(factorise: Callable[[Floats, float], Floats], matrix: Floats, eps: float) -> bytes:
    """Return the bits of a factor; none where there is no factor."""
    try:
        return factorise(matrix[None], eps).tobytes()
    except ValueError:
        return b""


@pytest.mark.parametrize("epsilon", [EPSILON, float(np.finfo(np.float32).eps)])
def test_extension_and_numpy_agree_to_the_bit(epsilon: float) -> None:
    if cpp.available() is not None:
        pytest.skip("there is no compiled extension")
    from headrace import _core

    compiled = partial(_core.lower_cholesky, n_threads=1)
    n_factors = 0
    matrices = list(awkward_covariances())
    for covariance in matrices:
        bits = factor_bits(compiled, covariance, epsilon)
        assert bits == factor_bits(plain_lower_cholesky, covariance, epsilon)
        n_factors += len(bits) > 0
    assert 0.5 * len(matrices) < n_factors < len(matrices)


def test_threads_change_no_bit() -> None:
    covariance = np.stack([random_covariance(seed, 40, 30) for seed in range(50)])
    alone = lower_cholesky(covariance)
    assert lower_cholesky(covariance, n_threads=4).tobytes() == alone.tobytes()
    covariance[[17, 41], 3, 3] = -1.0
    with pytest.raises(ValueError, match=r"covariance\[17\] must be positive semi-definite"):
        lower_cholesky(covariance, n_threads=4)


def test_input_is_kept() -> None:
    covariance = random_covariance(0, 4, 4)[None]
    covariance.setflags(write=False)
    lower_cholesky(covariance)


def test_empty_batch() -> None:
    assert lower_cholesky(np.empty((0, 3, 3))).shape == (0, 3, 3)


NOT_SEMIDEFINITE = [
    [[-1.0]],
    [[1.0, 0.0], [0.0, -1e-6]],
    [[1.0, 2.0], [2.0, 1.0]],
    [[0.0, 1e-3], [1e-3, 1.0]],
    [[1.0, 1.0, 0.0], [1.0, 1.0, 1e-3], [0.0, 1e-3, 1.0]],
    [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]],
    [[1e-12, 2e-12], [2e-12, 1e-12]],
]


@pytest.mark.parametrize("rows", NOT_SEMIDEFINITE)
def test_not_semidefinite(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"covariance must be positive semi-definite.* -"):
        lower_cholesky(np.array([rows]))


@pytest.mark.parametrize("index", [0, 5, 4999])
def test_faulty_matrix_is_named(index: int) -> None:
    covariance = np.tile(np.eye(3), (5000, 1, 1))
    covariance[index:, 2, 2] = -1.0
    with pytest.raises(ValueError, match=rf"covariance\[{index}\] .* eigenvalue of -1$"):
        lower_cholesky(covariance)


def test_first_fault_is_named_whatever_it_is() -> None:
    covariance = np.tile(np.eye(2), (4, 1, 1))
    covariance[1, 0, 0] = -1.0
    covariance[2, 0, 1] = 0.5
    with pytest.raises(ValueError, match=r"covariance\[1\] must be positive semi-definite"):
        lower_cholesky(covariance)


def test_asymmetric() -> None:
    covariance = np.tile(np.eye(3), (2, 1, 1))
    covariance[1, 0, 2] = 0.25
    message = r"covariance\[1\] must be symmetric, got 0.25 at \(0, 2\) and 0.0 at \(2, 0\)"
    with pytest.raises(ValueError, match=message):
        lower_cholesky(covariance)


def test_asymmetry_at_rounding_level_is_accepted() -> None:
    covariance = np.array([[[1.0, 0.5], [0.5 + 1e-12, 1.0]]])
    lower_cholesky(covariance)
    covariance[0, 1, 0] += 1e-9
    with pytest.raises(ValueError, match="covariance must be symmetric"):
        lower_cholesky(covariance)
