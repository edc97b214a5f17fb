"""What Prometheus may read of the model server."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NO_MODEL = "none"
"""The label of requests for models that are not served: names from outside never become labels."""


class ServerMetrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self._registry = registry
        self._requests = Counter(
            "mlops_requests",
            "Requests for predictions",
            ("model", "version", "status"),
            registry=registry,
        )
        self._duration = Histogram(
            "mlops_request_duration_seconds",
            "From a request's headers to its answer",
            ("model",),
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._rows = Counter(
            "mlops_rows_predicted", "Records predicted", ("model", "version"), registry=registry
        )
        self._in_flight = Gauge("mlops_requests_in_flight", "Requests being answered", registry=registry)
        self._loaded = Gauge(
            "mlops_model_loaded_info",
            "1 for the version that is served",
            ("model", "version", "digest"),
            registry=registry,
        )
        self._broken = Gauge(
            "mlops_deployment_broken",
            "1 while the deployed version could not be loaded",
            ("model",),
            registry=registry,
        )
        self._failures = Counter(
            "mlops_model_load_failures",
            "Versions that could not be loaded",
            ("model", "reason"),
            registry=registry,
        )
        self._staleness = Gauge(
            "mlops_ledger_staleness_seconds", "Since the ledger was read last", registry=registry
        )

    def watch(self, *, staleness_s: Callable[[], float], in_flight: Callable[[], int]) -> None:
        """Read these two at each scrape."""
        self._staleness.set_function(staleness_s)
        self._in_flight.set_function(in_flight)

    def answered(self, *, model: str, version: str, status: int, duration_s: float, rows: int = 0) -> None:
        """Count one request."""
        self._requests.labels(model, version, str(status)).inc()
        self._duration.labels(model).observe(duration_s)
        if rows:
            self._rows.labels(model, version).inc(rows)

    def loaded(self, *, model: str, version: int, digest: str) -> None:
        """Note that a version is served from now on."""
        self._loaded.labels(model, str(version), digest).set(1)
        self._broken.labels(model).set(0)

    def unloaded(self, *, model: str, version: int, digest: str) -> None:
        """Note that a version is served no longer."""
        self._loaded.remove(model, str(version), digest)

    def load_failed(self, *, model: str, reason: str) -> None:
        """Count a version that could not be loaded; ``reason`` is the error's class."""
        self._failures.labels(model, reason).inc()
        self._broken.labels(model).set(1)

    def recovered(self, *, model: str) -> None:
        """Note that what is served is what the ledger wants again."""
        self._broken.labels(model).set(0)

    def page(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
