"""Probabilities of being right, by latent classes of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import check_integer, check_name
from headrace._estimators._calibration import logit
from headrace._estimators._classes import (
    LatentClasses,
    Priors,
    average_of,
    choose_classes,
    right_and_wrong,
)
from headrace._estimators._groups import Groups
from headrace._estimators._log_ratios import LogisticRatios, NormalRatios
from headrace._estimators._reveal_nodes import RevealNodes
from headrace._estimators._ridge import GroupRidge
from headrace._estimators._shifts import SignalShifts
from headrace._estimators.base import RIDGE, EstimatorBase, checked_features, run_set
from headrace._estimators.protocol import Estimates
from headrace._log import Integers, Queries, QueryLog
from headrace._problem import Floats
from headrace._state import Kind, Parameter, Part, StateError, Value

Self = TypeVar("Self", bound="BinaryEstimator")
Ratios = NormalRatios | LogisticRatios
Seen = tuple[SignalShifts, dict[int, Floats]]
"""Log-ratios (n,) of one kind by model, and what classes make of them."""

SIGNAL_MODELS = ("auto", "normal", "logistic")
CANDIDATES = (1, 2, 3, 4, 6, 8)
N_FITS = 4


class BinaryEstimator(EstimatorBase):
    """For quality that is 0 or 1: the probability of being right, given all signals.

    Queries fall into latent classes, in which some models tend to be right and others not; within a
    class, models are right independently of each other. A signal multiplies the odds that its own
    model is right, and the odds of the classes, which carry what it says to all the other models.
    A class also shifts the signals of right and wrong answers alike, as where models are unsure of
    hard queries. Features and groups set the probabilities before any signal.

    Parameters
    ----------
    n_classes : int or "auto"
        By default the number with the best held-out likelihood.
    signal_model : "auto", "normal" or "logistic"
        Of each model's signals: normal around a line in quality, where models are taken for
        relatives (for one signal a model); or a logistic regression of quality with slopes for each
        group. By default the one that predicts held-out rows better.
    own_features : int array-like of shape (k,) or (k, p), optional
        Columns of the features that tell of one model alone, such as a predicted quality of its
        answer: signals that are there from the start.
    cost_features : int array-like of shape (k,) or (k, p), optional
        Columns of the features that tell of the cost of one model alone.

    Attributes
    ----------
    n_classes_ : int
        Several fits from different starts are averaged, so that the mixture has more.

    Notes
    -----
    The stated spread is that of the change when a model runs by itself, from the distribution of
    its signal. Beliefs after a look are far from normal, so the estimates also come with their own
    distribution (``reveals``), by which decisions look ahead better than by the spread alone.
    How much classes shift signals is learned from the classes that the qualities of a query tell,
    so with few models it is underrated. An error that signals share without any tie to quality is
    no such shift: it counts as evidence, so that many signals claim too much.

    Examples
    --------
    >>> import numpy as np, headrace as hr
    >>> rng = np.random.default_rng(0)
    >>> easy = rng.random((600, 1)) < 0.5
    >>> quality = (rng.random((600, 2)) < np.where(easy, 0.95, 0.3)).astype(float)
    >>> signals = quality + 0.4 * rng.normal(size=(600, 2))
    >>> estimator = hr.BinaryEstimator().fit(hr.QueryLog(quality, [1.0, 2.0], signals=signals))
    >>> queries = hr.QueryLog([[0.0, 0.0]], [1.0, 2.0], signals=[[1.1, 0.0]]).queries
    >>> estimator.estimate(queries, ran=[]).qualities.round(1)
    array([[0.6, 0.6]])
    >>> estimator.estimate(queries, ran=[0]).qualities.round(1)  # one right: the other is likelier
    array([[1. , 0.8]])
    """

    n_classes_: int

    STATE: ClassVar[dict[str, Kind]] = {
        **EstimatorBase.STATE,
        "n_classes": Parameter(),
        "signal_model": Parameter(),
        "mean_": Part((GroupRidge,), sizes={**RIDGE, "d": "d"}),
        "ratios_": Part((NormalRatios, LogisticRatios), many=True, sizes=RIDGE),
        "reveals_": Part((RevealNodes,), optional=True, sizes=RIDGE),
        "n_classes_": Value((int,)),
        "classes_": Part((LatentClasses,), sizes={"c": "c", "k": "k"}),
        "shifts_": Part((SignalShifts,), many=True, sizes={"c": "c", "k": "k"}),
    }

    def __init__(
        self,
        n_classes: int | str = "auto",
        signal_model: str = "auto",
        own_features: ArrayLike | None = None,
        cost_features: ArrayLike | None = None,
    ) -> None:
        self.n_classes = n_classes
        self.signal_model = signal_model
        self.own_features = own_features
        self.cost_features = cost_features

    def refuse_nonsense(self) -> None:
        """Raise StateError if no fit can have learned this."""
        super().refuse_nonsense()
        due = bool(self.own_.shape[1]) + bool(self.n_signals_)
        if not len(self.ratios_) == len(self.shifts_) == due:
            raise StateError("ratios_ and shifts_ must be those of own features and of signals")

    def fit(self: Self, log: QueryLog) -> Self:
        """Learn from a log; cells without a quality are left out."""
        self._check_parameters()
        quality = log.quality
        other = ~np.isnan(quality) & (quality != 0.0) & (quality != 1.0)
        if other.any():
            row, column = (int(i) for i in np.argwhere(other)[0])
            raise ValueError(
                f"BinaryEstimator needs qualities 0 and 1, got {quality[row, column]} at index "
                f"{(row, column)}: use GaussianEstimator"
            )
        self._remember(log)
        self._fit_columns(log)
        n, k = quality.shape
        known = log.queries
        self.groups_ = Groups.of(known.groups)
        codes, n_groups = self.groups_.codes(known.groups, n), len(self.groups_)
        general = checked_features(known.features, self.general_, n)
        self._fit_cost(log, codes)
        self.mean_ = GroupRidge().fit(general, codes, n_groups, quality)
        prior = self._prior(general, codes)

        every = np.arange(k)
        inputs = self._inputs(known, every)
        self.ratios_ = [self._signal_model(one, codes, quality, prior) for one in inputs]
        ratios = [
            model.log_ratios(values, codes, every)
            for model, values in zip(self.ratios_, inputs, strict=True)
        ]
        self.reveals_ = None
        if self.n_signals_:
            seen = np.where(np.isnan(quality), np.nan, ratios[-1])
            self.reveals_ = RevealNodes.of(seen, codes, n_groups, prior)

        count = self.n_classes
        if count == "auto":
            count = choose_classes(quality, prior, CANDIDATES)
        self.n_classes_ = int(count)
        fits = [
            LatentClasses().fit(quality, prior, self.n_classes_, seed) for seed in range(N_FITS)
        ]
        self.classes_ = average_of(fits) if self.n_classes_ > 1 else fits[0]
        members, _ = self.classes_.members(Priors(prior), *right_and_wrong(quality))
        self.shifts_ = [SignalShifts().fit(one, quality, members) for one in ratios]
        return self

    def estimate(self, queries: Queries, ran: Sequence[int]) -> Estimates:
        """Return probabilities of being right given the signals of the models that have run."""
        columns = run_set(ran, queries.n_models)
        self._check_queries(queries, columns)
        n, k = len(queries), self.n_models_
        codes = self.groups_.codes(queries.groups, n)
        general = checked_features(queries.features, self.general_, n)
        seen: list[Seen] = []
        for number, values in enumerate(self._inputs(queries, columns)):
            early = number < len(self.ratios_) - bool(self.n_signals_)
            models = np.arange(k) if early else columns
            ratios = self.ratios_[number].log_ratios(values, codes, models)
            by_model = dict(zip(models.tolist(), ratios.T, strict=True))
            seen.append((self.shifts_[number], by_model))
        qualities = self._posterior(self._prior(general, codes), seen)
        sigmas = np.zeros((n, k))
        if self.reveals_ is not None:
            sigmas = self.reveals_.spread(qualities, codes)
            sigmas[:, columns] = 0.0
        reveals = None if self.reveals_ is None else self.reveals_.of_queries(codes)
        return Estimates(qualities, self._costs(queries, codes), sigmas=sigmas, reveals=reveals)

    def _check_parameters(self) -> None:
        check_name("signal_model", self.signal_model, SIGNAL_MODELS)
        if self.n_classes != "auto":
            check_integer("n_classes", self.n_classes, 1)

    def reservation_values(self, queries: Queries, ran: Sequence[int], prices: ArrayLike) -> Floats:
        """Return the reservation values of the index rule, from the distribution of signals.

        Parameters
        ----------
        queries : Queries
        ran : sequence of int
            The models that have run.
        prices : array-like that fits shape (n, k)
            The price of running each model, in units of quality: ``lambda_`` times its cost.

        Returns
        -------
        array of shape (n, k)
            ``z`` with E[(X - z)+] equal to the price, X being the estimate after the run; the
            estimate itself of models that have run.
        """
        estimates = self.estimate(queries, ran)
        price = np.broadcast_to(np.asarray(prices, dtype=float), estimates.qualities.shape)
        if estimates.reveals is None:
            without: Floats = estimates.qualities - price
            return without
        values = estimates.reveals.reservation_values(estimates.qualities, price)
        columns = run_set(ran, queries.n_models)
        values[:, columns] = estimates.qualities[:, columns]
        return values

    def _prior(self, general: Floats, codes: Integers) -> Floats:
        return np.clip(self.mean_.predict(general, codes), 0.005, 0.995)

    def _inputs(self, queries: Queries, models: Integers) -> list[Floats]:
        inputs = []
        if self.own_.shape[1]:
            assert queries.features is not None
            inputs.append(queries.features[:, self.own_])
        if self.n_signals_ and len(models):
            assert queries.signals is not None
            inputs.append(queries.signals[:, models])
        return inputs

    def _signal_model(
        self, values: Floats, codes: Integers, quality: Floats, prior: Floats
    ) -> Ratios:
        """Fit the signal model asked for, or the one that predicts held-out rows better."""
        n_groups = len(self.groups_)

        def fitted(name: str, rows: Integers) -> Ratios:
            model: Ratios = NormalRatios() if name == "normal" else LogisticRatios()
            return model.fit(values[rows], codes[rows], n_groups, quality[rows])

        every = np.arange(len(quality))
        name = self.signal_model
        if name == "normal" and values.shape[2] > 1:
            raise ValueError("signal_model='normal' takes one signal (or own feature) a model")
        if name == "auto":
            name = "logistic"
            if values.shape[2] == 1 and len(every) > 1:
                halves = every[::2], every[1::2]
                names = ("normal", "logistic")
                losses = [0.0, 0.0]
                for j, one in enumerate(names):
                    for learn, hold in (halves, halves[::-1]):
                        model = fitted(one, learn)
                        ratio = model.log_ratios(
                            values[hold], codes[hold], np.arange(quality.shape[1])
                        )
                        there = ~np.isnan(quality[hold]) & ~np.isnan(ratio)
                        odds = (logit(prior[hold]) + ratio)[there]
                        loss = np.logaddexp(0.0, odds) - quality[hold][there] * odds
                        losses[j] += float(loss.sum())
                name = names[int(np.argmin(losses))]
        return fitted(name, every)

    def _posterior(self, prior: Floats, seen: list[Seen]) -> Floats:
        """Return probabilities of being right from the ratios seen."""
        priors = Priors(prior)
        chances = self.classes_.chances(priors)
        n, k = prior.shape
        log = np.tile(np.log(self.classes_.weights_), (n, 1))
        likely = {}
        for i in sorted({i for _, ratios in seen for i in ratios}):
            odds = np.zeros_like(log)
            for shifts, ratios in seen:
                if i in ratios:
                    odds += shifts.log_odds(ratios[i], i)
                    log += shifts.log_densities(ratios[i], i)
            chance = chances[priors.place, :, i]
            chance_right = chance * np.exp(odds)
            either = chance_right + (1.0 - chance)
            likely[i] = chance_right / either
            log += np.log(either)
        log -= log.max(axis=1, keepdims=True)
        member = np.exp(log)
        member /= member.sum(axis=1, keepdims=True)
        posterior = np.empty((n, k))
        rest = np.setdiff1d(np.arange(k), list(likely))
        if len(chances) == 1:
            posterior[:, rest] = member @ chances[0][:, rest]
        else:
            for i in rest:
                posterior[:, i] = np.einsum("nc,nc->n", member, chances[priors.place, :, i])
        for i, chance in likely.items():
            posterior[:, i] = np.einsum("nc,nc->n", member, chance)
        return posterior
