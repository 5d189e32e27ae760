"""Every metric, declared once; one `Telemetry` belongs to one running service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.2, 0.35, 0.6, 1, 2, 5, 10, 30)
_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128)


class Telemetry:
    """The service's metrics in a registry of their own. No ids, keys or hashes are labels."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"suresam_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"suresam_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"suresam_{name}", text, labels, buckets=buckets, registry=registry)

        self.requests = counter(
            "requests", "Requests answered, by the error code or ok.", "api", "method", "code"
        )
        self.request_seconds = histogram(
            "request_seconds", "Time from request to answer.", _SECONDS, "api", "method"
        )
        self.stage_seconds = histogram(
            "stage_seconds", "Time of one launch or of one step on the CPU.", _SECONDS, "stage"
        )
        self.queue_depth = gauge("queue_depth", "Jobs waiting for the device.", "stage", "model")
        self.batch_size = histogram("batch_size", "Rows in one launch.", _ROWS, "stage", "model")
        self.cache_requests = counter(
            "cache_requests",
            "Look-ups of image embeddings. Each counts once, in the tier where it ended: a hit "
            "where the embedding was, a miss (or shared: it joined another's encode) in the last "
            "tier there is. So the device's hit ratio is its hits by all look-ups, and the host's "
            "its hits by all that ended there.",
            "result",
            "tier",
            "model",
        )
        self.cache_bytes = gauge("cache_bytes", "Bytes that cached embeddings hold.", "tier")
        self.cache_evictions = counter(
            "cache_evictions",
            "Embeddings and sessions dropped; demoted: moved from the device to host memory.",
            "reason",
        )
        self.sessions = gauge("sessions", "Sessions alive.")
        self.queue_cost_seconds = gauge(
            "queue_cost_seconds", "Work waiting, by the measured cost table.", "device"
        )
        self.route = counter("route", "Which member answered and why.", "decision", "reason")
        self.rejected = counter("rejected", "Requests refused before any work.", "reason")
        self.cancelled = counter("cancelled", "Jobs whose caller left first.", "stage")
        self.engine_up = gauge("engine_up", "1 while the device's worker is alive and warm.")
        self.build_info = gauge(
            "build_info", "Always 1; the labels say what runs.", "version", "family", "device"
        )

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
