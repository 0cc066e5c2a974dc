"""All strategies and backends on real qualities and prices; asserts that the backends agree.

A folder ``../shared/data`` beside the repository, not part of it, holds two measured workloads:
``cascade9.npz`` (9 models, 5 benchmarks) and ``routerbench3.npz`` (11 models, 3 benchmarks). Each
has, by query (row) and model (column), ``quality`` (0 or 1) and ``cost_usd``, and by query
``benchmark`` and ``is_test``. Without the folder there is nothing to do.

From measurements to a problem:

- A query with a missing cell (quality NaN or 255, cost not finite) is left out: the second decision
  may need any model's answer.
- Columns are put in the order of their mean cost on train rows, which is the order of the cascade.
- Test rows (``is_test == 1``) are the queries. A benchmark without test rows asks none.
- The estimate of a model's quality is its mean over the train rows of the query's benchmark; the
  cost is the real cost of that answer.
- Sigma is the standard deviation of a model's quality on train rows around these means, one per
  model. It is the error of the estimate, so it is also what a run of the model reveals, and there
  are enough train rows for it (about 1,500 a model or more). Answers are 0 or 1 and the normal
  draws are not: this is a workload with real proportions, not the best estimator.
- Lambda, in quality per USD, takes three values a decade apart, from "money hardly matters" to
  "every answer is dear"; every query is asked at each of them.

The first decision knows estimates only. For the second, the model that was chosen has run: its
estimate is its real quality, its sigma 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import headrace as hr
import numpy as np
from common import FAST, assert_same, machine
from numpy.typing import NDArray
from workloads import DATA, Floats

LAMBDAS = {"cascade9": (100.0, 1000.0, 10000.0), "routerbench3": (10.0, 100.0, 1000.0)}
METHODS = (
    ("routing", "exact"),
    ("cascade", "exact"),
    ("cascade_routing", "exact"),
    ("cascade_routing", "exhaustive"),
    ("cascade_routing", "greedy"),
    ("index", "exact"),
)


@dataclass(frozen=True)
class Queries:
    """A batch of decisions: every test row at every lambda."""

    qualities: Floats
    costs: Floats
    lambdas: Floats
    sigmas: Floats
    ran: NDArray[np.bool_]
    realised: Floats
    """Real quality of every answer, shape (n, k)."""

    def select(self, backend: str, strategy: str, search: str, rows: slice) -> hr.Selection:
        """Decide the queries of ``rows`` on one thread."""
        return hr.batch_select(
            self.qualities[rows],
            self.costs[rows],
            self.lambdas[rows],
            sigmas=self.sigmas[rows],
            ran=self.ran[rows],
            strategy=strategy,
            search=search,
            n_threads=1,
            backend=backend,
        )

    def run(self, models: NDArray[np.int64]) -> Queries:
        """Return the queries after one model of each has run and revealed its quality."""
        rows = np.arange(len(models))
        qualities, sigmas, ran = self.qualities.copy(), self.sigmas.copy(), self.ran.copy()
        qualities[rows, models] = self.realised[rows, models]
        sigmas[rows, models] = 0.0
        ran[rows, models] = True
        return Queries(qualities, self.costs, self.lambdas, sigmas, ran, self.realised)


def load(path: Path, lambdas: tuple[float, ...]) -> Queries:
    """Turn a file of measurements into queries; prints what it read and left out."""
    with np.load(path, allow_pickle=False) as file:
        quality = file["quality"].astype(np.float64)
        cost = file["cost_usd"].astype(np.float64)
        benchmark, is_test = file["benchmark"], file["is_test"] == 1
        names = [str(name) for name in file["benchmark_names"]]
    complete = np.all(np.isfinite(quality) & (quality != 255) & np.isfinite(cost), axis=1)
    train, test = complete & ~is_test, complete & is_test

    order = np.argsort(cost[train].mean(axis=0), kind="stable")
    quality, cost = quality[:, order], cost[:, order]

    estimate = np.full_like(quality, np.nan)
    for index in range(len(names)):
        rows = benchmark == index
        if np.any(rows & train):
            estimate[rows] = quality[rows & train].mean(axis=0)
        elif np.any(rows & test):
            raise ValueError(f"{path.name}: {names[index]} has test rows but no train rows")
    sigmas = np.sqrt(np.mean((quality[train] - estimate[train]) ** 2, axis=0))

    silent = [name for index, name in enumerate(names) if not np.any(test & (benchmark == index))]
    print(
        f"{path.stem}: {train.sum()} train rows, {test.sum()} test rows, "
        f"{quality.shape[1]} models, {(~complete).sum()} rows left out for missing cells, "
        f"no test rows: {', '.join(silent) or 'none'}; "
        f"sigma {sigmas.min():.2f} to {sigmas.max():.2f}; "
        f"lambda {', '.join(f'{value:g}' for value in lambdas)}"
    )

    def at_each_lambda(rows: Floats) -> Floats:
        return np.tile(rows, (len(lambdas), 1))

    qualities = at_each_lambda(estimate[test])
    return Queries(
        qualities=qualities,
        costs=at_each_lambda(cost[test]),
        lambdas=np.repeat(lambdas, test.sum()),
        sigmas=np.tile(sigmas, (len(qualities), 1)),
        ran=np.zeros(qualities.shape, dtype=np.bool_),
        realised=at_each_lambda(quality[test]),
    )


def sample_rows(queries: Queries, strategy: str) -> slice:
    """Evenly spaced queries for the reference: about 100 where it enumerates, else 1,000."""
    wanted = 100 if strategy == "cascade_routing" else 1000
    return slice(None, None, max(1, len(queries.qualities) // wanted))


def decide(queries: Queries, strategy: str, search: str, where: str) -> tuple[hr.Selection, str]:
    """Decide on every backend, assert that all agree; return the answer and cells of the table."""
    answers: dict[str, hr.Selection] = {}
    cells: list[str] = []
    for backend in (*FAST, "reference"):
        rows = slice(None) if backend in FAST else sample_rows(queries, strategy)
        start = perf_counter()
        answers[backend] = queries.select(backend, strategy, search, rows)
        n_decisions = len(answers[backend].next_model)
        cells.append(f"{n_decisions / (perf_counter() - start):>11,.0f}")
        assert_same(answers[FAST[0]], answers[backend], rows, f"{where}, {backend}")
    answer = answers[FAST[0]]
    assert np.all(answer.upper_bound >= answer.tradeoff), where
    assert np.all(answer.optimal) or search == "greedy", where
    agree = "/".join(str(len(answers[backend].next_model)) for backend in answers)
    return answer, " ".join((*cells, f"{agree:>18}"))


def lines(name: str, queries: Queries, n_lambdas: int) -> Iterator[str]:
    """Yield a line of the table for each strategy, search and decision."""

    def per_lambda(values: NDArray[np.bool_] | NDArray[np.int64]) -> str:
        return "/".join(f"{mean:.2f}" for mean in values.reshape(n_lambdas, -1).mean(axis=1))

    n, k = queries.qualities.shape
    exact: list[hr.Selection] = []
    for strategy, search in METHODS:
        method = search if strategy == "cascade_routing" else strategy
        state = queries
        for step in (1, 2):
            where = f"{name}, {strategy}, {search}, decision {step}"
            answer, cells = decide(state, strategy, search, where)
            if method == "exact":
                exact.append(answer)
            if method == "exhaustive":
                assert_same(exact[step - 1], answer, slice(None), f"{where} against exact")
            yield (
                f"{name:12} {method:10} {step:>4} {f'{n}x{k}':>9} "
                f"{per_lambda(answer.next_model == -1):>14} "
                f"{per_lambda(answer.supermodel.sum(axis=1)):>14} {cells}"
            )
            if step == 1:
                assert np.all(answer.next_model >= 0), f"{where}: a model has to run"
                state = state.run(answer.next_model)


def main() -> None:
    """Read the data, decide, compare, print."""
    parser = argparse.ArgumentParser(description="All backends on real qualities and prices.")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the .npz files")
    data = parser.parse_args().data
    paths = [data / f"{name}.npz" for name in LAMBDAS]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        print(f"skipped: no {', '.join(absent)} in the data folder (see --data)")
        return
    if not FAST:
        print(f"skipped: nothing to compare with the reference: {hr.backends()}")
        return

    print(machine())
    workloads = {path.stem: load(path, LAMBDAS[path.stem]) for path in paths}
    print(
        "\nStops and models in the supermodel: at each lambda, the lowest first. Agree: queries "
        f"decided alike, ties and bits, by {'/'.join((*FAST, 'reference'))}.\n"
    )
    speeds = " ".join(f"{f'{backend}/s':>11}" for backend in (*FAST, "reference"))
    print(
        f"{'data':12} {'search':10} {'step':>4} {'rows':>9} {'stops':>14} {'models':>14} "
        f"{speeds} {'agree':>18}"
    )
    for name, queries in workloads.items():
        for strategy, search in METHODS:  # compile and fill caches before the clock runs
            for backend in FAST:
                queries.select(backend, strategy, search, slice(8))
        for line in lines(name, queries, len(LAMBDAS[name])):
            print(line, flush=True)
    print("\nEvery decision agrees.")


if __name__ == "__main__":
    main()
