"""One command that measures everything, asserts what it measures, and writes the report.

``python benchmarks/report.py`` prints the report and writes ``REPORT.md`` and its pictures; with
``--quick`` a smaller one, to ``build/report``. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TypeVar

import headrace as hr
import numpy as np
from common import FAST, machine
from figures import P99, Measured, figures
from judge import FEW_MODELS, Verdicts, judge_certificate, judge_exact, judge_routing, judge_rows
from measure import (
    Timed,
    best_of_three,
    decide_each,
    decision_seconds,
    exponent,
    flops_per_second,
    in_turn,
    ratio,
    seconds,
)
from peers import VARIANTS, Highs, highs_missing, numpy_greedy, numpy_routing
from plots import Curves, draw_variants, draw_workloads
from tables import Table, microseconds
from tqdm import tqdm
from workloads import WORKLOADS, Workload, workloads

HERE = Path(__file__).resolve().parent
QUICK_OUTPUT = HERE.parent / "build" / "report"
EXACT = VARIANTS["Normal"]
SAMPLES = (64, 128, 256, 512, 1024)
COVARIANCE_MODELS = 500
"""Above, one factorisation takes longer than many decisions."""
SLOW_DECISION = 1.0
"""A variant or peer is not asked at larger sizes once a decision takes so many seconds."""

T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    sizes: tuple[int, ...] = (5, 11, 20, 40, 60, 100, 200, 500, 1000, 2000)
    growth: tuple[int, ...] = (50, 100, 200, 350, 500)
    queries: int = 400
    budget: float = 3.0
    """Seconds for the query-by-query clock of one case."""
    time_limit: float = 0.25
    """Seconds for one exact decision."""
    few: int = 3
    """Queries that slow judges decide."""
    rows: tuple[int, ...] = (20_000, 2_000)
    """Queries of the streaming rules."""
    rounds: int = 15
    thread_seconds: float = 0.5
    highs: int = 15


QUICK = Scale(
    sizes=(5, 11, 20, 40, 100, 200, 500),
    growth=(50, 100, 200, 500),
    queries=100,
    budget=0.4,
    time_limit=0.1,
    few=1,
    rounds=5,
    thread_seconds=0.2,
    highs=4,
)


@dataclass
class Findings:
    """What the sections find out for those after them."""

    measured: Measured = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=Verdicts)
    variants: Curves = field(default_factory=dict)
    workloads: Curves = field(default_factory=dict)


def progress(items: Iterable[T], what: str) -> Iterator[T]:
    """Show how far a section is."""
    return iter(tqdm(list(items), desc=what, file=sys.stderr, leave=False))


def available() -> list[str]:
    """Name the workloads that can be made."""
    return [name for name, reason in workloads().items() if reason is None]


def exact_by_workload(scale: Scale, found: Findings) -> Table:
    """Measure the exact search on every workload and size."""
    rows = []
    for name, k in progress(product(available(), scale.sizes), "exact"):
        if name == "correlated" and k > COVARIANCE_MODELS:
            continue
        workload = WORKLOADS[name](scale.queries, k, 0)
        timed = decide_each(EXACT, workload, scale.budget, time_limit=scale.time_limit)
        judge_exact(workload, timed.answer, found.verdicts, scale.few, scale.time_limit)
        p50, p99 = np.quantile(timed.decisions, [0.5, 0.99])
        found.workloads.setdefault(name, []).append((k, p50, p99))
        note_exact(found.measured, f"exact {name}, k = {k}", timed)
        rows.append([name, str(k), *cells(timed)])
    columns = ["workload", "models", "queries", "p50 us", "p99 us", "p99/p50"]
    columns += ["call p50 us", "call p99 us", "batch us", "decisions/s"]
    columns += ["nodes p50", "nodes max", "chosen", "certified"]
    note = (
        "One thread, 128 samples. `p50`, `p99`: over queries, of a decision within a batch, which "
        "is timed as a call with the query many times over. `call`: calls with one query each, the "
        "overhead of Python included. Of each the best of three counts, so that percentiles speak "
        "of the queries rather than of the machine. `batch`: mean over one batch of these queries. "
        f"At most {scale.time_limit:g} s a decision; what is not proven by then is not certified. "
        f"A case is given {scale.budget:g} s, which bounds the number of queries."
    )
    return Table("The exact search", note, columns, rows)


def note_exact(measured: Measured, case: str, timed: Timed) -> None:
    """Keep what the goals are about."""
    p50, p99 = np.quantile(timed.decisions, [0.5, 0.99])
    measured[case, "median"] = 1e6 * float(p50)
    measured[case, P99] = float(p99 / p50)
    measured[case, "certified"] = 100.0 * float(timed.answer.optimal.mean())


def cells(timed: Timed) -> list[str]:
    """Write the numbers of one case."""
    p50, p99 = np.quantile(timed.decisions, [0.5, 0.99])
    call50, call99 = np.quantile(timed.calls, [0.5, 0.99])
    answer = timed.answer
    return [
        str(timed.n),
        microseconds(p50),
        microseconds(p99),
        f"{p99 / p50:.1f}",
        microseconds(call50),
        microseconds(call99),
        microseconds(timed.batch),
        f"{1 / timed.batch:,.0f}",
        f"{np.median(answer.nodes):,.0f}",
        f"{answer.nodes.max():,}",
        f"{answer.supermodel.sum(axis=1).mean():.1f}",
        f"{answer.optimal.sum()}/{timed.n}",
    ]


def variants_by_size(scale: Scale, found: Findings) -> Table:
    """Measure every variant and peer on the uniform workload."""
    names = [*VARIANTS, "NumPy greedy", "NumPy routing", "HiGHS", "numba", "reference"]
    columns = {name: dict[int, float]() for name in names}
    slow: set[str] = set()
    for k in progress(scale.sizes, "variants"):
        workload = WORKLOADS["uniform"](scale.queries, k, 0)
        for name in names:
            if name in slow:
                continue
            time = one_decision(name, workload, scale, found)
            if time is None:
                continue
            columns[name][k] = time
            found.variants.setdefault(name, []).append((k, time, time))
            if time > SLOW_DECISION or (name == "reference" and time > SLOW_DECISION / 64):
                slow.add(name)
    rows = [
        [name, *(microseconds(times[k]) if k in times else "-" for k in scale.sizes)]
        for name, times in columns.items()
        if times
    ]
    note = (
        "Uniform workload, one thread, 128 samples: median microseconds a decision, by number of "
        "models. The first five are the paper's variants. Of index, routing, "
        "NumPy routing and numba, the mean over a batch. A dash is where one cannot answer, or "
        "would take longer than the measurement is worth."
    )
    return Table("Variants and peers", note, ["", *map(str, scale.sizes)], rows)


def one_decision(name: str, workload: Workload, scale: Scale, found: Findings) -> float | None:
    """Return the median time of a decision by a variant or peer; None where it cannot."""
    if name in VARIANTS:
        variant = VARIANTS[name]
        if workload.k > variant.most_models:
            return None
        limit = {"time_limit": scale.time_limit} if "search" not in variant.options else {}
        if name in ("index", "routing"):  # a call costs more than many decisions
            workload = WORKLOADS["uniform"](2_000, workload.k, 0)
            answer = variant.select(workload)
            time = median(in_turn({"": partial(variant.select, workload)}, 5)[""]) / workload.n
        else:
            timed = decide_each(variant, workload, scale.budget / 3, **limit)
            answer, time = timed.answer, float(np.median(timed.decisions))
        few = range(min(len(answer.next_model), scale.few))
        judge = "reference" if workload.k <= FEW_MODELS else "numba"
        judge_rows(variant, workload, answer, judge, few, found.verdicts)
        return time
    if name == "NumPy routing":
        many = WORKLOADS["uniform"](2_000, workload.k, 0)
        judge_routing(many, many.select(strategy="routing"), found.verdicts)
        return median(in_turn({"": partial(numpy_routing, many)}, 5)[""]) / many.n
    few = range(min(workload.n, 4 * scale.few))
    if name == "NumPy greedy":
        return median(seconds(partial(numpy_greedy, workload, row)) for row in few)
    if name == "HiGHS":
        return highs_seconds(workload, scale)
    return backend_seconds(name, workload, scale)


def highs_seconds(workload: Workload, scale: Scale) -> float | None:
    """Time a few solutions of HiGHS; None where it is missing or too late."""
    if highs_missing() is not None or workload.k * 128 > 70_000:
        return None
    times = []
    for row in range(scale.few):
        solver = Highs(workload, row, 10.0)
        times.append(seconds(solver.solve))
    return median(times)


def backend_seconds(backend: str, workload: Workload, scale: Scale) -> float | None:
    """Time the exact search of another backend."""
    if backend == "reference":
        if workload.k > 11:
            return None
        few = workload.rows(slice(scale.few))
        return seconds(partial(few.select, backend=backend)) / few.n
    if backend not in FAST:
        return None
    some = workload.rows(slice(50))  # a call costs more than many decisions
    return median(in_turn({"": partial(some.select, backend=backend)}, 3)[""]) / some.n


def by_samples(scale: Scale, found: Findings) -> Table:
    """Measure the exact search as the number of samples grows."""
    rows = []
    for name, n_samples in progress(product(("uniform", "priced"), SAMPLES), "samples"):
        workload = WORKLOADS[name](scale.queries, 100, 0)
        options = {"n_samples": n_samples, "time_limit": scale.time_limit}
        timed = decide_each(EXACT, workload, scale.budget / 3, **options)
        judge_certificate(workload, timed.answer, found.verdicts, 5 * scale.few, n_samples)
        rows.append([name, str(n_samples), *cells(timed)])
    columns = ["workload", "samples", "queries", "p50 us", "p99 us", "p99/p50"]
    columns += ["call p50 us", "call p99 us", "batch us", "decisions/s"]
    columns += ["nodes p50", "nodes max", "chosen", "certified"]
    return Table("Samples", "The exact search, 100 models, one thread.", columns, rows)


def against_highs(scale: Scale, found: Findings) -> Table | None:
    """Time HiGHS and the exact search in turn on the same queries."""
    if highs_missing() is not None:
        return None
    rows = []
    for name, k in progress(product(available(), (20, 40, 60)), "HiGHS"):
        workload = WORKLOADS[name](scale.highs, k, 1)
        n = scale.highs if (name, k) == ("uniform", 40) else scale.few
        theirs, ours, late = [], [], 0
        for row in range(n):
            query = workload.query(row)
            solver = Highs(workload, row, 10.0)
            theirs.append(seconds(solver.solve))
            optimum = solver.optimum
            call = best_of_three(query.select)
            ours.append(decision_seconds(EXACT, query, call))
            answer = query.select()
            if optimum is None:
                late += 1
                continue
            assert answer.optimal[0]
            assert abs(answer.tradeoff[0] - optimum) <= 1e-6, f"{name}, {k} models, query {row}"
            assert answer.upper_bound[0] >= optimum - 1e-9
            found.verdicts.add("HiGHS", 1)
        times = {"HiGHS": theirs, "exact": ours}
        faster = ratio(times, "HiGHS", "exact")
        found.measured[f"exact {name}, k = {k}", "as fast as HiGHS"] = faster
        rows.append(
            [
                name,
                str(k),
                str(n),
                f"{median(theirs) * 1e3:,.1f}",
                microseconds(median(ours)),
                f"{faster:,.0f}",
                str(n - late),
            ]
        )
    note = (
        "The same queries in turn, medians. HiGHS gets the strong formulation, built before the "
        "clock runs, one thread, at most 10 s, no gap allowed."
    )
    columns = ["workload", "models", "queries", "HiGHS ms", "exact us", "ratio", "same optimum"]
    return Table("HiGHS", note, columns, rows)


def against_greedy(scale: Scale, found: Findings) -> Table:
    """Time NumPy's greedy and the exact search in turn on the same queries."""
    rows = []
    for name, k in progress(product(("uniform", "priced"), (40, 200, 500)), "greedy"):
        workload = WORKLOADS[name](4 * scale.rounds, k, 2)
        times: dict[str, list[float]] = {"NumPy": [], "exact": []}
        worse = 0
        for row in range(workload.n):
            query = workload.query(row)
            decide = partial(query.select, time_limit=scale.time_limit)
            answer = decide()
            times["NumPy"].append(seconds(partial(numpy_greedy, workload, row)))
            call = best_of_three(decide)
            times["exact"].append(decision_seconds(EXACT, query, call, time_limit=scale.time_limit))
            _, greedy = numpy_greedy(workload, row)
            assert greedy <= answer.upper_bound[0] + 1e-9
            worse += bool(greedy < answer.tradeoff[0] - 1e-9)
        faster = ratio(times, "NumPy", "exact")
        found.measured[f"exact {name}, k = {k}", "as fast as NumPy's greedy"] = faster
        medians = [microseconds(median(times[solver])) for solver in times]
        rows.append([name, str(k), *medians, f"{faster:.2f}", f"{worse / workload.n:.0%}"])
    columns = ["workload", "models", "NumPy us", "exact us", "ratio", "NumPy is worse"]
    note = "The same queries in turn, medians. NumPy's greedy proves nothing, and is often wrong."
    return Table("NumPy's greedy", note, columns, rows)


def growth(scale: Scale, found: Findings) -> Table:
    """Fit how the exact search grows with the models."""
    points: list[tuple[int, float]] = []
    for k in progress(scale.growth, "growth"):
        workload = WORKLOADS["uniform"](scale.queries, k, 3)
        timed = decide_each(EXACT, workload, scale.budget, time_limit=scale.time_limit)
        points.append((k, float(np.median(timed.decisions))))
    sizes, times = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    fitted = exponent(sizes, times)
    found.measured["growth with k from 50 to 500, uniform", "exponent"] = fitted
    rows = [[str(k), microseconds(time), f"{time / k * 1e9:,.0f}"] for k, time in points]
    note = f"Uniform workload, medians. Time grows as the number of models to the {fitted:.2f}."
    return Table("Growth", note, ["models", "p50 us", "ns a model"], rows)


def threads(scale: Scale, found: Findings) -> Table:
    """Time one and two threads in turn on large batches."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows = []
    for name, k in progress((("uniform", 40), ("uniform", 200), ("priced", 40)), "threads"):
        trial = WORKLOADS[name](200, k, 4)
        each = seconds(trial.select) / trial.n
        n = int(np.clip(scale.thread_seconds / each, 200, 200_000))
        workload = WORKLOADS[name](n, k, 4)
        answers = [workload.select(n_threads=count) for count in (1, 2)]
        judge_rows_equal(answers)
        found.verdicts.add("one thread", n)
        calls = {str(count): partial(workload.select, n_threads=count) for count in (1, 2)}
        times = in_turn(calls, max(3, scale.rounds // 3))
        faster = ratio(times, "1", "2")
        if (name, k) == ("uniform", 200):
            found.measured["two threads", "as fast as one"] = faster
        rates = [f"{n / median(times[count]):,.0f}" for count in times]
        rows.append([name, str(k), f"{n:,}", *rates, f"{faster:.2f}"])
    columns = ["workload", "models", "queries", "1 thread/s", "2 threads/s", "ratio"]
    note = f"Decisions a second of the exact search, in turn, medians. {cpus} CPUs may be used."
    return Table("Threads", note, columns, rows)


def judge_rows_equal(answers: list[hr.Selection]) -> None:
    """Assert that two answers to the same batch are one."""
    one, other = answers
    assert np.array_equal(one.supermodel, other.supermodel)
    assert np.array_equal(one.tradeoff, other.tradeoff)


def limits(scale: Scale, found: Findings) -> Table:
    """Compare each kernel with what the machine can do: the roofline."""
    rows = []
    k = 200
    for n in progress(scale.rows, "streaming"):
        workload = WORKLOADS["uniform"](n, k, 5)
        q, c = workload.qualities.ravel(), workload.costs.ravel()
        judge_routing(workload, workload.select(strategy="routing"), found.verdicts)
        times = in_turn(
            {
                "reading the inputs": partial(np.dot, q, c),
                "NumPy's line": partial(numpy_routing, workload),
                "routing": partial(workload.select, strategy="routing"),
                "index": partial(workload.select, strategy="index"),
            },
            scale.rounds,
        )
        read = 16 * k * n
        most = read / median(times["reading the inputs"])
        flops = {"reading the inputs": 2, "NumPy's line": 2, "routing": 2, "index": 12}
        for name, samples in times.items():
            time = median(samples)
            share = read / time / most
            written = 0 if name in ("reading the inputs", "NumPy's line") else k
            rows.append(
                [
                    f"{name}, {n:,} queries",
                    f"{16 * k + written:,}",
                    f"{flops[name] * k:,}",
                    microseconds(time / n),
                    f"{read / time / 1e9:.1f} GB/s",
                    f"{share:.0%}",
                ]
            )
            if n == scale.rows[0] and name == "routing":
                case = "routing, k = 200"
                found.measured[case, "bandwidth of reading the inputs"] = 100.0 * share
        if n == scale.rows[0]:
            speed = ratio(times, "NumPy's line", "routing")
            found.measured["routing, k = 200", "as fast as NumPy's line"] = speed
            slow = ratio(times, "index", "NumPy's line")
            found.measured["index, k = 200", "time of NumPy's line"] = slow
    rows += compute_rows(scale, k)
    note = (
        f"Roofline at k = {k}, S = 128, by formula. Streaming rules read q and c once, 16 k bytes "
        "a query (and write k bytes of the supermodel); their limit is the speed at which `np.dot` "
        "reads both. The searches work in the cache; draws cost 2 k S operations, a pass over all "
        "draws (a subtraction, a maximum, an addition) 3 k S. Their limit is half the speed of a "
        "matrix product, because nothing is fused. Operations are counted as for a plain greedy: "
        "the draws, one pass a chosen model, and one for the bound; a search that skips some may "
        "exceed the limit, and one that branches does more."
    )
    columns = ["kernel", "bytes", "operations", "us a decision", "speed", "share of the limit"]
    return Table("What limits each kernel", note, columns, rows)


def compute_rows(scale: Scale, k: int) -> list[list[str]]:
    """Return the rows of the searches."""
    peak = flops_per_second(scale.rounds)
    rows = []
    for kernel, name in (("Greedy", "uniform"), ("Normal", "uniform"), ("Normal", "priced")):
        workload = WORKLOADS[name](scale.queries, k, 0)
        variant = VARIANTS[kernel]
        options = {"time_limit": scale.time_limit} if kernel == "Normal" else {}
        timed = decide_each(variant, workload, scale.budget / 3, **options)
        chosen = float(np.median(timed.answer.supermodel.sum(axis=1)))
        passes = 1.0 + (chosen if kernel == "Normal" else 1.0)
        work = (2 + 3 * passes) * k * 128
        time = float(np.median(timed.decisions))
        label = "greedy" if kernel == "Greedy" else "exact"
        rows.append(
            [
                f"{label} {name}, {chosen:.0f} chosen",
                f"{16 * k:,}",
                f"{work:,.0f}",
                microseconds(time),
                f"{work / time / 1e9:.1f} Gop/s",
                f"{work / time / peak:.0%}",
            ]
        )
    return rows


SECTIONS = (
    exact_by_workload,
    variants_by_size,
    by_samples,
    against_highs,
    against_greedy,
    growth,
    threads,
    limits,
)


def write(output: Path, tables: list[Table], found: Findings, scale: Scale, command: str) -> None:
    """Print the report; write it and its pictures."""
    pictures = output / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    draw_variants(found.variants, pictures / "variants.png")
    draw_workloads(found.workloads, scale.time_limit, pictures / "workloads.png")
    isa = os.environ.get("HEADRACE_ISA", "not set")
    missing = [f"{name} ({reason})" for name, reason in workloads().items() if reason is not None]
    head = [
        "# Report",
        "",
        f"Written by `{command}`; README.md beside it says how to read it.",
        "",
        f"{machine()}; HEADRACE_ISA: {isa}. {cpu()}",
        "",
        f"Asserted, decisions by judge: {found.verdicts}.",
        *(["", f"Left out: {', '.join(missing)}."] if missing else []),
        "",
        "![Time of a decision by number of models, variant and peer](pictures/variants.png)",
        "",
        "![Time of an exact decision by number of models and workload](pictures/workloads.png)",
    ]
    text = "\n\n".join(["\n".join(head), *map(str, tables)]) + "\n"
    (output / "REPORT.md").write_text(text, encoding="utf-8")
    print(text)


def cpu() -> str:
    """Name the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} CPUs: {names[0]}." if names else ""


def main() -> None:
    """Measure, assert, write."""
    parser = argparse.ArgumentParser(description="Measure everything and write the report.")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--output", type=Path, help="folder of REPORT.md and pictures/")
    parser.add_argument("--json", type=Path, help="file for all tables and figures")
    arguments = parser.parse_args()
    if "cpp" not in FAST:
        sys.exit(f"nothing to measure: {hr.backends()['cpp']}")
    if "OPENBLAS_NUM_THREADS" not in os.environ:  # NumPy has read it already: start again
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    scale = QUICK if arguments.quick else Scale()
    output = arguments.output or (QUICK_OUTPUT if arguments.quick else HERE)

    found = Findings()
    tables = []
    for section in tqdm(SECTIONS, desc="report", file=sys.stderr):
        table = section(scale, found)
        if table is not None:
            tables.append(table)
    tables.insert(0, figures(found.measured))
    command = "python benchmarks/report.py" + (" --quick" if arguments.quick else "")
    write(output, tables, found, scale, command)
    if arguments.json is not None:
        named = {f"{case}: {what}": value for (case, what), value in found.measured.items()}
        content = {"figures": named, "tables": {t.title: [t.columns, *t.rows] for t in tables}}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
