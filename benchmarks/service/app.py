"""The application: routes, checks, errors.

Everything that touches a session happens in one step on the event loop, after the whole request has
been read: no lock is needed, and a client that goes away leaves its session as it was or one
observation further. A client that lost a response finds `next_model` in the answer to a repeated
observation (409), or in GET /explain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import orjson
from headrace import Router, Session, SessionError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from service.metrics import Metrics
from service.sessions import FullError, Sessions

LOG = logging.getLogger(__name__)

Json = dict[str, Any]
Handler = Callable[[Request, bytes], Awaitable[Response]]
"""Of a request and its whole body."""


@dataclass(frozen=True)
class Limits:
    """What a worker puts up with."""

    most_sessions: int = 100_000
    idle_seconds: float = 600.0
    most_bytes: int = 1 << 20


class RefusedError(Exception):
    """A request that is answered with an error: its status, what is wrong, and what else to say."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **more}


class Service:
    """One worker's state: its router, its sessions, its metrics."""

    def __init__(
        self, router: Router, load: Callable[[], Router], prefix: str, limits: Limits
    ) -> None:
        self.router = router
        self.load = load
        self.limits = limits
        self.sessions = Sessions(prefix, limits.most_sessions, limits.idle_seconds)
        self.metrics = Metrics(lambda: len(self.sessions))
        self.loading = asyncio.Lock()

    async def start(self, request: Request, body: bytes) -> Response:
        """POST /start {"features": [...], "group": ..., "index": ...}: what the router needs."""
        given = fields(body, optional=("features", "group", "index"))
        group = given.get("group")
        if not isinstance(group, str | int | float | None):
            raise RefusedError(400, f"group must be a string or a number, got {group!r}")
        try:
            self.sessions.refuse_if_full()
        except FullError:
            raise RefusedError(503, f"{self.limits.most_sessions} sessions are open") from None
        features, index = given.get("features"), given.get("index", 0)
        try:
            before = perf_counter()
            run = self.router.start(features, group=group, index=index)
            _ = run.next_model  # it decides now
            taken = perf_counter() - before
        except (ValueError, TypeError) as error:
            raise RefusedError(400, str(error)) from None
        self.metrics.decided(taken)
        return json({"session": self.sessions.add(run), **state(run)})

    async def observe(self, request: Request, body: bytes) -> Response:
        """POST /observe {"session": ..., "model": ..., "signal": ..., "cost": ...}."""
        given = fields(body, required=("session", "model"), optional=("signal", "cost"))
        name, model = text(given, "session"), text(given, "model")
        run = self.session(name)
        signal, cost = given.get("signal"), given.get("cost")
        conflict = conflict_of(run, model)
        try:
            before = perf_counter()
            run.observe(model, signal, cost=cost)
            _ = run.next_model  # it decides now
            taken = perf_counter() - before
        except (SessionError, TypeError) as error:
            raise RefusedError(409 if conflict else 400, str(error), **state(run)) from None
        self.metrics.decided(taken)
        if run.next_model is None:
            self.sessions.end(name)
        return json({"session": name, **state(run)})

    async def explain(self, request: Request, body: bytes) -> Response:
        """GET /explain/{session}: why it goes on or stops, in numbers and in words."""
        explanation = self.session(request.path_params["session"]).explain()
        return json({**explanation.as_dict(), "text": str(explanation)})

    async def health(self, request: Request, body: bytes) -> Response:
        """GET /health."""
        return json(
            {"status": "ok", "models": self.router.models_, "open_sessions": len(self.sessions)}
        )

    async def report(self, request: Request, body: bytes) -> Response:
        """GET /metrics."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def reload(self, request: Request, body: bytes) -> Response:
        """POST /reload: load the file again, aside. Open sessions keep the router they have."""
        async with self.loading:
            try:
                router = await asyncio.to_thread(self.load)
            except (ValueError, OSError) as error:
                raise RefusedError(409, f"the router in service stays: {error}") from None
            self.router = router
        self.metrics.reloads.inc()
        return json({"models": router.models_, "open_sessions": len(self.sessions)})

    def session(self, name: str) -> Session:
        """Return a session, or refuse."""
        run = self.sessions.get(name)
        if run is None:
            raise RefusedError(
                404, f"no session {name!r}: it expired, ended long ago, or another worker has it"
            )
        return run

    async def respond(self, route: str, handler: Handler, request: Request) -> Response:
        """Answer a request, time it, and turn what is wrong with it into JSON."""
        try:
            body = await whole_body(request, self.limits.most_bytes)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except RefusedError as refused:
            return json(refused.body, refused.status)
        start = perf_counter()
        try:
            response = await handler(request, body)
        except RefusedError as refused:
            response = json(refused.body, refused.status)
        except Exception:
            LOG.exception("%s failed", route)
            response = json({"error": "internal error"}, 500)
        self.metrics.request_seconds.labels(route, response.status_code).observe(
            perf_counter() - start
        )
        return response


def create_app(
    load: Callable[[], Router],
    *,
    router: Router | None = None,
    prefix: str = "0",
    limits: Limits = Limits(),
) -> Starlette:
    """Return an ASGI application.

    Parameters
    ----------
    load : callable
        Returns the router, as saved now; called once to begin with, then for each reload.
    router : Router, optional
        To begin with, in place of a call.
    prefix : str
        Of the ids of this worker's sessions.
    limits : Limits
    """
    service = Service(load() if router is None else router, load, prefix, limits)
    routes: Mapping[str, tuple[str, Handler]] = {
        "/start": ("POST", service.start),
        "/observe": ("POST", service.observe),
        "/explain/{session}": ("GET", service.explain),
        "/health": ("GET", service.health),
        "/metrics": ("GET", service.report),
        "/reload": ("POST", service.reload),
    }
    return Starlette(
        routes=[
            Route(path, partial(service.respond, path, handler), methods=[method])
            for path, (method, handler) in routes.items()
        ],
        exception_handlers={HTTPException: not_found},
    )


async def not_found(request: Request, error: Exception) -> Response:
    """Say in JSON that there is no such route or method."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    return json({"error": message}, error.status_code)


async def whole_body(request: Request, most_bytes: int) -> bytes:
    """Read a request's body, as far as it is allowed to go."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > most_bytes:
            raise RefusedError(413, f"the body has more than {most_bytes} bytes")
    return bytes(parts)


def fields(body: bytes, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Json:
    """Return the fields of a JSON object, or refuse."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise RefusedError(400, "the body must be a JSON object")
    if not set(required) <= set(given) <= {*required, *optional}:
        raise RefusedError(
            400,
            f"the body must have the fields {list(required)} and may have {list(optional)}, got "
            f"{list(given)}",
        )
    return given


def text(given: Json, name: str) -> str:
    """Return a field that must be a string, or refuse."""
    if not isinstance(given[name], str):
        raise RefusedError(400, f"{name} must be a string, got {given[name]!r}")
    value: str = given[name]
    return value


def conflict_of(run: Session, model: str) -> bool:
    """Whether an observation would come at the wrong time, not from a wrong request."""
    return run.next_model is None or model in run.ran


def state(run: Session) -> Json:
    """Return the decision, and the answer once there is nothing more to run."""
    if run.next_model is None:
        return {"next_model": None, "answer": run.answer, "cost": run.cost}
    return {"next_model": run.next_model}


def json(content: Json, status: int = 200) -> Response:
    """Write a response."""
    return Response(orjson.dumps(content), status, media_type="application/json")
