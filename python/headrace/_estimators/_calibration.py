"""What a signal says of the answer that it came with: a regression of quality on signals.

For each model by itself, logistic where qualities lie between 0 and 1, else linear. Where queries
have groups, each group has its own intercept and slopes, shrunk towards those of all the queries;
how far is chosen by the evidence in Laplace's approximation, for all models together.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from headrace._log import Integers
from headrace._problem import Bools, Floats
from headrace._state import Array, Kind, Value

PRECISIONS = (0.3, 1.0, 4.0, 16.0, 64.0, 1e4)
"""Candidates for the prior precision of a group's deviation (inputs are standardised)."""
SLOPE_PRECISION = 0.01
SMALLEST_NOISE = 1e-8
"""Share of the variance of quality: signals that say it all would leave nothing else to go by."""
MODELS_FOR_EVIDENCE = 24


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def logit(shares: Floats) -> Floats:
    """Return the log-odds of shares strictly between 0 and 1."""
    return np.log(shares) - np.log1p(-shares)


class Calibration:
    """Regressions of quality (n, k) on inputs (n, k, m), one for each model.

    Attributes
    ----------
    intercepts_ : array of shape (G + 1, k)
    slopes_ : array of shape (G + 1, k, m)
        For each group, and for unseen ones in the last row; of standardised inputs.
    logistic : bool
    """

    STATE: ClassVar[dict[str, Kind]] = {
        "logistic": Value((bool,)),
        "centre_": Array("f", ("k", "m")),
        "scale_": Array("f", ("k", "m")),
        "intercepts_": Array("f", ("g + 1", "k")),
        "slopes_": Array("f", ("g + 1", "k", "m")),
    }

    def __init__(self, logistic: bool) -> None:
        self.logistic = logistic

    def fit(self, inputs: Floats, codes: Integers, n_groups: int, quality: Floats) -> Calibration:
        """Learn; cells with NaN in quality or inputs are left out."""
        _, k, m = inputs.shape
        known: Bools = ~np.isnan(quality) & ~np.isnan(inputs).any(axis=2)
        blank = np.where(known[:, :, None], inputs, 0.0)
        count = np.maximum(known.sum(axis=0), 1)[:, None]
        self.centre_ = blank.sum(axis=0) / count
        spread = np.where(known[:, :, None], inputs - self.centre_, 0.0)
        scale = np.sqrt((spread**2).sum(axis=0) / count)
        tiny = 1e-9 * np.maximum(np.abs(blank).max(axis=0, initial=0.0), 1e-300)
        self.scale_ = np.where(scale > tiny, scale, np.inf)
        spread = spread / self.scale_
        self.intercepts_ = np.zeros((n_groups + 1, k))
        self.slopes_ = np.zeros((n_groups + 1, k, m))
        precision = PRECISIONS[-1]
        if n_groups:
            sample = np.unique(np.linspace(0, k - 1, MODELS_FOR_EVIDENCE).round().astype(int))
            evidence = [
                sum(
                    self._fit_model(spread[:, i], codes, n_groups, quality[:, i], known[:, i], p)[1]
                    for i in sample
                )
                for p in PRECISIONS
            ]
            precision = PRECISIONS[int(np.argmax(evidence))]
        for i in range(k):
            weights, _ = self._fit_model(
                spread[:, i], codes, n_groups, quality[:, i], known[:, i], precision
            )
            self.intercepts_[:, i] = weights[:, 0]
            self.slopes_[:, i] = weights[:, 1:]
        return self

    def _fit_model(
        self,
        inputs: Floats,
        codes: Integers,
        n_groups: int,
        quality: Floats,
        known: Bools,
        precision: float,
    ) -> tuple[Floats, float]:
        """Return weights (G + 1, 1 + m) and the log-evidence up to a constant."""
        x, y, code = inputs[known], quality[known], codes[known]
        n, m = x.shape
        n_weights = 1 + m
        base = np.column_stack([np.ones(n), x])
        design = np.zeros((n, n_weights * (n_groups + 1)))
        design[:, :n_weights] = base
        for group in range(n_groups):
            member = code == group
            place = n_weights * (group + 1)
            design[member, place : place + n_weights] = base[member]
        centre = (y.sum() + 0.5) / (n + 1.0) if self.logistic else (y.mean() if n else 0.0)
        prior = np.full(design.shape[1], precision)
        prior[:n_weights] = SLOPE_PRECISION
        prior[0] = 1.0 if self.logistic else 1e-6
        start = np.zeros(design.shape[1])
        start[0] = np.log(centre / (1.0 - centre)) if self.logistic else centre
        if self.logistic:
            weights, log_evidence = _newton(design, y, prior, start)
        else:
            weights, log_evidence = _least_squares(design, y, prior, start, n_weights)
        table = np.zeros((n_groups + 1, n_weights))
        table[-1] = weights[:n_weights]
        table[:n_groups] = weights[:n_weights] + weights[n_weights:].reshape(n_groups, n_weights)
        return table, log_evidence

    def scores(self, inputs: Floats, codes: Integers, models: Integers) -> Floats:
        """Return log-odds (or qualities, where linear) of inputs (n, r, m) of these models."""
        standard = (inputs - self.centre_[models]) / self.scale_[models]
        slopes = self.slopes_[:, models][codes]
        scores: Floats = self.intercepts_[:, models][codes] + (slopes * standard).sum(axis=2)
        return scores

    def predict(self, inputs: Floats, codes: Integers, models: Integers) -> Floats:
        """Return the expected quality given these inputs (n, r, m) of these models."""
        scores = self.scores(inputs, codes, models)
        return sigmoid(scores) if self.logistic else scores


def _newton(design: Floats, y: Floats, prior: Floats, start: Floats) -> tuple[Floats, float]:
    """Maximise the penalised log-likelihood of a logistic regression around ``start``."""

    def value(weights: Floats) -> float:
        scores = design @ weights
        fitted = (y * scores - np.logaddexp(0.0, scores)).sum()
        return float(fitted - 0.5 * (prior * (weights - start) ** 2).sum())

    weights, now = start.copy(), value(start)
    for _ in range(50):
        p = sigmoid(design @ weights)
        gradient = design.T @ (y - p) - prior * (weights - start)
        hessian = (design * (p * (1.0 - p))[:, None]).T @ design + np.diag(prior)
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while value(weights + scale * step) < now and scale > 1e-6:
            scale *= 0.5
        weights = weights + scale * step
        before, now = now, value(weights)
        if now - before < 1e-9 * (1.0 + abs(now)):
            break
    p = sigmoid(design @ weights)
    hessian = (design * (p * (1.0 - p))[:, None]).T @ design + np.diag(prior)
    log_evidence = now + 0.5 * np.log(prior).sum() - 0.5 * np.linalg.slogdet(hessian)[1]
    return weights, float(log_evidence)


def _least_squares(
    design: Floats, y: Floats, prior: Floats, start: Floats, n_pooled: int
) -> tuple[Floats, float]:
    """The same for a linear regression; the noise is that around the regression of all."""
    n = len(y)
    if not n:
        return start, 0.0
    pooled = design[:, :n_pooled]
    rest = y - pooled @ np.linalg.lstsq(pooled, y, rcond=None)[0]
    variance = max(float(y.var()), 1e-24)
    noise = max(float((rest**2).sum()) / max(n - n_pooled, 1), SMALLEST_NOISE * variance)
    precision = prior / variance
    hessian = design.T @ design / noise + np.diag(precision)
    weights = start + np.linalg.solve(hessian, design.T @ (y - design @ start) / noise)
    left = y - design @ weights
    fitted = -0.5 * float((left**2).sum()) / noise
    shrunk = -0.5 * float((precision * (weights - start) ** 2).sum())
    evidence = 0.5 * np.log(precision).sum() - 0.5 * np.linalg.slogdet(hessian)[1]
    return weights, float(fitted + shrunk + evidence)
