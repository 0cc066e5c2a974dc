"""Reservation values against SciPy and 50-digit arithmetic, on every backend."""

from __future__ import annotations

import math
from typing import Any

import headrace
import numpy as np
import numpy.typing as npt
import pytest
from headrace._reservation import inverse_standard_excess
from scipy.optimize import brentq
from scipy.special import log_ndtr

Floats = npt.NDArray[np.float64]

TABLE = [
    (1e-300, 36.9495680540377729),
    (1e-200, 30.092730441015873975),
    (1e-100, 21.129673280216515689),
    (1e-30, 11.251185889347142672),
    (1e-12, 6.7571594604253288649),
    (1e-6, 4.4248923005058390119),
    (1e-3, 2.7178055152317571497),
    (0.1, 0.9023463475100344911),
    (0.3, 0.21651349769209776898),
    (0.3989, 0.000084563655706381713025),
    (0.4, -0.002113656905003845182),
    (1.0, -0.89947156125374354962),
    (3.9, -3.8999889197373434698),
    (4.1, -4.0999954340268414009),
    (5.0, -4.9999999465383293368),
    (40.0, -40.0),
]
"""u and the t with h(t) = u; `solve` below gives the same."""


def solve(u: float) -> Any:
    """Invert h in 50-digit arithmetic."""
    mp = pytest.importorskip("mpmath")
    mp.mp.dps = 50
    target = mp.log(mp.mpf(u))
    t = mp.mpf(inverse_standard_excess(u))  # anything near it
    for _ in range(6):
        tail = mp.erfc(t / mp.sqrt(2)) / 2
        h = mp.npdf(t) - t * tail
        t += (mp.log(h) - target) * h / tail
    assert abs(mp.log(mp.npdf(t) - t * mp.erfc(t / mp.sqrt(2)) / 2) - target) < mp.mpf(10) ** -40
    return t


def values(backend: str, ratios: Floats, sigma: float = 1.0) -> Floats:
    """Return the reservation values of N(0, sigma^2) at a price of `ratios` times sigma."""
    count = len(ratios)
    selection = headrace.batch_select(
        np.zeros((count, 1)),
        ratios[:, None] * sigma,
        1.0,
        sigmas=[sigma],
        strategy="index",
        backend=backend,
    )
    return selection.upper_bound  # of the only model, but for an allowance


def error(given: Floats, expected: Floats) -> float:
    """Return the largest error: relative, where the value is not near zero."""
    return float(np.max(np.abs(given - expected) / np.maximum(1.0, np.abs(expected))))


def test_table_is_what_50_digits_give() -> None:
    for u, expected in TABLE:
        assert math.isclose(float(solve(u)), expected, rel_tol=1e-15)


def test_inverse_against_the_table(backend: str) -> None:
    ratios, expected = np.array(TABLE).T
    assert error(np.array([inverse_standard_excess(u) for u in ratios]), expected) < 5e-13
    assert error(values(backend, ratios), expected) < 2e-12


def test_inverse_against_50_digits_everywhere() -> None:
    ratios = np.concatenate([10.0 ** np.linspace(-300, -12, 60), np.geomspace(1e-12, 40.0, 120)])
    expected = np.array([float(solve(u)) for u in ratios])
    assert error(np.array([inverse_standard_excess(u) for u in ratios]), expected) < 5e-13


def test_inverse_against_scipy(backend: str) -> None:
    """Where SciPy has digits: h from log_ndtr, whose terms cancel far in the upper tail."""

    def gap(t: float, u: float) -> float:
        return float(math.exp(-0.5 * t * t) / math.sqrt(2 * math.pi) - t * np.exp(log_ndtr(-t))) - u

    ratios = np.concatenate([np.geomspace(1e-5, 40.0, 150), np.linspace(0.39, 0.41, 20)])
    expected = np.array([brentq(gap, -41.0, 6.0, args=(u,), xtol=1e-15) for u in ratios])
    assert error(values(backend, ratios), expected) < 1e-10


def test_backends_agree_to_rounding() -> None:
    ratios = np.concatenate([10.0 ** np.linspace(-300, -12, 500), np.geomspace(1e-12, 60.0, 2000)])
    names = [name for name, reason in headrace.backends().items() if reason is None]
    for sigma in (1e-3, 1.0, 1e6):
        first, *others = (values(name, ratios, sigma) / sigma for name in names)
        for other in others:
            assert error(other, first) < 2e-12


def test_free_and_nearly_free_models(backend: str) -> None:
    """Infinite values tie with each other and with nothing else."""
    tiny = 5e-324
    for costs, sigmas, expected in (
        ([0.0, 1.0, 0.0], [0.1, 0.1, 0.1], 0),
        ([tiny, 1.0, 0.0], [0.1, 0.1, 0.1], 2),
        ([0.0, 1.0, 0.0], [0.0, 0.1, tiny], 2),
        ([0.0, 1.0, tiny], [0.0, 0.1, 0.1], 2),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 1),
    ):
        qualities = [[0.1, 0.9, 0.2]]
        selection = headrace.batch_select(
            qualities, costs, 1.0, sigmas=sigmas, strategy="index", backend=backend
        )
        assert selection.next_model[0] == expected
        # What has run is closed, whatever it would be worth.
        ran = np.arange(3)[None, :] == expected
        again = headrace.batch_select(
            qualities, costs, 1.0, sigmas=sigmas, ran=ran, strategy="index", backend=backend
        )
        reference = headrace.batch_select(
            qualities, costs, 1.0, sigmas=sigmas, ran=ran, strategy="index", backend="reference"
        )
        assert again.next_model[0] == reference.next_model[0] != expected
        assert again.tradeoff[0] == reference.tradeoff[0]


def test_a_free_model_is_run_however_far_below(backend: str) -> None:
    """Its reservation value is infinite, though the excess underflows at the level of the other."""
    selection = headrace.batch_select(
        [[0.75, 0.5]], [1e-120, 0.0], 1.0, sigmas=[3e8, 1.875e8], strategy="index", backend=backend
    )
    assert selection.next_model[0] == 1
    assert selection.upper_bound[0] == np.inf
