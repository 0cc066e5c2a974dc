"""The reference service: right decisions, clear errors, and nothing lost but what clients drop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from routers import Blend, make_log

httpx = pytest.importorskip("httpx")
pytest.importorskip("orjson")
pytest.importorskip("prometheus_client")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from prometheus_client.parser import text_string_to_metric_families  # noqa: E402
from service import app as service_app  # noqa: E402
from service import sessions as service_sessions  # noqa: E402

BENCHMARKS = Path(service_app.__file__).parents[1]
K = 4
LOG = make_log(300, K, seed=1)
Client = Any
Walked = tuple[list[str], str]


def fitted(lambda_: float = 0.3, log: hr.QueryLog = LOG) -> hr.Router:
    router = hr.Router(
        hr.GaussianEstimator(own_features=np.arange(K), cost_features=np.arange(K, 2 * K)),
        lambda_=lambda_,
        lookahead=1.0,
        n_samples=32,
        n_threads=1,
    )
    return router.fit(log)


ROUTER = fitted()


def make_app(router: hr.Router = ROUTER, **options: Any) -> Any:
    limits = service_app.Limits(**options)
    return service_app.create_app(lambda: router, limits=limits)


@contextlib.asynccontextmanager
async def client_of(app: Any) -> Any:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


def with_client(app: Any, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with client_of(app) as client:
            return await use(client)

    return asyncio.run(run())


def query(row: int) -> dict[str, Any]:
    known = LOG.queries
    assert known.features is not None
    assert known.groups is not None
    return {"features": known.features[row].tolist(), "group": str(known.groups[row])}


def answer_of(row: int, model: str, log: hr.QueryLog = LOG) -> dict[str, Any]:
    column = log.models.index(model)
    assert log.queries.signals is not None
    return {
        "model": model,
        "signal": float(log.queries.signals[row, column, 0]),
        "cost": float(log.cost[row, column]),
    }


async def start(client: Client, row: int) -> tuple[str, str]:
    response = await client.post("/start", json=query(row))
    assert response.status_code == 200, response.text
    return response.json()["session"], response.json()["next_model"]


async def observe(client: Client, session: str, row: int, model: str) -> Any:
    return await client.post("/observe", json={"session": session, **answer_of(row, model)})


async def walk(client: Client, row: int) -> Walked:
    session, model = await start(client, row)
    ran = []
    while model is not None:
        ran.append(model)
        await asyncio.sleep(0)  # here the model would answer
        response = await observe(client, session, row, model)
        assert response.status_code == 200, response.text
        model = response.json()["next_model"]
    cost = sum(answer_of(row, name)["cost"] for name in ran)
    assert response.json()["cost"] == pytest.approx(cost)
    return ran, response.json()["answer"]


def expected(router: hr.Router, row: int) -> Walked:
    """Decide step by step with `Router.select`."""
    one = LOG.queries.rows([row])
    ran = np.zeros((1, K), dtype=bool)
    path = []
    while (model := int(router.select(one, ran).next_model[0])) >= 0:
        path.append(LOG.models[model])
        ran[0, model] = True
    return path, LOG.models[int(router.answer(one, ran)[0])]


def samples_of(text: str) -> dict[str, float]:
    """Return the sum of each sample over its labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_sessions_decide_as_the_router_does() -> None:
    rows = range(60)

    async def use(client: Client) -> tuple[list[Walked], dict[str, float]]:
        walked = await asyncio.gather(*(walk(client, row) for row in rows))
        return walked, samples_of((await client.get("/metrics")).text)

    walked, metrics = with_client(make_app(), use)
    assert walked == [expected(ROUTER, row) for row in rows]
    assert len({len(ran) for ran, _ in walked}) > 1
    decisions = sum(len(ran) + 1 for ran, _ in walked)
    assert metrics["headrace_decisions_total"] == decisions
    assert metrics["headrace_seconds_count"] == decisions
    assert metrics["headrace_request_seconds_count"] == decisions
    assert 0.0 < metrics["headrace_seconds_sum"] < metrics["headrace_request_seconds_sum"]
    assert metrics["headrace_open_sessions"] == 0


def test_health_and_explain() -> None:
    async def use(client: Client) -> None:
        session, model = await start(client, 0)
        health = (await client.get("/health")).json()
        assert health == {"status": "ok", "models": list(LOG.models), "open_sessions": 1}
        explained = (await client.get(f"/explain/{session}")).json()
        assert explained["next_model"] == model
        assert explained["ran"] == []
        assert model in explained["text"]
        while model is not None:
            model = (await observe(client, session, 0, model)).json()["next_model"]
        explained = (await client.get(f"/explain/{session}")).json()
        assert explained["next_model"] is None
        assert explained["answer"] in explained["ran"]
        assert (await client.get("/health")).json()["open_sessions"] == 0

    with_client(make_app(), use)


def test_what_the_readme_shows(tmp_path: Path) -> None:
    text = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"hr": hr}
    [log] = [block for block in code if block.count("curves = ")]
    exec(log[: log.index("curves = ")], names)
    path = tmp_path / "router"
    names["router"].save(path)
    app = service_app.create_app(lambda: hr.load_router(path))
    steps = re.findall(r"\$ curl -d '(.*)' localhost:8000(/\w+)\n(.*)\n", text)
    assert len(steps) == 3

    async def use(client: Client) -> None:
        session = ""
        for body, route, shown in steps:
            given, expected = json.loads(body), json.loads(shown)
            if session:
                given["session"] = session
            told = (await client.post(route, json=given)).json()
            session = told["session"]
            assert told == {**expected, "session": session}

    with_client(app, use)


GOOD = query(0)
SIGNAL = {"signal": 0.5, "cost": 0.1}
BAD_STARTS: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "no JSON"),
    "empty": (b"", "no JSON"),
    "not a number": (b'{"features": [NaN]}', "no JSON"),
    "infinite": (b'{"features": [1e999]}', ""),
    "no object": (b"[1, 2]", "object"),
    "no text": (b'{"group": "\xff"}', "no JSON"),
    "deep": (b"[" * 100_000, "no JSON"),
    "unknown field": ({**GOOD, "models": 3}, "models"),
    "no features": ({}, "features"),
    "too few features": ({"features": [1.0]}, "features"),
    "a hole": ({"features": [None] * 2 * K}, "features"),
    "texts": ({"features": ["1.0"] * 2 * K}, "features"),
    "ragged": ({"features": [[1.0], 2.0] * K}, "features"),
    "huge": ({"features": [1e305] * 2 * K}, "features"),
    "group": ({**GOOD, "group": ["x"]}, "group"),
    "index": ({**GOOD, "index": -1}, "index"),
    "huge index": ({**GOOD, "index": 2**63}, ""),
}


@pytest.mark.parametrize("body", BAD_STARTS)
def test_bad_starts(body: str) -> None:
    content, names = BAD_STARTS[body]
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def use(client: Client) -> None:
        response = await client.post("/start", content=raw)
        assert response.status_code == 400, response.text
        assert names in response.json()["error"]
        assert (await client.get("/health")).json()["open_sessions"] == 0

    with_client(make_app(), use)


BAD_OBSERVATIONS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no session": ({"model": "?"}, 400, "session"),
    "unknown session": ({"session": "0-x", "model": "?"}, 404, "0-x"),
    "session is a number": ({"session": 3, "model": "?"}, 400, "session"),
    "unknown model": ({"model": "model z", **SIGNAL}, 400, "model z"),
    "model is a number": ({"model": 1, **SIGNAL}, 400, "model"),
    "no signal": ({"model": "?"}, 400, "signal"),
    "null signal": ({"model": "?", "signal": None}, 400, "signal"),
    "text signal": ({"model": "?", "signal": "good"}, 400, "signal"),
    "two signals": ({"model": "?", "signal": [0.1, 0.2]}, 400, "signal"),
    "negative cost": ({"model": "?", "signal": 0.5, "cost": -1.0}, 400, "cost"),
    "text cost": ({"model": "?", "signal": 0.5, "cost": "1"}, 400, "cost"),
    "unknown field": ({"model": "?", **SIGNAL, "latency": 3}, 400, "latency"),
    "not asked for": ({"model": "other", **SIGNAL}, 400, "not asked for"),
}


@pytest.mark.parametrize("what", BAD_OBSERVATIONS)
def test_bad_observations_leave_the_session_as_it_was(what: str) -> None:
    body, status, names = BAD_OBSERVATIONS[what]

    async def use(client: Client) -> Walked:
        session, model = await start(client, 0)
        other = next(name for name in LOG.models if name != model)
        given = dict(body)
        given["model"] = {"?": model, "other": other}.get(given["model"], given["model"])
        if "session" not in given and what != "no session":
            given["session"] = session
        response = await client.post("/observe", json=given)
        assert response.status_code == status, response.text
        assert names in response.json()["error"]
        ran = []
        while model is not None:
            ran.append(model)
            response = await observe(client, session, 0, model)
            model = response.json()["next_model"]
        return ran, response.json()["answer"]

    assert with_client(make_app(), use) == expected(ROUTER, 0)


def test_signals_that_are_not_numbers() -> None:
    async def use(client: Client) -> None:
        session, model = await start(client, 0)
        for signal_text in ("NaN", "Infinity", "-Infinity", "1e999"):
            raw = f'{{"session": "{session}", "model": "{model}", "signal": {signal_text}}}'
            response = await client.post("/observe", content=raw.encode())
            assert response.status_code == 400, response.text
        assert (await observe(client, session, 0, model)).status_code == 200

    with_client(make_app(), use)


def test_what_comes_twice_conflicts_and_says_where_the_session_is() -> None:
    row = next(row for row in range(50) if len(expected(ROUTER, row)[0]) > 1)

    async def use(client: Client) -> None:
        session, model = await start(client, row)
        first = await observe(client, session, row, model)
        again = await observe(client, session, row, model)
        assert again.status_code == 409
        assert "observed already" in again.json()["error"]
        assert again.json()["next_model"] == first.json()["next_model"]
        step = first.json()["next_model"]
        while step is not None:
            model, step = step, (await observe(client, session, row, step)).json()["next_model"]
        after = await observe(client, session, row, model)
        assert after.status_code == 409
        assert after.json()["answer"] == expected(ROUTER, row)[1]

    with_client(make_app(), use)


def test_of_equal_observations_at_once_one_counts() -> None:
    async def use(client: Client) -> None:
        session, model = await start(client, 0)
        responses = await asyncio.gather(*(observe(client, session, 0, model) for _ in range(8)))
        assert sorted(response.status_code for response in responses) == [200] + [409] * 7

    with_client(make_app(), use)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/start", 405), ("GET", "/explain/0-x", 404)],
)
def test_errors_are_json(method: str, path: str, status: int) -> None:
    async def use(client: Client) -> None:
        response = await client.request(method, path)
        assert response.status_code == status
        assert response.json()["error"]

    with_client(make_app(), use)


def test_large_bodies() -> None:
    async def parts() -> Any:
        for _ in range(100):
            yield b" " * 100

    async def use(client: Client) -> None:
        whole = await client.post("/start", content=b" " * 10_000)
        chunked = await client.post("/start", content=parts())
        assert (whole.status_code, chunked.status_code) == (413, 413)
        assert "1000 bytes" in whole.json()["error"]
        assert (await client.post("/start", json=query(0))).status_code == 200

    with_client(make_app(most_bytes=1000), use)


def test_there_is_room_again_when_sessions_end() -> None:
    async def use(client: Client) -> None:
        opened = [await start(client, row) for row in range(3)]
        full = await client.post("/start", json=query(3))
        assert full.status_code == 503
        assert "3 sessions" in full.json()["error"]
        session, model = opened[0]
        while model is not None:
            model = (await observe(client, session, 0, model)).json()["next_model"]
        assert (await client.post("/start", json=query(3))).status_code == 200

    with_client(make_app(most_sessions=3), use)


def test_idle_sessions_are_dropped() -> None:
    now = 0.0
    sessions = service_sessions.Sessions("0", 100, 10.0, lambda: now)
    names: list[str] = []
    while len(names) < 8:
        names.append(sessions.add(ROUTER.start(**query(0))))
        now += 1.0
    assert len(sessions) == 8
    now = 12.0
    assert sessions.get(names[2]) is not None
    assert sessions.get(names[1]) is None
    now = 15.0
    assert [sessions.get(name) is not None for name in names] == [
        name in (names[2], *names[5:]) for name in names
    ]
    now = 30.0
    assert len(sessions) == 0
    assert not sessions._open


def test_few_sessions_that_ended_are_kept() -> None:
    sessions = service_sessions.Sessions("0", 20, 10.0)
    names = [sessions.add(ROUTER.start(**query(0))) for _ in range(5)]
    for name in names:
        sessions.end(name)
    assert [sessions.get(name) is not None for name in names] == [False] * 3 + [True] * 2
    assert len(sessions) == 0


def test_a_client_that_leaves_amid_its_request() -> None:
    app = make_app()
    row = 0

    async def use(client: Client) -> Any:
        session, model = await start(client, row)
        body = json.dumps({"session": session, **answer_of(row, model)}).encode()
        messages = [
            {"type": "http.request", "body": body[:20], "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            pass

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/observe",
            "headers": [],
            "query_string": b"",
        }
        await app(scope, receive, send)
        assert not messages
        return (await observe(client, session, row, model)).status_code

    assert with_client(app, use) == 200


async def walk_some(
    client: Client, rows: list[int], rests: list[Callable[[], Awaitable[Any]] | None]
) -> list[Walked | None]:
    """Walk sessions at once, each until its rest is over, if it has one; None: it was cut off."""

    async def cut(row: int, rest: Callable[[], Awaitable[Any]] | None) -> Walked | None:
        task = asyncio.ensure_future(walk(client, row))
        if rest is not None:
            await rest()
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return await asyncio.gather(*map(cut, rows, rests))


def assert_only_the_cut_are_lost(
    rows: list[int], found: list[Walked | None], rests: list[Any]
) -> int:
    wanted = {row: expected(ROUTER, row) for row in set(rows)}
    for row, walked, rest in zip(rows, found, rests, strict=True):
        assert walked == wanted[row] or (walked is None and rest is not None)
    return sum(walked is None for walked in found)


def test_2000_sessions_cancelled_at_random() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(0, LOG.n_queries, 2_000).tolist()

    async def turns(n: int) -> None:
        for _ in range(n):
            await asyncio.sleep(0)

    rests: list[Any] = [
        partial(turns, int(random.integers(0, 5))) if dooms else None
        for dooms in random.random(2_000) < 0.7
    ]

    async def use(client: Client) -> tuple[list[Walked | None], dict[str, float]]:
        found = []
        for first in range(0, 2_000, 100):
            some = slice(first, first + 100)
            found += await walk_some(client, rows[some], rests[some])
        return found, samples_of((await client.get("/metrics")).text)

    found, metrics = with_client(make_app(most_sessions=2_000), use)
    lost = assert_only_the_cut_are_lost(rows, found, rests)
    assert 500 < lost < 1_500
    assert 0 < metrics["headrace_open_sessions"] <= lost


class Failing(Blend):
    """Fails once a model has run and it is broken."""

    broken = False

    def estimate(self, queries: hr.Queries, ran: Sequence[int]) -> hr.Estimates:
        if self.broken and len(ran):
            raise RuntimeError("the estimator's own fault")
        return super().estimate(queries, ran)


def test_a_failing_estimator_is_an_internal_error_in_json(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = hr.Router(Failing(), strategy="index", lambda_=0.1, n_threads=1).fit(LOG)
    router.estimator_.broken = True  # type: ignore[attr-defined]

    async def use(client: Client) -> None:
        response = await client.post("/start", json={"features": GOOD["features"]})
        body = {**response.json(), **answer_of(0, response.json()["next_model"])}
        del body["next_model"]
        response = await client.post("/observe", json=body)
        assert response.status_code == 500
        assert response.json() == {"error": "internal error"}
        assert (await client.post("/start", json=query(1))).status_code == 200

    with_client(make_app(router), use)
    assert "the estimator's own fault" in caplog.text


def renamed(log: hr.QueryLog) -> hr.QueryLog:
    return hr.QueryLog(
        log.quality,
        log.cost,
        features=log.queries.features,
        signals=log.queries.signals,
        models=[f"new {name}" for name in log.models],
        groups=log.queries.groups,
    )


def test_reload_while_serving_loses_no_session(tmp_path: Path) -> None:
    path = tmp_path / "a.headrace"
    ROUTER.save(path)
    new = fitted(0.1, renamed(LOG))
    app = service_app.create_app(lambda: hr.load_router(path))
    rows = range(80)

    async def use(client: Client) -> None:
        opened = {row: await start(client, row) for row in rows}
        new.save(path)
        assert (await client.get("/health")).json()["models"] == list(LOG.models)

        async def finish(row: int) -> Walked:
            session, model = opened[row]
            ran = []
            while model is not None:
                ran.append(model)
                response = await observe(client, session, row, model)
                assert response.status_code == 200, response.text
                model = response.json()["next_model"]
            return ran, response.json()["answer"]

        reloads = [client.post("/reload") for _ in range(3)]
        results = await asyncio.gather(*reloads, *(finish(row) for row in rows))
        assert all(response.status_code == 200 for response in results[:3])
        assert results[3:] == [expected(ROUTER, row) for row in rows]

        session, model = await start(client, 0)
        assert model.startswith("new ")
        wrong = await client.post(
            "/observe", json={"session": session, **answer_of(0, LOG.models[0])}
        )
        assert wrong.status_code == 400
        assert "unknown model" in wrong.json()["error"]
        metrics = samples_of((await client.get("/metrics")).text)
        assert metrics["headrace_reloads_total"] == 3

    with_client(app, use)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999, None])
def test_what_cannot_be_loaded_leaves_the_old_one_in_service(
    tmp_path: Path, share: float | None
) -> None:
    path = tmp_path / "a.headrace"
    ROUTER.save(path)
    app = service_app.create_app(lambda: hr.load_router(path))
    content = path.read_bytes()

    async def use(client: Client) -> None:
        session, model = await start(client, 0)
        if share is None:
            path.unlink()
        else:
            path.write_bytes(content[: int(share * len(content))])
        response = await client.post("/reload")
        assert response.status_code == 409, response.text
        assert "the router in service stays" in response.json()["error"]
        assert (await observe(client, session, 0, model)).status_code == 200
        assert await walk(client, 1) == expected(ROUTER, 1)
        path.write_bytes(content)
        assert (await client.post("/reload")).status_code == 200

    with_client(app, use)


def traced_bytes() -> int:
    """Return what files of the service, and of what it stands on, hold of memory."""
    gc.collect()
    parts = ("headrace", "service", "starlette", "prometheus_client")
    ours = [tracemalloc.Filter(True, f"*/{part}/*") for part in parts]
    traces = tracemalloc.take_snapshot().filter_traces(ours)
    return sum(trace.size for trace in traces.traces)


def live_sessions() -> int:
    gc.collect()
    return sum(isinstance(one, hr.Session) for one in gc.get_objects())


def test_memory_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of walked sessions the last are kept for a while, abandoned ones until they expire."""
    now = [0.0]
    monkeypatch.setattr(service_sessions.Sessions.__init__, "__defaults__", (lambda: now[0],))
    app = make_app(most_sessions=200, idle_seconds=10.0)
    before = live_sessions()

    async def use(client: Client) -> list[int]:
        used = []
        for _ in range(6):
            for row in range(100):
                await start(client, row)
            for row in range(50):
                await walk(client, row)
            assert live_sessions() - before == 100 + 20
            now[0] += 11.0
            assert (await client.get("/health")).json()["open_sessions"] == 0
            assert live_sessions() == before
            used.append(traced_bytes())
        return used

    tracemalloc.start()
    try:
        used = with_client(app, use)
    finally:
        tracemalloc.stop()
    assert used[1] > 0
    assert used[-1] - used[1] < 20_000, used


# A real server


@pytest.fixture
def router_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.headrace"
    ROUTER.save(path)
    return path


def free_ports(n: int) -> int:
    """Return the first of some neighbouring ports that nobody listens on."""
    for first in range(20_000 + os.getpid() % 20_000, 60_000, n):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + n):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


@contextlib.contextmanager
def served(router_file: Path, workers: int = 1) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_ports(workers)
    command = [sys.executable, "-m", "service", str(router_file), "--port", str(port)]
    process = subprocess.Popen([*command, "--workers", str(workers)], cwd=BENCHMARKS)
    try:
        for number in range(workers):
            for _ in range(600):
                assert process.poll() is None
                try:
                    socket.create_connection(("127.0.0.1", port + number)).close()
                    break
                except OSError:
                    time.sleep(0.1)
        yield port, process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


def use_server(port: int, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=60.0) as client:
            return await use(client)

    return asyncio.run(run())


def test_clients_that_disconnect_from_a_real_server(router_file: Path) -> None:
    async def use(client: Client, port: int) -> None:
        session, model = await start(client, 0)
        body = json.dumps({"session": session, **answer_of(0, model)}).encode()
        head = b"POST /observe HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        for cut in (10, len(head), len(head) + 20):  # less than a whole request
            raw = socket.create_connection(("127.0.0.1", port))
            raw.sendall((head + body)[:cut])
            raw.close()
        raw = socket.create_connection(("127.0.0.1", port))
        raw.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        raw.close()
        assert await walk(client, 1) == expected(ROUTER, 1)
        raw = socket.create_connection(("127.0.0.1", port))
        raw.sendall(head + body)  # whole, but the response is not waited for
        raw.close()
        for _ in range(200):
            lost = (await client.get(f"/explain/{session}")).json()
            if lost["ran"]:
                break
            await asyncio.sleep(0.05)
        again = await observe(client, session, 0, model)
        assert again.status_code == 409
        assert again.json()["next_model"] == lost["next_model"]

    with served(router_file) as (port, _):
        use_server(port, lambda client: use(client, port))


def test_sessions_of_a_real_server_cut_off_at_random(router_file: Path) -> None:
    random = np.random.default_rng(1)
    rows = random.integers(0, LOG.n_queries, 200).tolist()
    rests: list[Any] = [
        partial(asyncio.sleep, delay) if dooms else None
        for dooms, delay in zip(
            random.random(200) < 0.7, random.uniform(0.0, 0.3, 200), strict=True
        )
    ]
    with served(router_file) as (port, _):
        found = use_server(port, lambda client: walk_some(client, rows, rests))
        assert_only_the_cut_are_lost(rows, found, rests)
        assert use_server(port, lambda client: walk(client, 0)) == expected(ROUTER, 0)


def test_forked_workers(router_file: Path) -> None:
    rows = range(20)
    with served(router_file, workers=2) as (port, _):
        for number in range(2):

            async def use(client: Client) -> str:
                walked = await asyncio.gather(*(walk(client, row) for row in rows))
                assert walked == [expected(ROUTER, row) for row in rows]
                assert (await client.post("/reload")).status_code == 200
                return (await start(client, 0))[0]

            session = use_server(port + number, use)
            assert session.startswith(f"{number}-")

            async def ask(client: Client, session: str = session) -> int:
                response = await client.get(f"/explain/{session}")
                status: int = response.status_code
                return status

            assert use_server(port + number, ask) == 200
            assert use_server(port + 1 - number, ask) == 404


def test_all_workers_end_with_one(router_file: Path) -> None:
    with served(router_file, workers=2) as (port, process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list a process's children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        assert process.wait(30) == 1
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port + 1))
