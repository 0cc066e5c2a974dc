"""What locust runs: users who walk sessions of the reference service. Started by load.py.

Each user has one connection, and asks for the next decision as soon as it has the last. The signal
of an answer is that of the query's row. Users stop between sessions, once enough is decided; then
the latencies of all requests, the errors, and the decisions of the first sessions are written to a
file.
"""

from __future__ import annotations

import json
import os
from array import array
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import numpy as np
import orjson
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopUser

TOLD = json.loads(os.environ["HEADRACE_LOAD"])
"""Of load.py: the file with queries, where to write, how many decisions, how many to keep."""
QUERIES = orjson.loads(Path(TOLD["queries"]).read_bytes())
"""By row: the body that starts a session; by row and model, what is told of an answer."""
STARTS = [orjson.dumps(start) for start in QUERIES["starts"]]
HEADERS = {"Content-Type": "application/json"}

turns = count()
latencies = array("d")
ends = array("d")
errors: list[str] = []
kept: list[dict[str, Any]] = []


class Walker(FastHttpUser):
    """Walks one session after the other, until enough has been decided."""

    @task
    def walk(self) -> None:
        """Walk a session from its start to its answer."""
        if len(latencies) >= TOLD["decisions"]:
            raise StopUser
        turn = next(turns)
        row = turn % len(STARTS)
        told = self.post("/start", STARTS[row])
        path = []
        while told is not None and told["next_model"] is not None:
            model = told["next_model"]
            path.append(model)
            answer = QUERIES["answers"][row][model]
            body = {"session": told["session"], "model": model, **answer}
            told = self.post("/observe", orjson.dumps(body))
        if told is not None and turn < TOLD["kept"]:
            kept.append({"row": row, "path": path, "answer": told["answer"]})

    def post(self, path: str, body: bytes) -> dict[str, Any] | None:
        """Ask for a decision; None if it fails."""
        response = self.client.post(path, data=body, headers=HEADERS)  # type: ignore[arg-type]  # bytes do
        if response.status_code != 200:
            errors.append(f"{path} {response.status_code} {response.text}")
            return None
        told: dict[str, Any] = orjson.loads(response.content)
        return told


def remember(response_time: float, **_: Any) -> None:
    """Keep the milliseconds of a request, and when it was over."""
    latencies.append(response_time)
    ends.append(monotonic())


def watch(environment: Environment, **_: Any) -> None:
    """End the run once all users have stopped."""

    def wait() -> None:
        assert environment.runner is not None
        while len(latencies) < TOLD["decisions"] or environment.runner.user_count:
            gevent.sleep(0.1)
        environment.runner.quit()

    gevent.spawn(wait)


def write(environment: Environment, **_: Any) -> None:
    """Write what was seen."""
    np.savez(
        Path(TOLD["results"]),
        latencies=np.frombuffer(latencies),
        seconds=ends[-1] - ends[0] if ends else 0.0,
        errors=np.array(errors, dtype=np.str_),
        kept=np.array(json.dumps(kept)),
    )


for event, listener in (
    (events.request, remember),
    (events.test_start, watch),
    (events.quitting, write),
):
    event.add_listener(listener)  # type: ignore[no-untyped-call]
