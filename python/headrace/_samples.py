"""Standard normal draws from a scrambled Sobol sequence.

Sobol's points spread evenly over the unit cube, so that a mean over a few of them has a much
smaller error than one over independent draws. The scramble makes the mean unbiased and ties the
points to a seed. Everything is integer arithmetic up to the normal quantile.

References
----------
I. M. Sobol (1967), On the distribution of points in a cube and the approximate evaluation of
integrals, USSR Comput. Math. Math. Phys. 7(4), 86-112.
J. Matousek (1998), On the L2-discrepancy for anchored boxes, J. Complexity 14(4), 527-556.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.uint64]

N_DIGITS = 32
"""Binary digits of a point's coordinate."""
MAX_LOG2_SAMPLES = 16
MAX_DEGREE = 16
"""There are 5714 primitive polynomials up to this degree, one for each model but the first."""

INITIAL_SEED = 1967
"""Seed of the fixed stream of initial direction numbers; unrelated to the user's seed."""
INITIAL_CHOICES = bytes.fromhex(
    "00000001010216e8fbb10ff5b0605a591e864c2dcb51f7fe4c544b85c118d277"
    "fd7d85859b79e1e1591ecb284e4d664f8f56608f2f0fd9f15f182ab615de52dc"
)
"""Which of 256 candidates gives a model its initial direction numbers (0 for those not listed).

Found greedily, model after model, so that pairs of coordinates are spread evenly; the search is in
``tests/test_samples.py``.
"""


@lru_cache(maxsize=8)
def standard_normal_samples(n_models: int, n_samples: int, seed: int) -> NDArray[np.float64]:
    """Draw standard normal samples, evenly spread over all models together.

    Each row has exactly one draw in each of ``n_samples`` intervals of equal probability. Row
    ``j`` depends on ``(n_samples, seed)`` and ``j`` alone: more models append rows.

    Parameters
    ----------
    n_models : int
        Number of models k, between 1 and 4096.
    n_samples : int
        Number of samples S, a power of two, at most 2**16.
    seed : int
        Not negative.

    Returns
    -------
    array of shape (k, S)
        Read-only and cached.

    Notes
    -----
    The normal quantile is Wichura's AS 241 (1988), as the standard library has it.
    """
    assert n_models >= 1
    log2_samples = n_samples.bit_length() - 1
    assert n_samples == 1 << log2_samples
    assert log2_samples <= MAX_LOG2_SAMPLES
    points = _scrambled_points(_direction_numbers(n_models, log2_samples), seed)
    quantile = NormalDist().inv_cdf
    samples = np.empty((n_models, n_samples))
    for row, digits in zip(samples, points, strict=True):
        row[:] = [quantile(u) for u in ((digits + 0.5) / 2.0**N_DIGITS).tolist()]
    samples.setflags(write=False)
    return samples


def _scrambled_points(directions: Integers, seed: int) -> Integers:
    """Coordinates of shape (k, 2**b), in units of 2**-32, from directions of shape (k, b).

    Matousek's scramble: the digits of each coordinate are multiplied by a random lower unit
    triangular matrix over GF(2), then shifted by random digits. Raw words are the same in all
    versions of NumPy.
    """
    n_models, n_bits = directions.shape
    words = np.random.PCG64(seed).random_raw(n_models * (MAX_LOG2_SAMPLES + 1))
    words = words.reshape(n_models, -1) >> np.uint64(64 - N_DIGITS)
    top = np.uint64(1 << (N_DIGITS - 1))
    scramble = (words[:, :-1] | top) >> np.arange(MAX_LOG2_SAMPLES, dtype=np.uint64)

    points = np.empty((n_models, 1 << n_bits), dtype=np.uint64)
    points[:, 0] = words[:, -1]
    for bit in range(n_bits):
        direction = np.zeros(n_models, dtype=np.uint64)
        for digit in range(bit + 1):
            is_set = (directions[:, bit] >> np.uint64(N_DIGITS - 1 - digit)) & np.uint64(1)
            direction ^= scramble[:, digit] * is_set
        half = 1 << bit
        points[:, half : 2 * half] = points[:, :half] ^ direction[:, None]
    return points


def _direction_numbers(n_models: int, n_bits: int) -> Integers:
    """Sobol's direction numbers, of shape (k, n_bits), in units of 2**-32.

    The first model has the van der Corput sequence, every other one its own primitive polynomial
    x^d + a_1 x^(d-1) + ... + a_(d-1) x + 1 and the recurrence

        m_i = 2 a_1 m_(i-1) ^ 4 a_2 m_(i-2) ^ ... ^ 2^d m_(i-d) ^ m_(i-d)

    from d initial numbers m_i, odd and below 2^i. The direction is m_i 2^-i.
    """
    odd = _initial_numbers(n_models, np.frombuffer(INITIAL_CHOICES, dtype=np.uint8))
    odd[0] = 1
    first, degree = 1, 0
    while first < n_models:
        degree += 1
        assert degree <= MAX_DEGREE
        polynomials = _primitive_polynomials(degree)[: n_models - first]
        numbers = odd[first : first + polynomials.size]
        for i in range(degree, n_bits):
            oldest = numbers[:, i - degree]
            value = oldest ^ (oldest << np.uint64(degree))
            for lag in range(1, degree):
                coefficient = (polynomials >> np.uint64(degree - lag)) & np.uint64(1)
                value ^= coefficient * (numbers[:, i - lag] << np.uint64(lag))
            numbers[:, i] = value
        first += polynomials.size
    return odd[:, :n_bits] << np.arange(N_DIGITS - 1, N_DIGITS - 1 - n_bits, -1, dtype=np.uint64)


def _initial_numbers(n_models: int, choices: NDArray[np.uint8]) -> Integers:
    """Odd numbers m_i < 2^i, i = 1, 2, ..., of shape (k, 16), the same for all seeds."""
    words = np.random.SFC64(INITIAL_SEED).random_raw(n_models * MAX_DEGREE)
    words = words.reshape(n_models, MAX_DEGREE)
    chosen = choices[:n_models, None].astype(np.uint64)
    words[: chosen.size] *= 2 * chosen + 1
    return (words >> np.arange(63, 63 - MAX_DEGREE, -1, dtype=np.uint64)) | np.uint64(1)


@lru_cache(maxsize=MAX_DEGREE)
def _primitive_polynomials(degree: int) -> Integers:
    """All primitive polynomials over GF(2) of a degree; bit i is the coefficient of x^i.

    A polynomial is primitive if x has the order 2^degree - 1 modulo it: the powers of x are then
    all the nonzero remainders.
    """
    order = 2**degree - 1
    polynomials: Integers = np.arange(2**degree + 1, 2 ** (degree + 1), 2, dtype=np.uint64)
    polynomials = polynomials[_power_of_x(order, polynomials, degree) == 1]
    for prime in _prime_factors(order):
        polynomials = polynomials[_power_of_x(order // prime, polynomials, degree) != 1]
    return polynomials


def _power_of_x(exponent: int, polynomials: Integers, degree: int) -> Integers:
    """x^exponent modulo each polynomial, by repeated squaring."""
    one = np.uint64(1)

    def times_x(value: Integers) -> Integers:
        value = value << one
        return value ^ polynomials * (value >> np.uint64(degree))

    power = np.ones_like(polynomials)
    for digit in f"{exponent:b}":
        square = np.zeros_like(power)
        for bit in range(degree - 1, -1, -1):
            square = times_x(square) ^ power * ((power >> np.uint64(bit)) & one)
        power = times_x(square) if digit == "1" else square
    return power


def _prime_factors(number: int) -> list[int]:
    """Distinct prime factors in ascending order."""
    factors = []
    candidate = 2
    while number > 1:
        if number % candidate == 0:
            factors.append(candidate)
            while number % candidate == 0:
                number //= candidate
        candidate += 1
    return factors
