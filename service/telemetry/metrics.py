"""The service's Prometheus metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._by_response: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._by_stage: dict[str, Histogram] = {}
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "lookalike_requests", "Responses sent.", ["route", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "lookalike_request_seconds",
            "Seconds from request to response.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "lookalike_stage_seconds", "Seconds in a stage of a request.", ["stage"], buckets=SECONDS, registry=registry
        )
        self.batch_size = Histogram(
            "lookalike_batch_size", "Pictures encoded together.", buckets=(1, 2, 4, 8, 16, 32), registry=registry
        )
        self.in_flight = Gauge("lookalike_in_flight", "Permits taken.", registry=registry)
        self.capacity = Gauge("lookalike_capacity", "Maximum number of concurrent permits.", registry=registry)
        self.refusals = Counter(
            "lookalike_refused", "Requests that were refused, by error code.", ["code"], registry=registry
        )
        self.disconnects = Counter(
            "lookalike_abandoned", "Requests whose client disconnected before the response.", registry=registry
        )
        self.operator = Gauge(
            "lookalike_operator_available",
            "0 if PyTorch runs an encoder without the compiled operator, else 1.",
            registry=registry,
        )
        self._snapshot = Gauge(
            "lookalike_snapshot", "Number of the current snapshot.", ["collection"], registry=registry
        )
        self._items = Gauge("lookalike_items", "Items of the current snapshot.", ["collection"], registry=registry)
        self._by_picture = Gauge(
            "lookalike_searchable_by_picture",
            "0 if a collection's encoder is no longer available, so that it is searched by key only, else 1.",
            ["collection"],
            registry=registry,
        )
        self._failures = Counter(
            "lookalike_snapshot_failures", "Snapshots that could not be opened.", ["collection"], registry=registry
        )

    def count_response(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one response and the seconds that it took."""
        metrics = self._by_response.get((route, method, status))
        if metrics is None:
            # Cached: to look the two up by their labels costs more than to count.
            metrics = (self.requests.labels(route, method, status), self.request_seconds.labels(route))
            self._by_response[route, method, status] = metrics
        counter, histogram = metrics
        counter.inc()
        histogram.observe(seconds)

    def set_snapshot(self, collection: str, generation: int, items: int) -> None:
        """Set the number and the items of a collection's current snapshot."""
        self._snapshot.labels(collection).set(generation)
        self._items.labels(collection).set(items)

    def set_searchable(self, collection: str, by_picture: bool) -> None:
        """Set whether a collection's current snapshot can be searched with pictures."""
        self._by_picture.labels(collection).set(by_picture)

    def remove_snapshot(self, collection: str) -> None:
        """Remove the time series of a collection that no longer exists."""
        for gauge in (self._snapshot, self._items, self._by_picture):
            gauge.remove_by_labels({"collection": collection})

    def count_snapshot_failure(self, collection: str) -> None:
        """Count a failure to open a collection's newest snapshot."""
        self._failures.labels(collection).inc()

    def observe_stages(self, took_ms: dict[str, float]) -> None:
        """Record the times of a request's stages; a stage that it skipped is not recorded as 0 seconds."""
        for stage, milliseconds in took_ms.items():
            if milliseconds and stage != "total":
                histogram = self._by_stage.get(stage)
                if histogram is None:
                    histogram = self._by_stage[stage] = self.stage_seconds.labels(stage)
                histogram.observe(milliseconds / 1000)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)
