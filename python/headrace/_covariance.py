"""Cholesky factors of positive semi-definite matrices, with the same bits for every batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrace._backends import cpp

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EPSILON = float(np.finfo(np.float64).eps)
CHUNK_ENTRIES = 2**15
"""Matrices are factorised in chunks of about this many entries, which stay in the cache."""
LARGEST_NAMED = 1024
"""For larger matrices no eigenvalue is computed to explain a fault: it would take seconds."""


@dataclass(frozen=True)
class Tolerances:
    """What rounding can do to a covariance of k models, given with a relative precision.

    Parameters
    ----------
    symmetry : float
        Largest difference across the diagonal, relative to the largest entry of the matrix.
    rounding : float
        A variance within this of zero, relative to its own or to the largest one, may be zero:
        entries that are off by half a unit in the last place change the eigenvalues of a
        correlation matrix by k eps / 2 at the most, and sums of products lose a little more.
    residual : float
        Largest |A - L L^T| at (i, j), relative to sqrt(A_ii A_jj).
    nudge : float
        Relative increase of the variances when a matrix is tried again. Rounding errors grow with
        the condition of a leading block; rarely, a singular matrix fails.
    """

    symmetry: float
    rounding: float
    residual: float
    nudge: float

    @classmethod
    def of(cls, n_models: int, epsilon: float) -> Tolerances:
        """Return the tolerances for entries of a dtype with this ``eps``."""
        rounding = 2 * n_models * epsilon
        return cls(
            symmetry=max(1e-10, 16 * epsilon),
            rounding=rounding,
            residual=max(1e-8, 4 * rounding),
            nudge=max(1e-10, rounding),
        )


def lower_cholesky(covariance: Floats, epsilon: float = EPSILON, n_threads: int = 1) -> Floats:
    """Lower Cholesky factors of symmetric positive semi-definite matrices.

    Outer-product form, without pivoting: after each column of L its outer product is subtracted
    from the rest of the matrix. A pivot at rounding level gives a zero column, so that singular
    matrices (a model without uncertainty, two models that move together) have a factor as well.
    Only elementwise operations are used: the bits of a factor do not depend on its batch, nor on
    who computes it. Where there is the extension it does, and NumPy says what is wrong.

    Parameters
    ----------
    covariance : array of shape (m, k, k)
        Finite; only the lower triangles count, up to the check of the symmetry.
    epsilon : float
        Relative precision of the entries: ``eps`` of the dtype that they were given in.
    n_threads : int
        Most threads of the extension.

    Returns
    -------
    array of shape (m, k, k)
        L with zeros above the diagonal and |A - L L^T| at (i, j) within
        max(1e-8, 8 k epsilon) sqrt(A_ii A_jj), where a variance counts as not below the rounding
        level of the largest one.

    Raises
    ------
    ValueError
        If a matrix is not symmetric or not positive semi-definite; the first such is named.

    References
    ----------
    G. H. Golub and C. F. Van Loan (2013), Matrix Computations, 4th ed., section 4.2.
    """
    if cpp.available() is None:
        try:
            return cpp.lower_cholesky(covariance, epsilon, n_threads)
        except ValueError:
            pass
    return plain_lower_cholesky(covariance, epsilon)


def plain_lower_cholesky(covariance: Floats, epsilon: float) -> Floats:
    """Return what `lower_cholesky` does, by NumPy."""
    n_matrices, n_models, _ = covariance.shape
    tolerances = Tolerances.of(n_models, epsilon)
    factors = np.empty_like(covariance)
    chunk = max(1, CHUNK_ENTRIES // n_models**2)
    for start in range(0, n_matrices, chunk):
        given = covariance[start : start + chunk]
        part = factors[start : start + chunk]
        part[...] = given
        difference = np.abs(given - given.swapaxes(1, 2)).max(axis=(1, 2))
        faulty = difference > tolerances.symmetry * np.abs(given).max(axis=(1, 2))
        unsure = np.flatnonzero(_factorise(part, tolerances))
        if unsure.size:
            again = given[unsure] * (1.0 + tolerances.nudge * np.eye(n_models))
            faulty[unsure] |= _factorise(again, tolerances)
            part[unsure] = again
        if faulty.any():
            index = start + int(np.argmax(faulty))
            name = f"covariance[{index}]" if n_matrices > 1 else "covariance"
            raise ValueError(f"{name} must be {_fault(covariance[index], tolerances)}")
    return factors


def _factorise(matrices: Floats, tolerances: Tolerances) -> Bools:
    """Replace lower triangles by Cholesky factors; return which were not semi-definite.

    What remains of a semi-definite matrix after each step is semi-definite, so that
    a_ij^2 <= a_ii a_jj. Entries that break this within the tolerance are cut to the bound, which
    keeps the rounding errors of singular matrices from growing; beyond it is a fault. A column is
    negligible if its pivot is at its rounding level, or if the variance itself is noise: at the
    rounding level of the largest one, with covariances that do not fit it.
    """
    n_models = matrices.shape[1]
    rounding, residual = tolerances.rounding, tolerances.residual
    diagonal = np.diagonal(matrices, axis1=1, axis2=2).copy()
    largest = diagonal.max(axis=1, initial=0.0, keepdims=True)
    deviation = np.sqrt(np.maximum(diagonal, 0.0))
    scale = np.sqrt(np.maximum(diagonal, rounding * largest))
    faulty: Bools = (diagonal < -rounding * largest).any(axis=1)

    for j in range(n_models):
        variance = matrices[:, j, j].copy()
        pivot = np.sqrt(np.maximum(variance, 0.0))[:, None]
        column = matrices[:, j + 1 :, j]
        rest = matrices[:, j + 1 :, j + 1 :]
        others = np.diagonal(rest, axis1=1, axis2=2)
        tolerance = residual * scale[:, j, None] * scale[:, j + 1 :]
        size = np.abs(column)
        excess = size - pivot * np.sqrt(np.maximum(others, 0.0))
        faulty |= (excess > tolerance).any(axis=1)

        own = residual * deviation[:, j, None] * deviation[:, j + 1 :]
        noise = (excess > own).any(axis=1)
        level = rounding * diagonal[:, j]
        most = residual * diagonal[:, j]
        close = np.flatnonzero((level < variance) & (variance <= most))
        if close.size:
            growth = _growth(matrices[close, : j + 1, : j + 1], deviation[close, : j + 1])
            level[close] = np.minimum(rounding * growth**2, most[close])
        limit = np.where(noise, residual * scale[:, j] ** 2, level)
        negligible = (variance <= limit) & (size <= tolerance).all(axis=1)
        pivot[negligible] = 0.0
        positive = pivot > 0.0
        column[...] = np.where(positive, column, 0.0) / np.where(positive, pivot, 1.0)
        # Within the rounding level, an entry is more accurate than its bound.
        bound = np.sqrt(np.maximum(others + rounding * diagonal[:, j + 1 :], 0.0))
        np.clip(column, -bound, bound, out=column)
        column += 0.0  # no negative zero
        matrices[:, j, j] = pivot[:, 0]
        rest -= column[:, :, None] * column[:, None, :]
    matrices[...] = np.tril(matrices)
    return faulty


def _growth(factors: Floats, deviation: Floats) -> Floats:
    """How far rounding errors have grown in the pivot of the last rows.

    The pivot is x^T A x with x = (-L^-T l, 1), where L is the factor so far and l what stands
    beside it in the last row. Changes of the entries within e sqrt(A_ii A_jj) therefore change it
    by e (sum over i of |x_i| sqrt(A_ii))^2 at the most; the root of that without e is returned.
    """
    last = factors.shape[1] - 1
    solution = factors[:, last, :last].copy()
    growth: Floats = deviation[:, last].copy()
    for i in range(last - 1, -1, -1):
        pivot = factors[:, i, i]
        positive = pivot > 0.0
        x = np.where(positive, solution[:, i], 0.0) / np.where(positive, pivot, 1.0)
        growth += np.abs(x) * deviation[:, i]
        solution[:, :i] -= factors[:, i, :i] * x[:, None]
    return growth


def _fault(matrix: Floats, tolerances: Tolerances) -> str:
    """Say what a matrix should have been and where it is not."""
    difference = np.abs(matrix - matrix.T)
    if difference.max() > tolerances.symmetry * np.abs(matrix).max():
        i, j = np.unravel_index(int(np.argmax(difference)), matrix.shape)
        return f"symmetric, got {matrix[i, j]} at ({i}, {j}) and {matrix[j, i]} at ({j}, {i})"
    if len(matrix) > LARGEST_NAMED:
        return "positive semi-definite"
    lowest = np.linalg.eigvalsh(matrix)[0]
    return f"positive semi-definite, got a smallest eigenvalue of {lowest:.6g}"
