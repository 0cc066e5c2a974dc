"""Scrambled Sobol samples: reproducible, stratified, more exact than independent draws."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from headrace import _samples
from headrace._samples import standard_normal_samples
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Integers = NDArray[np.uint64]

MEAN_OF_MAX_OF_11 = 1.5864363519
SD_OF_MAX_OF_11 = 0.5772758810
"""Mean and standard deviation of the max of 11 independent standard normals."""
KNOWN_DIGITS = [
    [4006497047, 1681511589, 2579395931, 323611369],
    [4286275538, 551591044, 2034110955, 2795885245],
    [990378261, 2530595919, 1616967378, 3451050888],
    [3447131942, 371609699, 3090759511, 1667784722],
]
"""Points of rows 0, 1, 10 and 69 of 4 samples with seed 2**70, in units of 2**-32."""


def uniforms(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Back from normal draws to points of the unit cube."""
    cdf = NormalDist().cdf
    return np.array([[cdf(x) for x in row] for row in samples.tolist()])


def test_shape_and_layout() -> None:
    samples = standard_normal_samples(5, 64, 3)
    assert samples.shape == (5, 64)
    assert samples.dtype == np.float64
    assert samples.flags.c_contiguous
    assert not samples.flags.writeable
    assert np.isfinite(samples).all()


def test_same_seed_same_bits() -> None:
    first = standard_normal_samples(7, 128, 5)
    assert standard_normal_samples(7, 128, 5) is first
    standard_normal_samples.cache_clear()
    again = standard_normal_samples(7, 128, 5)
    assert again is not first
    assert again.tobytes() == first.tobytes()


def test_bits_never_change() -> None:
    samples = standard_normal_samples(70, 4, 2**70)
    digits = np.round(uniforms(samples[[0, 1, 10, 69]]) * 2**32 - 0.5).astype(np.int64)
    np.testing.assert_array_equal(digits, KNOWN_DIGITS)


def test_seeds_differ() -> None:
    first, second = standard_normal_samples(4, 32, 0), standard_normal_samples(4, 32, 1)
    assert not np.isin(first, second).any()


@given(st.integers(1, 120), st.integers(1, 120), st.integers(0, 9), st.integers(0, 2**100))
def test_more_models_append_rows(few: int, more: int, log2_samples: int, seed: int) -> None:
    n_samples = 2**log2_samples
    prefix = standard_normal_samples(few, n_samples, seed)
    samples = standard_normal_samples(few + more, n_samples, seed)
    assert samples[:few].tobytes() == prefix.tobytes()


@pytest.mark.parametrize("n_samples", [1, 2, 128, 1024])
def test_every_row_is_stratified(n_samples: int) -> None:
    bins = np.floor(uniforms(standard_normal_samples(70, n_samples, 1)) * n_samples)
    expected = np.broadcast_to(np.arange(n_samples), bins.shape)
    np.testing.assert_array_equal(np.sort(bins, axis=1), expected)


def test_most_models() -> None:
    samples = standard_normal_samples(4096, 8, 0)
    bins = np.floor(uniforms(samples) * 8)
    np.testing.assert_array_equal(np.sort(bins, axis=1), np.broadcast_to(np.arange(8), (4096, 8)))
    assert np.unique(samples).size == samples.size


def test_most_samples() -> None:
    (row,) = standard_normal_samples(1, 2**16, 0)
    assert abs(row.mean()) < 1e-4
    assert abs(row.std() - 1.0) < 1e-3


@pytest.mark.parametrize(("n_samples", "limit"), [(128, 0.25), (4096, 0.02)])
def test_rows_are_uncorrelated(n_samples: int, limit: float) -> None:
    correlation = np.corrcoef(standard_normal_samples(11, n_samples, 0))
    assert np.abs(correlation - np.eye(11)).max() < limit


def error_of_max(draws: list[NDArray[np.float64]]) -> float:
    """RMS error of the mean of the max, over draws of shape (11, S)."""
    errors = [draw.max(axis=0).mean() - MEAN_OF_MAX_OF_11 for draw in draws]
    return float(np.sqrt(np.mean(np.square(errors))))


@pytest.mark.parametrize(("n_samples", "gain"), [(128, 2.0), (1024, 3.0)])
def test_error_is_well_below_monte_carlo(n_samples: int, gain: float) -> None:
    error = error_of_max([standard_normal_samples(11, n_samples, seed) for seed in range(20)])
    independent = SD_OF_MAX_OF_11 / np.sqrt(n_samples)
    assert gain * error < independent


@pytest.mark.parametrize("n_samples", [128, 1024])
def test_error_is_that_of_scipy(n_samples: int) -> None:
    qmc = pytest.importorskip("scipy.stats.qmc")
    quantile = np.vectorize(NormalDist().inv_cdf)
    theirs = [
        quantile(qmc.Sobol(11, scramble=True, seed=seed).random(n_samples)).T for seed in range(20)
    ]
    ours = [standard_normal_samples(11, n_samples, seed) for seed in range(20)]
    assert error_of_max(ours) < 2.0 * error_of_max(theirs)


def test_estimate_is_unbiased() -> None:
    means = [standard_normal_samples(11, 16, seed).max(axis=0).mean() for seed in range(400)]
    standard_error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - MEAN_OF_MAX_OF_11) < 4.0 * standard_error


def remainder_orders(polynomial: int, degree: int) -> int:
    """Order of x modulo a polynomial, by counting."""
    value, order = 1, 0
    while True:
        value <<= 1
        if value >> degree:
            value ^= polynomial
        order += 1
        if value == 1:
            return order


@pytest.mark.parametrize("degree", range(1, 9))
def test_polynomials_are_the_primitive_ones(degree: int) -> None:
    candidates = range(2**degree + 1, 2 ** (degree + 1), 2)
    expected = [p for p in candidates if remainder_orders(p, degree) == 2**degree - 1]
    assert _samples._primitive_polynomials(degree).tolist() == expected


def test_first_polynomials() -> None:
    first = [_samples._primitive_polynomials(degree).tolist() for degree in (1, 2, 3, 4)]
    assert first == [[0b11], [0b111], [0b1011, 0b1101], [0b10011, 0b11001]]


@pytest.mark.parametrize("degree", range(1, _samples.MAX_DEGREE + 1))
def test_number_of_polynomials(degree: int) -> None:
    order = 2**degree - 1
    coprime = int((np.gcd(np.arange(1, order + 1), order) == 1).sum())
    assert _samples._primitive_polynomials(degree).size == coprime // degree


def test_directions_are_triangular() -> None:
    """Direction b has its last nonzero digit at b: each coordinate is a permutation."""
    directions = _samples._direction_numbers(4096, 16)
    last = np.arange(31, 15, -1, dtype=np.uint64)
    assert ((directions >> last) & np.uint64(1)).all()
    assert not (directions & ((np.uint64(1) << last) - np.uint64(1))).any()


def test_initial_choices_are_the_greedy_ones() -> None:
    """Each model's candidate is the best one against the models before it.

    The loss of a pair of coordinates is the sum of 8^t over nets of 4 to 1024 points, with t the
    quality parameter of the net.
    """
    n_models, n_bits = 8, 10
    candidates = np.stack([_directions(n_models, n_bits, choice) for choice in range(256)])
    chosen = candidates[0, :1]
    for model in range(1, n_models):
        ours = np.repeat(candidates[:, model], model, axis=0)
        earlier = np.tile(chosen, (256, 1))
        loss = sum(8.0 ** quality_parameter(ours, earlier, m) for m in range(2, n_bits + 1))
        best = int(np.argmin(np.reshape(loss, (256, model)).sum(axis=1)))
        assert _samples.INITIAL_CHOICES[model] == best
        chosen = np.concatenate([chosen, candidates[best, model, None]])


def _directions(n_models: int, n_bits: int, choice: int) -> Integers:
    """Direction numbers if every model takes the same candidate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_samples, "INITIAL_CHOICES", bytes([choice] * n_models))
        return _samples._direction_numbers(n_models, n_bits)


def quality_parameter(first: Integers, second: Integers, m: int) -> NDArray[np.int64]:
    """Quality parameter t of 2^m points for each pair of coordinates, shape (pairs,).

    t = m - r with r the largest number such that any r leading rows of the two generator matrices
    together are linearly independent over GF(2) (Niederreiter, 1987).
    """
    n_pairs = len(first)
    dependent = np.full(n_pairs, m + 1)
    leading = np.zeros((m, n_pairs), dtype=np.uint64)
    for n_first in range(m + 1):
        if n_first:
            insert(leading, generator_row(first, n_first - 1, m))
        basis = leading.copy()
        independent = np.ones(n_pairs, dtype=np.bool_)
        for n_second in range(1, m - n_first + 1):
            inserted = insert(basis, generator_row(second, n_second - 1, m))
            fails = independent & ~inserted
            dependent[fails] = np.minimum(dependent[fails], n_first + n_second)
            independent &= inserted
    return m + 1 - dependent


def generator_row(directions: Integers, digit: int, m: int) -> Integers:
    """One row of each generator matrix: a digit of the first m directions."""
    digits = (directions[:, :m] >> np.uint64(31 - digit)) & np.uint64(1)
    row: Integers = (digits << np.arange(m, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    return row


def insert(basis: Integers, vectors: Integers) -> NDArray[np.bool_]:
    """Add a vector to each basis over GF(2); False where it depends on it."""
    vectors = vectors.copy()
    inserted = np.zeros(vectors.shape, dtype=np.bool_)
    for position in range(len(basis) - 1, -1, -1):
        has_digit = (vectors >> np.uint64(position)) & np.uint64(1) == 1
        new = has_digit & (basis[position] == 0)
        basis[position][new] = vectors[new]
        inserted |= new
        vectors[has_digit] ^= basis[position][has_digit]
    return inserted
