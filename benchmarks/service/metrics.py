"""What the service counts and times, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

DECISION_BUCKETS = (5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 0.1, 1.0)
REQUEST_BUCKETS = (5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 0.1, 1.0)


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self, count_open: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.decisions = Counter(
            "headrace_decisions", "Decisions which model runs next.", registry=self.registry
        )
        self.headrace_seconds = Histogram(
            "headrace_seconds",
            "Seconds of a request that headrace takes.",
            buckets=DECISION_BUCKETS,
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "headrace_request_seconds",
            "Seconds from the whole request to the whole response, within the application.",
            ["route", "status"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.reloads = Counter("headrace_reloads", "Routers loaded.", registry=self.registry)
        Gauge(
            "headrace_open_sessions", "Sessions that are open.", registry=self.registry
        ).set_function(count_open)

    def decided(self, seconds: float) -> None:
        """Count a decision, and the seconds of headrace that it took."""
        self.headrace_seconds.observe(seconds)
        self.decisions.inc()

    def text(self) -> bytes:
        """Return all of it."""
        return generate_latest(self.registry)
