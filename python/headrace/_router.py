"""A router: learns from a log, meets a budget or a quality, and says which model runs next."""

from __future__ import annotations

import copy
import inspect
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headrace._atomic_file import write_atomically
from headrace._begin import begin
from headrace._check import (
    as_array,
    check_flag,
    check_floats,
    check_integer,
    check_not_negative,
    check_number,
    check_ran,
)
from headrace._decider import Decider, Draws
from headrace._drive import Call, Run, drive
from headrace._estimators.protocol import Estimates, Estimator, fitted_copy
from headrace._evaluation import Evaluation, evaluate_rollouts
from headrace._fit import Fit
from headrace._forecasts import Forecasts, cost_order
from headrace._latency import ExpectedSeconds
from headrace._log import Integers, Queries, QueryLog
from headrace._policy import Policy
from headrace._problem import Bools
from headrace._rollout import refuse_missing
from headrace._router_file import read_router_file, router_file_content, unreadable
from headrace._selection import Selection
from headrace._session import Pace, Session
from headrace._shortcuts import quick_start
from headrace._state import Saved, put, put_parameter, take, take_parameter
from headrace._target import Budget, Price, Quality, Target, tune

TARGETS: dict[str, Callable[[float, QueryLog], Target]] = {
    "budget": Budget,
    "quality": Quality,
    "the fixed lambda_": Price,
}
"""What a fit is told, just one of them."""

LARGEST_INDEX = 2**63 - 1
OF_A_DECIDER = frozenset({"_learned", "n_threads", "backend"})
"""Attributes that a decider is made of."""

PARAMETERS, FIT, POLICY = "router", "fit", "policy"
"""Where they are in a saved router."""


class Router:
    """Route queries to models, one run at a time, at the best quality that a budget buys.

    Parameters
    ----------
    estimator : Estimator
        Says what to expect of every model's answer, given what has run.
    strategy : {"cascade_routing", "cascade", "routing", "index", "threshold_cascade"}
        As in :func:`headrace.batch_select`; a cascade runs the models in order of their mean cost
        on the log. ``"threshold_cascade"`` is the classical baseline: in the same order, continue
        while the estimate of the last answer is below a threshold, and give the last answer. The
        threshold takes the place of `lambda_`.
    search : {"exact", "greedy", "exhaustive"}
        For cascade routing.
    max_depth : int, optional
        Most models that run on a query.
    lookahead : float, optional
        Factor on the estimator's uncertainty. By default the best of 0, 0.25, 0.5, 0.75 and 1 on
        the log, see `fit`.
    lambda_ : float, optional
        Fixed price of one unit of cost in units of quality, in place of a budget or a quality.
    per_step : bool
        Look for prices that differ from step to step (Theorem 2 of the paper), by realised quality.
        One that serves all steps is kept unless others are better by two standard errors; of
        thresholds, unless others are better.
    n_samples, seed, n_threads, backend
        As in :func:`headrace.batch_select`.

    Attributes
    ----------
    lambda_ : float
        Price at which the fitted policy decides; of two neighbouring prices the higher (cheaper).
    lambdas_ : tuple of float
        Prices of the cheaper and of the dearer policy. Where the two are equal, they differ in
        which of tied choices they take.
    gamma_ : float
        Share of the queries that take the cheaper policy, so that the target is met exactly.
    lookahead_ : float
        Factor on the uncertainty in use.
    step_factors_ : tuple of float
        Factors on the price at each step of a query, the last one for all later steps; (1.0,)
        where one price serves all. Of a threshold cascade the first one is that of no threshold.
    order_ : int64 array of shape (k,)
        The models by mean cost on the log: the order of a cascade, and of all decisions, so that
        they do not depend on the order of the log's columns.
    estimator_ : Estimator
        The fitted estimator: the router's own, so that another fit of the one that was given
        changes nothing.
    models_ : tuple of str
        The models of the log.
    n_features_in_ : int
        Number of features of the log.

    Notes
    -----
    The method is that of Dekoninck, Baader and Vechev, "A Unified Approach to Routing and Cascading
    for LLMs", ICML 2025. Parameters and fitted attributes follow scikit-learn, whose ``clone``
    works on a router; scikit-learn is not needed. A parameter that is set after a fit takes effect
    at the next one, because prices are tuned for the policy of the fit; `n_threads` and `backend`,
    which change no answer, do at once.

    Examples
    --------
    >>> import numpy as np
    >>> import headrace as hr
    >>> class Given:
    ...     def fit(self, log):
    ...         return self
    ...     def estimate(self, queries, ran):
    ...         costs = np.tile([1.0, 5.0], (len(queries), 1))
    ...         return hr.Estimates(queries.features, costs)
    >>> expected = np.array([[0.9, 1.0], [0.2, 0.9], [0.4, 0.6], [0.5, 0.9]])
    >>> log = hr.QueryLog(expected > 0.5, [1.0, 5.0], features=expected)
    >>> router = hr.Router(Given(), strategy="routing").fit(log, budget=2.0)
    >>> evaluation = router.evaluate(log)
    >>> round(evaluation.cost.mean, 9), round(evaluation.quality.mean, 9)
    (2.0, 0.5)
    >>> router.select(log.queries, np.zeros((4, 2), dtype=bool)).next_model
    array([0, 1, 0, 0])
    """

    lambdas_: tuple[float, float]
    gamma_: float
    lookahead_: float
    step_factors_: tuple[float, ...]
    order_: Integers
    estimator_: Estimator
    models_: tuple[str, ...]
    n_features_in_: int
    _made: list[Decider]  # what decides, as the router is now; empty until it is asked for

    def __init__(
        self,
        estimator: Estimator,
        *,
        strategy: str = "cascade_routing",
        search: str = "exact",
        max_depth: int | None = None,
        lookahead: float | None = None,
        lambda_: float | None = None,
        per_step: bool = False,
        n_samples: int = 128,
        seed: int = 0,
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        self.estimator = estimator
        self.strategy = strategy
        self.search = search
        self.max_depth = max_depth
        self.lookahead = lookahead
        self.lambda_ = lambda_
        self.per_step = per_step
        self.n_samples = n_samples
        self.seed = seed
        self.n_threads = n_threads
        self.backend = backend

    if not TYPE_CHECKING:  # where it would allow any attribute

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name in OF_A_DECIDER:
                self._made = []  # what is still made of the old values goes to the old list

    @property
    def lambda_(self) -> float | None:
        """The fitted price; before, the fixed one."""
        return self.lambdas_[0] if hasattr(self, "lambdas_") else self._fixed_lambda

    @lambda_.setter
    def lambda_(self, lambda_: float | None) -> None:
        self._fixed_lambda = lambda_

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": []}  # a copy may change before it decides

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep`` also those of the estimator."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        params = {name: getattr(self, name) for name in names if name != "lambda_"}
        params["lambda_"] = self._fixed_lambda
        inner = getattr(self.estimator, "get_params", None)
        if deep and inner is not None and not isinstance(self.estimator, type):
            params.update({f"estimator__{name}": value for name, value in inner().items()})
        return params

    def set_params(self, **params: Any) -> Router:
        """Set parameters; those of the estimator as ``estimator__name``."""
        valid = self.get_params(deep=False)
        nested = {}
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in valid or (inner and outer != "estimator"):
                raise ValueError(f"unknown parameter {name!r}: choose one of {list(valid)}")
            if inner:
                nested[inner] = value
            else:
                setattr(self, name, value)
        if nested:
            self.estimator.set_params(**nested)  # type: ignore[attr-defined]
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        given = [
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if name != "estimator" and value != defaults[name].default
        ]
        return f"Router({', '.join([repr(self.estimator), *given])})"

    def fit(
        self,
        log: QueryLog,
        *,
        budget: float | None = None,
        quality: float | None = None,
        refit: bool = True,
        progress: bool = False,
    ) -> Router:
        """Learn the estimates, and the price that meets a target on this log.

        Parameters
        ----------
        log : QueryLog
            All costs must be known; qualities as far as something depends on them (see `refit`).
        budget : float, optional
            Mean cost of a query, met with equality.
        quality : float, optional
            Mean realised quality, reached by the cheapest mixture of two policies that is found;
            met with equality, unless the cheapest policy does better.
        refit : bool
            Fit a copy of the estimator on the log. False takes a shallow copy of it as it is,
            already fitted: tuning for a budget then looks at no quality unless it chooses the
            look-ahead.
        progress : bool
            Show a progress bar (needs tqdm).

        Returns
        -------
        Router
            The router itself.

        Raises
        ------
        ValueError
            Not just one target (`budget`, `quality`, or the fixed `lambda_`); a target that no
            policy meets, with the range that can be met; or missing cells.

        Notes
        -----
        Without `lookahead`, the factor is chosen by what it gives on the log: at a budget the
        highest realised quality, at a quality the lowest cost, at a fixed price the highest
        realised ``quality - lambda_ * cost``; the smaller of equals. Where the log has no quality
        at all, it is 1.
        """
        targets = dict(zip(TARGETS, (budget, quality, self._fixed_lambda), strict=True))
        given = [name for name, value in targets.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"give just one of budget, quality and the fixed lambda_, got {given or 'none'}"
            )
        value = _target_value(given[0], targets[given[0]])
        policy = self.policy(1.0 if self.lookahead is None else self.lookahead)
        blind = np.isnan(log.quality).all()
        if check_flag("per_step", self.per_step) and blind:
            raise ValueError("per_step=True chooses by realised quality, and the log has none")
        if self.per_step and policy.by_threshold and self._fixed_lambda is not None:
            raise ValueError("a threshold for each step needs a budget or a quality to meet")
        chooses = self.per_step or self._chooses(policy)
        if quality is not None or (chooses and not blind):
            refuse_missing("quality", log, log.quality)
        refuse_missing("cost", log, log.cost)

        estimator = fitted_copy(self.estimator, log) if refit else self.estimator
        order = cost_order(log)
        mixture, policy = tune(
            TARGETS[given[0]](value, log),
            Forecasts(estimator, log.queries, order),
            policy,
            chooses=self._chooses(policy) and log.complete,
            per_step=self.per_step,
            progress=progress,
        )
        features, signals = log.queries.features, log.queries.signals
        self._adopt(
            Fit(
                mixture=mixture,
                lookahead=policy.lookahead,
                step_factors=np.array(policy.step_factors),
                order=order,
                models=log.models,
                n_features=0 if features is None else features.shape[1],
                n_signals=0 if signals is None else signals.shape[2],
                seconds=ExpectedSeconds.learned(log),
            ),
            estimator,
        )
        return self

    def _adopt(self, fit: Fit, estimator: Estimator) -> None:
        """Take over what was learned, with the parameters as they are now."""
        estimator = copy.copy(estimator)  # who has the other may fit it again
        parameters = self.get_params(deep=False)
        del parameters["estimator"]
        # At once: threads that decide see one fit or the other.
        self._learned = fit, estimator, self.policy(fit.lookahead), parameters
        self.lambdas_ = (fit.mixture.cheap.price, fit.mixture.dear.price)
        self.gamma_ = fit.mixture.gamma
        self.lookahead_ = fit.lookahead
        self.step_factors_ = tuple(fit.step_factors.tolist())
        self.order_ = fit.order
        self.estimator_ = estimator
        self.models_ = fit.models
        self.n_features_in_ = fit.n_features

    def save(self, path: str | PathLike[str]) -> None:
        """Save the fitted router: the parameters of the fit, what it learned, and its estimator.

        Parameters
        ----------
        path : path
            Any name. The file appears as a whole: if something fails, what was there stays.

        Raises
        ------
        ValueError
            The router is not fitted, or holds what a file cannot hold without running code when it
            is read, such as a regressor of another library.
        OSError
            The file cannot be written.

        See Also
        --------
        load_router : reads it.
        """
        write_atomically(Path(path), self._content(self._decider()))

    def evaluate(
        self,
        log: QueryLog,
        *,
        n_bootstrap: int = 1000,
        seed: int = 0,
        estimate_cost: float = 0.0,
        decision_cost: float = 0.0,
    ) -> Evaluation:
        """Roll the fitted policy out on a log, and measure what it gives and costs.

        Parameters
        ----------
        log : QueryLog
            The models of the log that was fitted on, with no cell missing.
        n_bootstrap : int
            Number of resamples for the intervals, at least 2.
        seed : int
            Of the resamples; not negative.
        estimate_cost, decision_cost : float
            Charged each time that the estimator is asked about a query, and that a decision is
            taken; in the unit of the costs.
        """
        decider = self._decider()
        models = decider.fit.models
        if log.models != models:
            raise ValueError(
                f"the log must have the models {list(models)}, got {list(log.models)}: see "
                "log.subset(models=...)"
            )
        refuse_missing("quality", log, log.quality)
        refuse_missing("cost", log, log.cost)
        if log.latency is not None:
            refuse_missing("latency", log, log.latency)
        if log.first_token_latency is not None:
            refuse_missing("first_token_latency", log, log.first_token_latency)
        forecasts = Forecasts(decider.estimator, log.queries, decider.fit.order)
        return evaluate_rollouts(
            log,
            decider.fit.mixture.roll_out(forecasts, decider.policy),
            sure_step=decider.policy.sure_step(log.n_models),
            n_bootstrap=check_integer("n_bootstrap", n_bootstrap, 2),
            seed=check_integer("seed", seed, 0),
            estimate_cost=check_number("estimate_cost", estimate_cost),
            decision_cost=check_number("decision_cost", decision_cost),
        )

    def select(
        self, queries: Queries, ran: ArrayLike, *, dearer: ArrayLike | None = None
    ) -> Selection:
        """Say for each of ``n`` queries which model runs next, or to stop.

        Parameters
        ----------
        queries : Queries
            With the signals of the models that have run.
        ran : bool array-like of shape (n, k)
            Models that have run.
        dearer : bool array-like of shape (n,), optional
            Queries that take the dearer of the two policies. Draw it once for a query, with
            probability ``1 - gamma_``, to spend the budget exactly. By default none does.

        Returns
        -------
        Selection
            As of :func:`headrace.batch_select`; a query on which all models have run stops. Of a
            threshold cascade, ``quality`` and ``tradeoff`` are the last estimate.
        """
        decider = self._decider()
        has_run = check_ran(ran, len(queries), decider.n_models)
        n, k = has_run.shape
        dear = np.zeros(n, dtype=np.bool_)
        if dearer is not None:
            given = as_array("dearer", dearer)
            if given.dtype != np.bool_ or given.shape != (n,):
                raise ValueError(
                    f"dearer must be bool of shape ({n},), got {given.dtype} of shape {given.shape}"
                )
            dear = given.astype(np.bool_)
        result = Selection.empty(n, k)
        among = decider.candidates()
        for rows, models in _same_run(has_run):
            estimates = decider.estimates(queries.rows(rows), models)
            if len(models) == k:
                _write_done(result, rows, decider.best(estimates.qualities, models), estimates)
                continue
            for which in (False, True):
                half = np.flatnonzero(dear[rows] == which)
                if len(half):
                    chosen = decider.decide(estimates.rows(half), models, which, among)
                    _write(result, rows[half], chosen, among.order)
        return result

    def answer(self, queries: Queries, ran: ArrayLike) -> Integers:
        """Say whose answer to give, once the policy stops; at least one model must have run.

        The one with the highest estimate, the cheapest by mean cost among equals; of a threshold
        cascade the last.
        """
        decider = self._decider()
        has_run = check_ran(ran, len(queries), decider.n_models)
        if not has_run.any(axis=1).all():
            row = int(np.flatnonzero(~has_run.any(axis=1))[0])
            raise ValueError(f"ran: no model has run in row {row}, so there is no answer to give")
        answers = np.empty(len(has_run), dtype=np.int64)
        for rows, models in _same_run(has_run):
            estimates = decider.estimates(queries.rows(rows), models)
            answers[rows] = decider.best(estimates.qualities, models)
        return answers

    @quick_start
    def start(
        self,
        features: ArrayLike | None = None,
        *,
        group: Any = None,
        index: int = 0,
        dearer: bool | None = None,
        seed: int | None = None,
        deadline: float | None = None,
        latency_weight: float = 0.0,
        seconds: ArrayLike | None = None,
    ) -> Session:
        """Begin a session: one query, whose models run one at a time.

        Parameters
        ----------
        features : array-like of shape (d,)
            What is known of the query before any model runs, as in the log; left out if the log has
            no features.
        group : label, optional
            The group of the query; without one it counts as unseen.
        index : int
            Row of the query for an estimator that goes by it, such as `PrecomputedEstimator`.
        dearer : bool, optional
            Which of the two policies decides. By default the dearer one does with probability
            ``1 - gamma_``, drawn once, so that the budget is spent exactly.
        seed : int, optional
            Of that draw; not negative. By default sessions differ.
        deadline : float, optional
            Seconds from now until the answer is due. Models expected to take longer than what is
            left are no candidates.
        latency_weight : float
            Money that one second is worth: it is added to the expected cost of a model for each of
            its expected seconds, and the price lambda applies to the sum.
        seconds : array-like of shape (k,), optional
            Expected seconds of each model. By default those learned from the log's latency.

        Returns
        -------
        Session
            See there for an example.

        Raises
        ------
        ValueError
            Features of another shape than those of the log, a deadline or weight without expected
            seconds, or a weight for a threshold cascade, which knows no costs.

        Notes
        -----
        The first session of a fit makes its compiled form: about a millisecond at 50 models, 5 to
        10 at 200. A service starts one before it takes requests, and before it forks. Whether there
        is one depends on ``backend`` and ``HEADRACE_BACKEND`` as they are then. The quickest start
        has its features in a list of floats, and of the rest no more than `index` and `dearer`.
        """
        decider = self._decider()
        groups = None if group is None else np.array([group])
        gamma = decider.gamma
        if dearer is not None:
            dear = check_flag("dearer", dearer)
        elif seed is None:
            dear = gamma < 1.0 and random.random() >= gamma
        else:
            dear = random.Random(check_integer("seed", seed, 0)).random() >= gamma
        pace = None
        if deadline is not None or latency_weight:
            pace = _pace(decider, groups, deadline, latency_weight, seconds)
        if type(index) is not int or not 0 <= index <= LARGEST_INDEX:
            index = check_integer("index", index, 0, LARGEST_INDEX)
        return begin(decider, self._content, features, groups, index, dear, pace)

    async def arun(
        self,
        features: ArrayLike | None,
        call: Call,
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        **options: Any,
    ) -> Run:
        """Answer one query on an event loop: call models until the session stops.

        A model whose call raises, is late, or returns what is no answer is excluded, and what to do
        next is decided anew among the others. A cost that comes with a refused answer counts.

        A call that is late is cancelled and not waited for. Cancelling the driver cancels the call
        in flight and waits for its end, as ``asyncio`` does, but for no longer than `timeout` or
        `deadline` allow. Without them, a call that does not let itself be cancelled is waited for
        until the driver is cancelled once more.

        Parameters
        ----------
        features : array-like of shape (d,), or None
            As of `start`.
        call : coroutine function
            From the name of a model to an :class:`headrace.Answer`, or a tuple ``(answer, signal)``
            or ``(answer, signal, cost)``.
        timeout : float, optional
            Seconds that one call may take.
        deadline : float, optional
            Seconds that all of it may take: as of `start`, and a call in flight is given up then.
        **options
            Others of `start`: ``group``, ``index``, ``dearer``, ``seed``, ``latency_weight`` and
            ``seconds``.

        Returns
        -------
        Run

        Raises
        ------
        AllModelsFailed
            No model gave an answer; with the reasons.
        TypeError
            `call` is no coroutine function.

        Notes
        -----
        Estimates and decisions are computed on the event loop itself: they take less time than it
        would to hand them to a thread. What the decisions have cost in time counts for a deadline.

        Examples
        --------
        >>> import asyncio
        >>> import headrace as hr
        >>> log = hr.QueryLog(
        ...     [[0.0, 1.0], [1.0, 1.0]] * 20, [0.1, 2.0], models=["small", "large"],
        ...     signals=[[0.2, 0.9], [0.8, 0.9]] * 20,
        ... )
        >>> router = hr.Router(hr.GaussianEstimator(), lambda_=0.2).fit(log)
        >>> async def call(model):
        ...     if model == "small":
        ...         raise ConnectionError("no route to host")
        ...     return hr.Answer("forty-two", signal=0.9, cost=2.0)
        >>> run = asyncio.run(router.arun(None, call))
        >>> run.answer, run.model, run.cost
        ('forty-two', 'large', 2.0)
        >>> run.failures
        {'small': 'ConnectionError: no route to host'}
        """
        if timeout is not None:
            timeout = check_number("timeout", timeout)
        session = self.start(features, deadline=deadline, **options)
        return await drive(session, call, timeout=timeout, deadline=deadline)

    def policy(self, lookahead: float) -> Policy:
        """Return what decides, with a factor on the uncertainty; faulty options raise."""
        return Policy(
            strategy=self.strategy,
            search=self.search,
            max_depth=self.max_depth,
            lookahead=lookahead,
            n_samples=self.n_samples,
            seed=self.seed,
            n_threads=self.n_threads,
            backend=self.backend,
        )

    def _decider(self) -> Decider:
        """Return what decides; made once for a fit, a number of threads and a backend.

        A start without the interpreter finds it in `_made` too.
        """
        made = self._made
        if not made:
            self._check_fitted()
            fit, estimator, policy, parameters = self._learned
            own: dict[str, Any] = {"n_threads": self.n_threads, "backend": self.backend}
            policy = replace(policy, **own)
            made.append(Decider(fit, estimator, policy, parameters | own))
            del made[1:]  # threads that made one at the same time share the first
        return made[0]

    def _content(self, decider: Decider) -> bytes:
        """Return the content of the file that the router is saved in."""
        saved = Saved()
        for name, value in decider.parameters.items():
            put_parameter(saved, f"{PARAMETERS}.{name}", value)
        put(saved, FIT, decider.fit)
        if decider.draws is not None:
            put(saved, POLICY, decider.draws)
        return router_file_content(saved, decider.estimator)

    def _chooses(self, policy: Policy) -> bool:
        return self.lookahead is None and policy.looks_ahead

    def _probe(self) -> None:
        """Look at the prices, and at estimates of a query before a run and after all runs."""
        decider = self._decider()
        k, fit = decider.n_models, decider.fit
        points = [point.price for point in (fit.mixture.cheap, fit.mixture.dear)]
        prices = decider.policy.prices(np.array(points))
        check_floats("prices", prices, {"(2, T)": prices.shape})
        if not decider.policy.by_threshold:
            check_not_negative("prices", prices)
        queries = Queries(
            index=np.zeros(1, dtype=np.int64),
            n_models=k,
            features=np.zeros((1, fit.n_features)) if fit.n_features else None,
            signals=np.zeros((1, k, fit.n_signals)) if fit.n_signals else None,
            groups=None,
        )
        with np.errstate(all="ignore"):  # what comes of it is looked at
            for ran in ([], list(range(k))):
                decider.estimates(queries, ran)

    def _check_fitted(self) -> None:
        if not hasattr(self, "lambdas_"):
            raise ValueError("this router is not fitted yet: call fit(log, budget=...) first")


def load_router(path: str | PathLike[str], *, estimator: Estimator | None = None) -> Router:
    """Load a router that `Router.save` has written.

    Parameters
    ----------
    path : path
        One file. It holds arrays, numbers and texts in the layout of safetensors; nothing of it is
        executed, whoever wrote it.
    estimator : SavableEstimator, optional
        If the router was fitted with an estimator of your own: one of the same class, which takes
        its state from the file.

    Returns
    -------
    Router
        Decides as the one that was saved. Its ``estimator`` is the fitted one.

    Raises
    ------
    ValueError
        The file is cut or damaged, was saved by a newer headrace, or is none of a router.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import headrace as hr
    >>> log = hr.QueryLog([[0.0, 1.0], [1.0, 1.0]] * 20, [0.1, 2.0])
    >>> router = hr.Router(hr.GaussianEstimator()).fit(log, budget=1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "mine.headrace")
    ...     router.save(path)
    ...     hr.load_router(path).lambda_ == router.lambda_
    True
    """
    saved, fitted = read_router_file(path, estimator)
    try:
        names = [name for name in Router(fitted).get_params(deep=False) if name != "estimator"]
        params = {name: take_parameter(saved, f"{PARAMETERS}.{name}") for name in names}
        fit = take(saved, FIT, Fit)
        router = Router(fitted, **params)
        router._adopt(fit, fitted)
        draws = router._decider().draws
        if draws is not None:  # they are the same; who does not know how they are drawn reads them
            take(saved, POLICY, Draws, draws.sizes)
        saved.refuse_rest()
        router._probe()
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise unreadable(path, error) from None
    return router


def _target_value(what: str, given: object) -> float:
    if what == "quality":  # of any sign
        return float(check_floats(what, given, {"a number": ()}))  # type: ignore[arg-type]
    return check_number(what, given)


def _pace(
    decider: Decider,
    groups: NDArray[np.generic] | None,
    deadline: float | None,
    latency_weight: float,
    seconds: ArrayLike | None,
) -> Pace:
    """Return what time is worth."""
    weight = check_number("latency_weight", latency_weight)
    if weight and decider.policy.by_threshold:
        raise ValueError("latency_weight is an expected cost, which a threshold cascade ignores")
    if seconds is not None:
        expected = check_floats("seconds", seconds, {"(k,)": (decider.n_models,)})
        check_not_negative("seconds", expected)
    elif decider.fit.seconds is not None:
        expected = decider.fit.seconds.of(groups)
    else:
        raise ValueError(
            "a deadline or latency_weight needs the expected seconds of each model: give seconds, "
            "or fit on a log with the latency of every model"
        )
    check_floats("latency_weight * seconds", weight * expected, {"(k,)": expected.shape})
    return Pace(
        expected, weight, math.inf if deadline is None else check_number("deadline", deadline)
    )


def _same_run(ran: Bools) -> Iterable[tuple[Integers, list[int]]]:
    """Yield the rows on which the same models have run, and the models."""
    if len(ran) == 1:
        yield np.zeros(1, dtype=np.int64), np.flatnonzero(ran[0]).tolist()
        return
    sets, inverse = np.unique(ran, axis=0, return_inverse=True)
    for i, has_run in enumerate(sets):
        yield np.flatnonzero(inverse.reshape(-1) == i), np.flatnonzero(has_run).tolist()


def _write(result: Selection, rows: Integers, chosen: Selection, order: Integers) -> None:
    """Write a selection whose columns are positions in an order."""
    names = np.append(order, -1)
    result.next_model[rows] = names[chosen.next_model]
    result.supermodel[np.ix_(rows, order)] = chosen.supermodel
    for field in ("tradeoff", "quality", "cost", "upper_bound", "optimal", "nodes"):
        getattr(result, field)[rows] = getattr(chosen, field)


def _write_done(result: Selection, rows: Integers, answers: Integers, estimates: Estimates) -> None:
    """Write that all models have run."""
    best = estimates.qualities[np.arange(len(rows)), answers]
    result.supermodel[rows] = True
    result.quality[rows] = result.tradeoff[rows] = result.upper_bound[rows] = best
    result.optimal[rows] = True
