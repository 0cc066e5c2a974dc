"""Sessions of one process, by id: bounded in number and in idle time."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from headrace import Session


class FullError(Exception):
    """As many sessions are open as may be."""


@dataclass
class Entry:
    """A session and when it was used last."""

    run: Session
    used: float


class Sessions:
    """Open sessions, and the last ones that ended.

    One event loop uses it, so there is no lock. Whatever is idle for too long is dropped by the
    next call, from the front of a queue: no task runs in the background, and no call looks at more
    than what it drops.

    Parameters
    ----------
    prefix : str
        Of every id. A proxy can tell by it which worker has the session.
    most : int
        Open sessions at the most; of those that ended, a tenth of that is kept to explain.
    idle_seconds : float
        After which a session is dropped.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        prefix: str,
        most: int,
        idle_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.prefix = prefix
        self.most = most
        self.idle_seconds = idle_seconds
        self.clock = clock
        self._open: OrderedDict[str, Entry] = OrderedDict()
        self._ended: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        self._drop_idle()
        return len(self._open)

    def refuse_if_full(self) -> None:
        """Raise FullError if no session can be added."""
        if len(self) >= self.most:
            raise FullError

    def add(self, run: Session) -> str:
        """Keep a session; return its id."""
        self.refuse_if_full()
        name = f"{self.prefix}-{secrets.token_urlsafe(12)}"
        self._open[name] = Entry(run, self.clock())
        return name

    def get(self, name: str) -> Session | None:
        """Return a session, open or ended, and count it as used; None if there is none."""
        self._drop_idle()
        for entries in (self._open, self._ended):
            entry = entries.get(name)
            if entry is not None:
                entry.used = self.clock()
                entries.move_to_end(name)
                return entry.run
        return None

    def end(self, name: str) -> None:
        """Keep an open session only to explain it, as long as there is room."""
        self._ended[name] = self._open.pop(name)
        while len(self._ended) > self.most // 10:
            self._ended.popitem(last=False)

    def _drop_idle(self) -> None:
        limit = self.clock() - self.idle_seconds
        for entries in (self._open, self._ended):
            while entries and next(iter(entries.values())).used < limit:
                entries.popitem(last=False)
