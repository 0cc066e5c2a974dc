"""Latent classes of queries: which models tend to be right together.

Within a class, the models are right independently of each other. Fitted by expectation
maximisation; the log-odds of each class and model deviate from those that the features lead to
expect by a normally distributed step, which smooths them.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from headrace._estimators._calibration import logit, sigmoid
from headrace._log import Integers
from headrace._problem import Floats
from headrace._state import Array, Kind

SMALLEST_PRIOR = 0.005
"""Expected qualities are kept this far from 0 and 1."""
STEP_PRECISION = 0.25
N_ITERATIONS = 60
FEW_ROWS = 64
ROWS_TO_CHOOSE = 1500
"""Enough to choose the number of classes by."""


class Priors:
    """What features lead to expect of the qualities, each row that there is once.

    Attributes
    ----------
    distinct : array of shape (D, k)
        Kept from 0 and 1.
    place : int64 array of shape (n,)
        Of each query in it.
    """

    def __init__(self, prior: Floats) -> None:
        expected = np.clip(prior, SMALLEST_PRIOR, 1.0 - SMALLEST_PRIOR)
        self.distinct, place = np.unique(expected, axis=0, return_inverse=True)
        self.place: Integers = place.ravel().astype(np.int64)

    @cached_property
    def queries(self) -> list[Integers]:
        """The queries of each distinct row."""
        return [np.flatnonzero(self.place == number) for number in range(len(self.distinct))]

    @property
    def are_few(self) -> bool:
        """Whether queries are so few kinds that each may be looked at by itself."""
        return len(self.distinct) <= FEW_ROWS


class LatentClasses:
    """A mixture of ``len(weights_)`` classes for 0/1 qualities (n, k).

    Attributes
    ----------
    weights_ : array of shape (C,)
    steps_ : array of shape (C, k)
        What a class adds to the log-odds.
    """

    weights_: Floats
    steps_: Floats

    STATE: ClassVar[dict[str, Kind]] = {
        "weights_": Array("f", ("c",)),
        "steps_": Array("f", ("c", "k")),
    }

    def fit(self, quality: Floats, prior: Floats, n_classes: int, seed: int) -> LatentClasses:
        """Learn from qualities, NaN where missing, and what features lead to expect of them."""
        n, k = quality.shape
        known = ~np.isnan(quality)
        right, wrong = right_and_wrong(quality)
        rng = np.random.default_rng(seed)
        self.weights_ = np.full(n_classes, 1.0 / n_classes)
        self.steps_ = np.zeros((n_classes, k))
        if n_classes == 1:
            return self
        surplus = np.where(known, quality - prior, 0.0).mean(axis=1)
        level = (np.argsort(np.argsort(surplus + rng.normal(0.0, 0.3, n))) + 0.5) / n * n_classes
        member = np.eye(n_classes)[np.minimum(level.astype(int), n_classes - 1)]
        member = 0.8 * member + 0.2 * rng.dirichlet(np.ones(n_classes), n)
        before = -np.inf
        priors = Priors(prior)
        n_steps = 4 if priors.are_few else 2  # a few will do on the way
        for _ in range(N_ITERATIONS):
            self.weights_ = (member.sum(axis=0) + 1.0) / (n + n_classes)
            chances = self.chances(priors, n_steps)
            if priors.are_few:
                count = np.stack(
                    [member[some].T @ known[some].astype(float) for some in priors.queries]
                )
                expected = (count * chances).sum(axis=0)
                curve = (count * chances * (1.0 - chances)).sum(axis=0)
            else:
                there = known[:, None] * chances[priors.place]
                expected = np.einsum("nc,nck->ck", member, there)
                curve = np.einsum("nc,nck->ck", member, there * (1.0 - there))
            gradient = member.T @ right - expected - STEP_PRECISION * self.steps_
            step = gradient / (curve + STEP_PRECISION)
            self.steps_ = self.steps_ + np.clip(step, -1.0, 1.0)
            member, total = self.members(priors, right, wrong, n_steps)
            if total - before < 1e-4 * n:
                break
            before = total
        return self

    def members(
        self, priors: Priors, right: Floats, wrong: Floats, n_steps: int = 4
    ) -> tuple[Floats, float]:
        """Return the probabilities of the classes (n, C) and the log-likelihood."""
        chances = self.chances(priors, n_steps)
        if len(chances) == 1:
            log = right @ np.log(chances[0]).T + wrong @ np.log1p(-chances[0]).T
        elif priors.are_few:
            log = np.empty((len(right), len(self.weights_)))
            for some, chance in zip(priors.queries, chances, strict=True):
                log[some] = right[some] @ np.log(chance).T + wrong[some] @ np.log1p(-chance).T
        else:
            log = np.einsum("nk,nck->nc", right, np.log(chances)[priors.place])
            log += np.einsum("nk,nck->nc", wrong, np.log1p(-chances)[priors.place])
        log += np.log(self.weights_)
        top = log.max(axis=1, keepdims=True)
        joint = np.exp(log - top)
        total = joint.sum(axis=1, keepdims=True)
        return joint / total, float((np.log(total) + top).sum())

    def chances(self, priors: Priors, n_steps: int = 4) -> Floats:
        """Return the probability right in each class, shape (D, C, k).

        Its mean is the prior, met by Newton's method.
        """
        odds = logit(priors.distinct)
        for _ in range(n_steps if len(self.weights_) > 1 else 0):
            p = sigmoid(odds[:, None] + self.steps_)
            slope = np.einsum("c,nck->nk", self.weights_, p * (1.0 - p))
            gap = priors.distinct - np.einsum("c,nck->nk", self.weights_, p)
            odds = odds + np.clip(gap / np.maximum(slope, 1e-3), -2.0, 2.0)
        return np.clip(sigmoid(odds[:, None] + self.steps_), 1e-4, 1.0 - 1e-4)


def right_and_wrong(quality: Floats) -> tuple[Floats, Floats]:
    """Return 1 where an answer is right, and where it is wrong; 0 elsewhere and where missing."""
    known = ~np.isnan(quality)
    return np.where(known, quality, 0.0), np.where(known, 1.0 - quality, 0.0)


def choose_classes(
    quality: Floats, prior: Floats, candidates: tuple[int, ...], n_folds: int = 4
) -> int:
    """Return the number of classes with the best held-out likelihood."""
    if len(quality) > ROWS_TO_CHOOSE:
        some = np.linspace(0, len(quality) - 1, ROWS_TO_CHOOSE).round().astype(int)
        quality, prior = quality[some], prior[some]
    fold = np.random.default_rng(0).permutation(len(quality)) % n_folds
    best, best_value = 1, -np.inf
    for n_classes in candidates:
        value = 0.0
        for number in range(n_folds):
            learn, hold = fold != number, fold == number
            if not learn.any() or not hold.any():
                continue
            classes = LatentClasses().fit(quality[learn], prior[learn], n_classes, seed=0)
            value += classes.members(Priors(prior[hold]), *right_and_wrong(quality[hold]))[1]
        if value > best_value:
            best, best_value = n_classes, value
    return best


def average_of(fits: list[LatentClasses]) -> LatentClasses:
    """Return the mixture of several fits: their mean as a distribution."""
    mixed = LatentClasses()
    mixed.weights_ = np.concatenate([one.weights_ for one in fits]) / len(fits)
    mixed.steps_ = np.concatenate([one.steps_ for one in fits])
    return mixed
