"""The compiled backend: hands the checked arrays to the C++ library."""

from __future__ import annotations

from headrace._problem import Floats, Problem
from headrace._reveals import Integers, Reveals
from headrace._rollout_problem import RolloutProblem, Traces
from headrace._selection import Selection

try:
    import headrace._core as _core
except ImportError as error:
    _missing: str | None = f"the extension module headrace._core cannot be imported: {error}"
else:
    _missing = None


CHECKS_VALUES = True


def available() -> str | None:
    """Say why the backend cannot run; None: it can."""
    return _missing


def instruction_sets() -> dict[str, str | None]:
    """Say which instruction sets can be used, fastest first; None, or why one cannot."""
    return _core.instruction_sets()


def router(content: bytes, sessions: type[_core.Session]) -> _core.Router:
    """Return a fitted router, from the content of its file; its sessions are of the type."""
    return _core.read_router(content, sessions)


def lower_cholesky(covariances: Floats, precision: float, n_threads: int) -> Floats:
    """Return the lower Cholesky factors of matrices of shape (n, k, k); ValueError if one has none.

    The bits are those of NumPy in `headrace._covariance`, which can say what is wrong.
    """
    return _core.lower_cholesky(covariances, precision, n_threads)


def select(problem: Problem, n_threads: int) -> Selection:
    """Decide the batch on ``n_threads`` threads, without the interpreter's lock."""
    selection = Selection.unwritten(problem.n_queries, problem.n_models)
    _core.batch_select(
        problem.qualities,
        problem.costs,
        problem.lambda_,
        problem.sigmas,
        problem.factor,
        problem.ran,
        problem.samples,
        reveals_of(problem.reveals),
        problem.strategy,
        problem.search,
        problem.max_models,
        problem.fixed_order,
        problem.ties,
        problem.node_limit or 0,
        problem.time_limit or 0.0,
        n_threads,
        selection.next_model,
        selection.supermodel,
        selection.tradeoff,
        selection.quality,
        selection.cost,
        selection.upper_bound,
        selection.optimal,
        selection.nodes,
    )
    return selection


def roll_out(problem: RolloutProblem, n_threads: int) -> Traces:
    """Roll out on ``n_threads`` threads, without the interpreter's lock but to ask."""

    def forecast(ran: tuple[int, ...], queries: Integers) -> _core._Forecast:
        found = problem.forecast(ran, queries)
        return (
            found.qualities,
            found.costs,
            found.sigmas,
            found.factor,
            reveals_of(found.reveals),
        )

    return Traces(
        *_core.roll_out(
            forecast,
            problem.n_queries,
            problem.n_models,
            problem.prices,
            problem.samples,
            problem.strategy,
            problem.search,
            problem.max_models,
            problem.ties,
            n_threads,
        )
    )


def reveals_of(reveals: Reveals | None) -> _core._Reveals | None:
    """Return the arrays of reveals."""
    if reveals is None:
        return None
    return reveals.right, reveals.wrong, reveals.group, reveals.scale
