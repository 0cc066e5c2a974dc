"""Serve a saved router: ``cd benchmarks && python -m service mine.headrace --port 8000``.

With ``--workers N`` the router is loaded once and N processes are forked, which share its memory.
Worker i listens on ``port + i`` and its sessions' ids begin with ``i-``: a proxy balances POST
/start over the ports, and sends whatever names a session to the port of its prefix. Each worker
reloads by itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
from functools import partial
from multiprocessing import connection
from pathlib import Path

import headrace as hr
import numpy as np
import uvicorn

from service.app import Limits, create_app


def load(path: Path) -> hr.Router:
    """Load a router; its first session makes its compiled form, here and not in a request."""
    router = hr.load_router(path)
    router.start(np.zeros(router.n_features_in_) if router.n_features_in_ else None)
    return router


def serve(number: int, router: hr.Router, given: argparse.Namespace) -> None:
    """Serve on one port until a signal comes."""
    app = create_app(
        partial(load, given.router),
        router=router,
        prefix=str(number),
        limits=Limits(given.most_sessions, given.idle_seconds, given.most_bytes),
    )
    uvicorn.run(
        app, host=given.host, port=given.port + number, log_level="warning", access_log=False
    )


def serve_forked(router: hr.Router, given: argparse.Namespace) -> int:
    """Fork the workers and wait until they are told to end; if one ends by itself, end all."""
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=serve, args=(i, router, given)) for i in range(given.workers)]
    for worker in workers:
        worker.start()
    told = False

    def end(*_: object) -> None:
        nonlocal told
        told = True
        for worker in workers:
            worker.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    connection.wait([worker.sentinel for worker in workers])
    failed = not told
    end()
    for worker in workers:
        worker.join()
    return int(failed)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="service", description="Serve a saved router.")
    parser.add_argument("router", type=Path, help="file that Router.save has written")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="of the first worker")
    parser.add_argument("--workers", type=int, default=1)
    limits = Limits()
    parser.add_argument("--most-sessions", type=int, default=limits.most_sessions)
    parser.add_argument("--idle-seconds", type=float, default=limits.idle_seconds)
    parser.add_argument("--most-bytes", type=int, default=limits.most_bytes)
    given = parser.parse_args()
    router = load(given.router)
    if given.workers == 1:
        serve(0, router, given)
    else:
        sys.exit(serve_forked(router, given))


if __name__ == "__main__":
    main()
