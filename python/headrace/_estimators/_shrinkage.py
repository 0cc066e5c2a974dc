"""A covariance of qualities and evidence, from few rows and with gaps.

Moments of the cells that are there, shrunk towards a structure by the closed-form weight that
minimises the expected squared error, and made positive semidefinite.

References
----------
O. Ledoit, M. Wolf (2004), Honey, I shrunk the sample covariance matrix, Journal of Portfolio
Management 30(4), 110-119.
J. Schaefer, K. Strimmer (2005), A shrinkage approach to large-scale covariance matrix estimation,
Statistical Applications in Genetics and Molecular Biology 4(1), 32.
"""

from __future__ import annotations

import numpy as np

from headrace._problem import Bools, Floats


def moments(residuals: Floats) -> tuple[Floats, Floats]:
    """Return the covariance over available cells, and the sampling variance of each entry.

    Residuals (n, p) have mean zero; NaN where missing.
    """
    known = ~np.isnan(residuals)
    values = np.where(known, residuals, 0.0)
    mask = known.astype(float)
    count = np.maximum(mask.T @ mask, 1.0)
    covariance = values.T @ values / count
    squares = values**2
    noise = np.maximum(squares.T @ squares / count - covariance**2, 0.0) / count
    if not known.all():
        covariance = positive_semidefinite(covariance)
    return covariance, noise


def shrinkage_weight(sample: Floats, noise: Floats, target: Floats, cells: Bools) -> float:
    """Return the weight of the target, between 0 and 1, from these cells."""
    distance = float(((sample - target)[cells] ** 2).sum())
    if distance <= 0.0:
        return 1.0
    return min(1.0, float(noise[cells].sum()) / distance)


def block_target(covariance: Floats, k: int) -> Floats:
    """Return a covariance of few parameters, with the same variances.

    Variables are blocks of ``k``, one for each model. Between two blocks there is one correlation
    for pairs of the same model and one for all other pairs, each the mean of what is found.
    """
    deviations = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    moving = deviations > 0.0
    inverse = np.where(moving, 1.0 / np.where(moving, deviations, 1.0), 0.0)
    correlation = covariance * np.outer(inverse, inverse)
    target: Floats = np.zeros(covariance.shape)
    same = np.eye(k, dtype=bool)
    for i in range(0, len(covariance), k):
        for j in range(0, len(covariance), k):
            block = correlation[i : i + k, j : j + k]
            live = np.outer(moving[i : i + k], moving[j : j + k])
            for cells in (same & live, ~same & live):
                if cells.any():
                    target[i : i + k, j : j + k][cells] = block[cells].mean()
    target *= np.outer(deviations, deviations)
    np.fill_diagonal(target, deviations**2)
    return target


def pooled(values: Floats, noise: Floats) -> Floats:
    """Shrink values, one for each model, towards their common mean.

    ``noise`` is the sampling variance of each. What they differ beyond it is estimated as in a
    meta-analysis with random effects (DerSimonian and Laird, 1986).
    """
    usable = np.isfinite(values) & np.isfinite(noise) & (noise > 0.0)
    if usable.sum() < 3:
        return values
    x, error = values[usable], noise[usable]
    error = np.maximum(error, 1e-6 * error.max())
    weight = 1.0 / error
    total = weight.sum()
    mean = (weight * x).sum() / total
    excess = (weight * (x - mean) ** 2).sum() - (len(x) - 1)
    spare = total - (weight**2).sum() / total
    spread = max(0.0, excess / spare) if spare > 0.0 else 0.0
    weight = 1.0 / (error + spread)
    mean = (weight * x).sum() / weight.sum()
    shrunk = values.copy()
    shrunk[usable] = mean + spread / (spread + error) * (x - mean)
    return shrunk


def pooled_lines(values: Floats, quality: Floats) -> tuple[Bools, Floats, Floats]:
    """Regress values (n, k) on quality (n, k), a line for each model, shrunk towards a common one.

    Returns the cells that are there, the slopes (k,), and what to add to the mean of
    ``values - slope * quality`` of each model to shrink its intercept too.
    """
    known = ~np.isnan(quality) & ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    q = np.where(known, quality, 0.0)
    e = np.where(known, values, 0.0)
    mean_q, mean_e = q.sum(axis=0) / count, e.sum(axis=0) / count
    q, e = np.where(known, q - mean_q, 0.0), np.where(known, e - mean_e, 0.0)
    square = (q**2).sum(axis=0)
    varied = square > 1e-12 * np.maximum((quality**2).max(initial=0.0, where=known), 1e-300) * count
    square = np.where(varied, square, np.inf)
    raw = (q * e).sum(axis=0) / square
    noise = ((e - raw * q) ** 2).sum(axis=0) / np.maximum(count - 2, 1)
    slope = pooled(np.where(varied, raw, np.nan), noise / square)
    slope = np.where(varied, slope, 0.0)
    centre = mean_q.mean()
    height = mean_e + slope * (centre - mean_q)
    error = noise * (1.0 / count + (centre - mean_q) ** 2 / square)
    shift = pooled(np.where(varied, height, np.nan), np.where(varied, error, np.nan)) - height
    return known, slope, np.where(varied, shift, 0.0)


def varies(values: Floats) -> Bools:
    """Say which columns of values (n, k), NaN where missing, vary by more than rounding."""
    there = ~np.isnan(values)
    largest = np.max(values, axis=0, where=there, initial=-np.inf)
    smallest = np.min(values, axis=0, where=there, initial=np.inf)
    magnitude = np.max(np.abs(values), axis=0, where=there, initial=0.0)
    spread: Bools = largest - smallest > 1e-12 * magnitude
    return spread


def positive_semidefinite(matrix: Floats) -> Floats:
    """Return the nearest positive semidefinite matrix, with the diagonal that it had."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= 0.0:
        return matrix
    clipped = (vectors * np.maximum(values, 0.0)) @ vectors.T
    diagonal = np.diag(clipped)
    ratio = np.diag(matrix) / np.where(diagonal > 0.0, diagonal, 1.0)
    scale = np.sqrt(np.maximum(ratio, 0.0))
    scaled: Floats = clipped * np.outer(scale, scale)
    return 0.5 * (scaled + scaled.T)
