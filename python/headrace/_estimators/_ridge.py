"""Ridge regression on features after group means, both shrunk by what the data say.

Group means are shrunk towards the mean of all as in a one-way model with random effects, its
variances from moments. The ridge penalty minimises generalised cross-validation. Both are chosen
for each principal axis of the targets: what all targets share is learned from all of them, and what
tells them apart only as far as the data support it. All in closed form; residuals as if each row
had been left out cost nothing more.

References
----------
G. H. Golub, M. Heath, G. Wahba (1979), Generalized cross-validation as a method for choosing a good
ridge parameter, Technometrics 21(2), 215-223.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from headrace._log import Integers
from headrace._problem import Floats
from headrace._state import Array, Kind

PENALTIES = np.append(np.geomspace(1e-6, 1e4, 31), np.inf)
"""Candidates, in units of the largest squared singular value."""


class GroupRidge:
    """Linear in features within groups, for many targets at once; NaN where a target is missing.

    Attributes
    ----------
    means_ : array of shape (G + 1, k)
        Shrunk mean of each group; the last row is for unseen groups.
    coefficients_ : array of shape (d, k)
    residuals_ : array of shape (n, k)
        Of the training rows, each as if it had been left out; NaN where the target is missing.
    """

    means_: Floats
    coefficients_: Floats
    residuals_: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "centres_": Array("f", ("g + 1", "d")),
        "scale_": Array("f", ("d",)),
        "means_": Array("f", ("g + 1", "k")),
        "coefficients_": Array("f", ("d", "k")),
    }

    def fit(self, features: Floats, codes: Integers, n_groups: int, targets: Floats) -> GroupRidge:
        """Learn from features (n, d), group codes below ``n_groups`` and targets (n, k)."""
        d, k = features.shape[1], targets.shape[1]
        self.centres_ = _group_means(features, codes, n_groups)
        centred = features - self.centres_[codes]
        scale = centred.std(axis=0)
        tiny = 1e-12 * np.maximum(np.abs(features).max(axis=0, initial=0.0), 1e-300)
        self.scale_ = np.where(scale > tiny, scale, np.inf)
        centred = centred / self.scale_
        self.means_ = np.zeros((n_groups + 1, k))
        self.coefficients_ = np.zeros((d, k))
        self.residuals_ = np.full(targets.shape, np.nan)
        known = ~np.isnan(targets)
        patterns, pattern = np.unique(known, axis=1, return_inverse=True)
        for number in range(patterns.shape[1]):
            rows = np.flatnonzero(patterns[:, number])
            columns = np.flatnonzero(pattern.ravel() == number)
            if len(rows):
                self._fit_block(centred, codes, n_groups, targets, rows, columns)
        return self

    def _fit_block(
        self,
        centred: Floats,
        codes: Integers,
        n_groups: int,
        targets: Floats,
        rows: Integers,
        columns: Integers,
    ) -> None:
        """Fit the targets that are known on just these rows, along their principal axes."""
        code, y = codes[rows], targets[np.ix_(rows, columns)]
        around = y - y.mean(axis=0)
        axes = np.linalg.eigh(around.T @ around)[1]
        y = y @ axes
        means, leverage, degrees = _shrunk_means(y, code, n_groups)
        self.means_[:, columns] = means @ axes.T
        left = y - means[code]
        hat = leverage[code]
        if centred.shape[1]:
            u, s, vt = np.linalg.svd(centred[rows], full_matrices=False)
            keep = s > 1e-10 * max(s[0], 1e-300)
            u, s, vt = u[:, keep], s[keep], vt[keep]
            if len(s):
                projected = u.T @ left
                factor = s[:, None] ** 2 / (s[:, None] ** 2 + PENALTIES * s[0] ** 2)
                gone = np.einsum("dp,dk->pk", 2.0 * factor - factor**2, projected**2)
                rest = np.maximum((left**2).sum(axis=0) - gone, 0.0)
                freedom = len(rows) - degrees - factor.sum(axis=0)[:, None]
                score = np.where(freedom > 0.5, rest / np.maximum(freedom, 0.5) ** 2, np.inf)
                best = factor[:, score.argmin(axis=0)]
                self.coefficients_[:, columns] = vt.T @ (best / s[:, None] * projected) @ axes.T
                left = left - u @ (best * projected)
                hat = hat + u**2 @ best
        left = left / np.maximum(1.0 - hat, 0.1)
        self.residuals_[np.ix_(rows, columns)] = left @ axes.T

    def predict(self, features: Floats, codes: Integers) -> Floats:
        """Return the expected targets, shape (n, k)."""
        centred = (features - self.centres_[codes]) / self.scale_
        return self.means_[codes] + centred @ self.coefficients_


def _group_means(values: Floats, codes: Integers, n_groups: int) -> Floats:
    """Mean of each group; of all in the last row."""
    means = np.tile(values.mean(axis=0), (n_groups + 1, 1))
    for group in range(n_groups):
        members = values[codes == group]
        if len(members):
            means[group] = members.mean(axis=0)
    return means


def _shrunk_means(y: Floats, codes: Integers, n_groups: int) -> tuple[Floats, Floats, Floats]:
    """Return means (G + 1, k), leverage of a row of each group (G + 1, k), degrees (k,)."""
    n, k = y.shape
    grand = y.mean(axis=0)
    means, leverage = np.tile(grand, (n_groups + 1, 1)), np.full((n_groups + 1, k), 1.0 / n)
    if n_groups < 2 or n < 3:
        return means, leverage, np.ones(k)
    size = np.bincount(codes, minlength=n_groups + 1)[:n_groups].astype(float)
    sums = np.stack([y[codes == group].sum(axis=0) for group in range(n_groups)])
    filled = size > 0
    raw = sums / np.maximum(size, 1.0)[:, None]
    between = (size[:, None] * (raw - grand) ** 2).sum(axis=0)
    within = np.maximum(((y - grand) ** 2).sum(axis=0) - between, 0.0)
    n_filled = int(filled.sum())
    noise = within / max(n - n_filled, 1)
    spread = max(size.sum() - (size**2).sum() / max(size.sum(), 1.0), 1e-300)
    signal = np.maximum((between - (n_filled - 1) * noise) / spread, 0.0)
    total = signal * size[:, None] + noise
    weight = np.where(total > 0.0, signal * size[:, None] / np.where(total > 0.0, total, 1.0), 0.0)
    share = weight / np.maximum(size, 1.0)[:, None]
    centre = np.where(
        share.sum(axis=0) > 0.0,
        (share * sums / np.maximum(size, 1.0)[:, None]).sum(axis=0)
        / np.where(share.sum(axis=0) > 0.0, share.sum(axis=0), 1.0),
        grand,
    )
    means[:n_groups] = centre + weight * (raw - centre)
    means[n_groups] = centre
    leverage[:n_groups] = np.maximum(share, 1.0 / n)
    return means, leverage, 1.0 + weight.sum(axis=0)
