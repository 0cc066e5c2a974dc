"""Load on the reference service: requests a second, latency, errors, and headrace's share.

A saved router of 50 models is served by benchmarks/service in a process of its own, on the loopback
interface, and locust walks sessions through 64 connections until enough has been decided. Locust is
a standard load generator that pip installs, and its users are Python, so that a session (a request
depends on the response before it) is a plain loop, and its answers can be kept: those of the first
sessions are asserted to be the decisions of `Router.select`. No request may fail.

The share of headrace is read from the service's own metrics: the seconds that it spends in
headrace, over the processor's seconds that the server takes, all that HTTP and JSON cost there
included. The former are of the clock, so that they count what interrupts headrace too. The routers
are those of latency.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import headrace as hr
import httpx
import numpy as np
import orjson
from common import machine
from figures import Goal, Measured, figures
from latency import MAKERS, paths
from prometheus_client.parser import text_string_to_metric_families
from tables import Table
from workloads import Floats

HERE = Path(__file__).resolve().parent
SPENT = (
    "process_cpu_seconds_total",
    "headrace_seconds_sum",
    "headrace_request_seconds_count",
)
KEPT = 200
"""Sessions whose decisions are compared."""
WARM_UP = 2_000
"""Decisions before those that count."""


@contextlib.contextmanager
def served(router_file: Path) -> Iterator[str]:
    """Serve a router; yield the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "service", str(router_file), "--port", str(port)]
    process = subprocess.Popen(command, cwd=HERE)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, "the service did not start"
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{address}/health")
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def write_queries(path: Path, log: hr.QueryLog) -> None:
    """Write what users send: the starts of sessions, and what is told of each answer."""
    features, signals = log.queries.features, log.queries.signals
    rows = range(log.n_queries)

    def answer(row: int, column: int) -> dict[str, float]:
        told = {"cost": float(log.cost[row, column])}
        if signals is not None:
            told["signal"] = float(signals[row, column, 0])
        return told

    starts: list[dict[str, Any]] = [
        {"index": row} if features is None else {"features": features[row].tolist()} for row in rows
    ]
    answers = [
        {name: answer(row, column) for column, name in enumerate(log.models)} for row in rows
    ]
    path.write_bytes(orjson.dumps({"starts": starts, "answers": answers}))


@dataclass(frozen=True)
class Load:
    """What locust saw: milliseconds of each request, errors, and sessions that were kept."""

    latencies: Floats
    seconds: float
    """From the end of the first request to that of the last."""
    errors: list[str]
    kept: list[dict[str, Any]]


def walk(address: str, queries: Path, decisions: int, connections: int, seconds: float) -> Load:
    """Let locust walk sessions until so much is decided, or the time is over."""
    results = queries.with_name("results.npz")
    results.unlink(missing_ok=True)
    told = {
        "queries": str(queries),
        "results": str(results),
        "decisions": decisions,
        "kept": KEPT,
    }
    subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(HERE / "walkers.py"), "--headless"),
            *("--host", address, "--users", str(connections), "--spawn-rate", str(connections)),
            *("--run-time", f"{seconds:.0f}s", "--skip-log-setup", "--exit-code-on-error", "0"),
        ],
        env={**os.environ, "HEADRACE_LOAD": json.dumps(told)},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=seconds + 60.0,
    )
    with np.load(results, allow_pickle=False) as file:
        return Load(
            file["latencies"],
            float(file["seconds"]),
            file["errors"].tolist(),
            json.loads(str(file["kept"])),
        )


def assert_decides_as_router(router: hr.Router, log: hr.QueryLog, kept: list[Any]) -> None:
    """Assert that the sessions went the way of `Router.select` and gave `Router.answer`."""
    assert kept, "no session came to its end"
    rows = [session["row"] for session in kept]
    queries = log.queries.rows(rows)
    expected = paths(router, queries)
    ran = np.zeros((len(rows), log.n_models), dtype=np.bool_)
    for place, path in enumerate(expected):
        ran[place, path] = True
    answers = router.answer(queries, ran)
    for session, path, answer in zip(kept, expected, answers.tolist(), strict=True):
        names = [log.models[model] for model in path]
        assert (session["path"], session["answer"]) == (names, log.models[answer]), session


def metrics(address: str) -> dict[str, float]:
    """Return the service's own figures, summed over their labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(httpx.get(f"{address}/metrics").text):
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def report(load: Load, spent: dict[str, float]) -> tuple[list[list[str]], float]:
    """Return the rows of the table, and headrace's share in %; ``spent`` is from the metrics."""
    n = len(load.latencies)
    cpu, ours = spent["process_cpu_seconds_total"], spent["headrace_seconds_sum"]
    requests = spent["headrace_request_seconds_count"]
    points = np.quantile(load.latencies, [0.5, 0.99, 0.999])
    rows = [
        ["decisions", f"{n:,}"],
        ["errors", f"{len(load.errors):,}"],
        ["requests a second", f"{n / load.seconds:,.0f}"],
        *(
            [f"{name}, ms", f"{point:.1f}"]
            for name, point in zip(("p50", "p99", "p99.9"), points, strict=True)
        ),
        ["processor of the server a request, us", f"{1e6 * cpu / requests:.0f}"],
        ["headrace a request, us", f"{1e6 * ours / requests:.1f}"],
        ["headrace over the processor, %", f"{100.0 * ours / cpu:.1f}"],
        ["headrace over the median latency, %", f"{0.1 * 1e6 * ours / requests / points[0]:.2f}"],
    ]
    return rows, 100.0 * ours / cpu


def main() -> None:
    """Serve, load, assert and print."""
    parser = argparse.ArgumentParser(description="Load on the reference service.")
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3600.0, help="at the most")
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--estimates", choices=list(MAKERS), default="joint", help="see latency.py")
    parser.add_argument(
        "--strategy", choices=("cascade_routing", "index"), default="cascade_routing"
    )
    parser.add_argument("--quick", action="store_true", help="10,000 decisions, 20 seconds")
    given = parser.parse_args()
    decisions, seconds = (10_000, 20.0) if given.quick else (given.decisions, given.seconds)
    router, log = MAKERS[given.estimates](given.models, given.strategy)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        router.save(folder / "router")
        write_queries(folder / "queries.json", log)
        load = partial(walk, queries=folder / "queries.json", connections=given.connections)
        with served(folder / "router") as address:
            load(address, decisions=WARM_UP, seconds=seconds)
            before = metrics(address)
            seen = load(address, decisions=decisions, seconds=seconds)
            after = metrics(address)
    assert not seen.errors, seen.errors[:10]
    assert_decides_as_router(router, log, seen.kept)
    rows, share = report(seen, {name: after[name] - before[name] for name in SPENT})
    case = (
        f"service, {given.strategy}, {given.estimates}, k = {given.models}, "
        f"{given.connections} connections"
    )
    goal = Goal(case, "headrace over the processor", 5.0, "%", at_least=False)
    measured: Measured = {(case, goal.what): share}
    print(machine(), end="\n\n")
    print(Table(f"Load: {case}", "", ["", "measured"], rows), end="\n\n")
    print(figures(measured, [goal]))
    print(f"\nNo error; {len(seen.kept)} sessions decided as Router.select.")


if __name__ == "__main__":
    main()
