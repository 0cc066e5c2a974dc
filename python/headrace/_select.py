"""The public call: check, pick a backend, decide."""

from __future__ import annotations

from numpy.typing import ArrayLike

from headrace._backends import pick
from headrace._check import Unchecked, check_problem, check_threads, check_values
from headrace._selection import Selection
from headrace._shortcuts import quick_select


@quick_select
def batch_select(
    qualities: ArrayLike,
    costs: ArrayLike,
    lambda_: ArrayLike,
    *,
    sigmas: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    ran: ArrayLike | None = None,
    strategy: str = "cascade_routing",
    search: str = "exact",
    max_depth: int | None = None,
    fixed_order: bool = False,
    ties: str = "cheapest",
    n_samples: int = 128,
    seed: int = 0,
    samples: ArrayLike | None = None,
    node_limit: int | None = None,
    time_limit: float | None = None,
    n_threads: int | None = None,
    backend: str | None = None,
) -> Selection:
    """Choose for each of ``n`` queries which of ``k`` models runs next, or to stop.

    For every query, given the set R of models already run, find the supermodel M (a set of models
    that contains R) with the highest tradeoff

        E[max over M of quality] - lambda_ * (sum of the costs of M without R)

    and run the cheapest model of M that has not run; if M = R, stop. The expectation is the mean
    over one sample matrix: draw s of model i is ``q_i + sigma_i z_is``, or ``q + L z`` with L the
    lower Cholesky factor of the covariance. Tradeoffs within 1e-9 of the best tie.

    Parameters
    ----------
    qualities : array-like of shape (n, k)
        Estimated quality of each model's answer, in any unit.
    costs : array-like of shape (n, k) or (k,)
        Estimated cost of each answer, in any unit, not negative.
    lambda_ : float or array-like of shape (n,)
        Price of one unit of cost in units of quality, not negative.
    sigmas : array-like of shape (k,) or (n, k), optional
        Standard deviations (never variances) of the estimates, not negative. Give 0 for a model
        whose answer is known.
    covariance : array-like of shape (k, k) or (n, k, k), optional
        Covariance of the estimates, symmetric and positive semi-definite (singular is fine) up to
        rounding in its dtype; excludes `sigmas`. Without either, E[max] is the max of the
        estimates.
    ran : bool array-like of shape (n, k), optional
        Models that have run; their cost is sunk. At least one model of each row has not run.
    strategy : {"cascade_routing", "cascade", "routing", "index"}
        ``"cascade_routing"``: any M. ``"cascade"``: M is R or a prefix of the columns, which run
        in this order. ``"routing"``: one model, by its estimate alone; stop once a model has run.
        ``"index"``: run the highest reservation value z_i, E[(X_i - z_i)+] = lambda_ c_i, until
        the best revealed quality exceeds them all; optimal among adaptive policies if estimates
        are independent and normal.
    search : {"exact", "greedy", "exhaustive"}
        For cascade routing. ``"exact"``: branch and bound with a certificate. ``"greedy"``: at most
        one model more than R. ``"exhaustive"``: every supermodel, at most 2**20 of them.
    max_depth : int, optional
        Most models in a supermodel, at least 1.
    fixed_order : bool
        Only models after the last one run are candidates, and the first of M runs next.
    ties : {"cheapest", "dearest"}
        Among ties, take the lowest or the highest cost, then the fewest models, then the
        lexicographically smallest list of indices.
    n_samples : int
        Number S of samples, a power of two up to 65,536.
    seed : int
        Not negative. The samples depend on the seed, k and S alone.
    samples : array-like of shape (k, S), optional
        Own standardised draws, one row per model, in place of `n_samples` and `seed`.
    node_limit, time_limit : int, float, optional
        Stop the exact search of a query after so many nodes or seconds; the answer is the best
        found, with a true ``upper_bound`` and ``optimal=False``.
    n_threads : int, optional
        Threads to split the batch over, at most 1,024 of them; None means the CPUs that the process
        may use. The answers do not depend on it.
    backend : {"cpp", "numba", "reference"}, optional
        None takes ``HEADRACE_BACKEND`` from the environment, else the fastest there is.
        ``HEADRACE_ISA`` forces an instruction set of ``"cpp"``, one of `instruction_sets`.

    Returns
    -------
    Selection
        ``next_model`` and the supermodel behind it, with a certificate.

    Raises
    ------
    ValueError
        A wrong shape or value (with the index), or an unknown name (with the valid ones), also in
        the environment.
    TypeError
        A dtype that float64 does not hold without loss.

    Notes
    -----
    C-contiguous float64 arrays (and bool for `ran`) are read in place, and so are `costs`,
    `sigmas` and `covariance` that serve all queries; other dtypes, strides and sequences are
    copied once. Inputs are never written to.

    A covariance may be asymmetric by max(1e-10, 16 eps) of its largest entry, and its factor L
    satisfies |C - L L^T| <= max(1e-8, 8 k eps) sqrt(C_ii C_jj) at (i, j), where a variance counts
    as at least 2 k eps of the largest one. eps is that of the dtype given: a covariance that was
    computed in float32 is to be given in float32.

    ``strategy="index"`` counts a price ``lambda_ c_i`` above 0 but below 1e-300 of ``sigma_i`` as
    that share.

    The rule is cascade routing (Dekoninck, Baader and Vechev, "A Unified Approach to Routing and
    Cascading for LLMs", ICML 2025); the index is Weitzman's ("Optimal Search for the Best
    Alternative", Econometrica, 1979).

    Examples
    --------
    >>> import headrace as hr
    >>> selection = hr.batch_select(
    ...     [[0.7, 0.8, 0.9], [0.3, 0.9, 0.5]], [1.0, 2.0, 9.0], 0.03, sigmas=[0.2, 0.1, 0.1]
    ... )
    >>> selection.next_model
    array([0, 1])
    >>> selection.supermodel
    array([[ True,  True, False],
           [False,  True, False]])
    """
    chosen = pick(backend)
    threads = check_threads(n_threads)
    unchecked: Unchecked = []
    try:
        problem = check_problem(
            unchecked,
            qualities,
            costs,
            lambda_,
            sigmas=sigmas,
            covariance=covariance,
            ran=ran,
            strategy=strategy,
            search=search,
            max_depth=max_depth,
            fixed_order=fixed_order,
            ties=ties,
            n_samples=n_samples,
            seed=seed,
            samples=samples,
            node_limit=node_limit,
            time_limit=time_limit,
            n_threads=threads,
        )
        if not chosen.CHECKS_VALUES:
            check_values(unchecked)
        return chosen.select(problem, threads)
    except (TypeError, ValueError) as error:
        fault = error
    check_values(unchecked)  # whose faults come first, and say where
    raise fault
