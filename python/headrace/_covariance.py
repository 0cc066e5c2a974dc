"""Cholesky factors of positive semi-definite matrices, with the same bits for every batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SYMMETRY_TOLERANCE = 1e-10
"""Largest difference across the diagonal, relative to the largest entry of the matrix."""
RESIDUAL_TOLERANCE = 1e-8
"""Largest |A - L L^T| at (i, j), relative to sqrt(A_ii A_jj)."""
NUDGE = 1e-10
"""Relative increase of the variances when a matrix is tried again.

Rounding errors grow with the condition of a leading block; rarely, a singular matrix fails.
"""
CHUNK_ENTRIES = 2**15
"""Matrices are factorised in chunks of about this many entries, which stay in the cache."""


def lower_cholesky(covariance: Floats) -> Floats:
    """Lower Cholesky factors of symmetric positive semi-definite matrices.

    Outer-product form, without pivoting: after each column of L its outer product is subtracted
    from the rest of the matrix. A pivot at rounding level gives a zero column, so that singular
    matrices (a model without uncertainty, two models that move together) have a factor as well.
    Only elementwise operations are used: the bits of a factor do not depend on its batch.

    Parameters
    ----------
    covariance : array of shape (m, k, k)
        Finite; only the lower triangles count, up to the check of the symmetry.

    Returns
    -------
    array of shape (m, k, k)
        L with zeros above the diagonal and |A - L L^T| at (i, j) within 1e-8 sqrt(A_ii A_jj), where
        a variance counts as not below the rounding level of the largest one.

    Raises
    ------
    ValueError
        If a matrix is not symmetric or not positive semi-definite; the first such is named.

    References
    ----------
    G. H. Golub and C. F. Van Loan (2013), Matrix Computations, 4th ed., section 4.2.
    """
    n_matrices, n_models, _ = covariance.shape
    factors = covariance.copy()
    chunk = max(1, CHUNK_ENTRIES // n_models**2)
    for start in range(0, n_matrices, chunk):
        part = slice(start, start + chunk)
        difference = np.abs(covariance[part] - covariance[part].swapaxes(1, 2)).max(axis=(1, 2))
        largest = np.abs(covariance[part]).max(axis=(1, 2))
        faulty = difference > SYMMETRY_TOLERANCE * largest
        unsure = np.flatnonzero(_factorise(factors[part]))
        if unsure.size:
            again = covariance[part][unsure] * (1.0 + NUDGE * np.eye(n_models))
            faulty[unsure] |= _factorise(again)
            factors[start + unsure] = again
        if faulty.any():
            index = start + int(np.argmax(faulty))
            name = f"covariance[{index}]" if n_matrices > 1 else "covariance"
            raise ValueError(f"{name} must be {_fault(covariance[index])}")
    return factors


def _factorise(matrices: Floats) -> Bools:
    """Replace lower triangles by Cholesky factors; return which were not semi-definite.

    What remains of a semi-definite matrix after each step is semi-definite, so that
    a_ij^2 <= a_ii a_jj. Entries that break this within the tolerance are cut to the bound, which
    keeps the rounding errors of singular matrices from growing; beyond it is a fault. A column is
    negligible if its pivot is at the rounding level of its variance, or if the variance itself is
    noise: at the rounding level of the largest one, with covariances that do not fit it.
    """
    n_models = matrices.shape[1]
    rounding = 16 * n_models * np.finfo(np.float64).eps
    diagonal = np.diagonal(matrices, axis1=1, axis2=2).copy()
    largest = diagonal.max(axis=1, initial=0.0, keepdims=True)
    deviation = np.sqrt(np.maximum(diagonal, 0.0))
    scale = np.sqrt(np.maximum(diagonal, rounding * largest))
    faulty: Bools = (diagonal < -rounding * largest).any(axis=1)

    for j in range(n_models):
        pivot = np.sqrt(np.maximum(matrices[:, j, j, None], 0.0))
        column = matrices[:, j + 1 :, j]
        rest = matrices[:, j + 1 :, j + 1 :]
        bound = np.sqrt(np.maximum(np.diagonal(rest, axis1=1, axis2=2), 0.0))
        tolerance = RESIDUAL_TOLERANCE * scale[:, j, None] * scale[:, j + 1 :]
        size = np.abs(column)
        excess = size - pivot * bound
        faulty |= (excess > tolerance).any(axis=1)

        own = RESIDUAL_TOLERANCE * deviation[:, j, None] * deviation[:, j + 1 :]
        noise = (excess > own).any(axis=1)
        limit = np.where(noise, RESIDUAL_TOLERANCE * scale[:, j] ** 2, rounding * diagonal[:, j])
        negligible = (matrices[:, j, j] <= limit) & (size <= tolerance).all(axis=1)
        pivot[negligible] = 0.0
        positive = pivot > 0.0
        column[...] = np.where(positive, column, 0.0) / np.where(positive, pivot, 1.0)
        np.clip(column, -bound, bound, out=column)
        matrices[:, j, j] = pivot[:, 0]
        rest -= column[:, :, None] * column[:, None, :]
    matrices[...] = np.tril(matrices)
    return faulty


def _fault(matrix: Floats) -> str:
    """Say what a matrix should have been and where it is not."""
    difference = np.abs(matrix - matrix.T)
    if difference.max() > SYMMETRY_TOLERANCE * np.abs(matrix).max():
        i, j = np.unravel_index(int(np.argmax(difference)), matrix.shape)
        return f"symmetric, got {matrix[i, j]} at ({i}, {j}) and {matrix[j, i]} at ({j}, {i})"
    lowest = np.linalg.eigvalsh(matrix)[0]
    return f"positive semi-definite, got a smallest eigenvalue of {lowest:.6g}"
