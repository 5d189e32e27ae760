"""Every metric, declared once; one `Telemetry` belongs to one running service."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

_Labels = tuple[tuple[str, str], ...]
_M = TypeVar("_M", Counter, Gauge, Histogram)

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.2, 0.35, 0.6, 1, 2, 5, 10, 30)
_GAINS = (-0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128)
_SCORES = tuple(step / 20 for step in range(1, 21))

_LARGEST_COUNTS = (
    "suresam_queue_age_seconds",
    "suresam_device_memory_bytes",
    "suresam_engine_process_start_time_seconds",
)


class Telemetry:
    """The service's metrics in a registry of their own. No ids, keys or hashes are labels."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return _remembering(Counter(f"suresam_{name}", text, labels, registry=registry))

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return _remembering(Gauge(f"suresam_{name}", text, labels, registry=registry))

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return _remembering(
                Histogram(f"suresam_{name}", text, labels, buckets=buckets, registry=registry)
            )

        self.requests = counter(
            "requests", "Requests answered, by the error code or ok.", "api", "method", "code"
        )
        self.request_seconds = histogram(
            "request_seconds", "Time from request to answer.", _SECONDS, "api", "method"
        )
        self.stage_seconds = histogram(
            "stage_seconds", "Time of one launch or of one step on the CPU.", _SECONDS, "stage"
        )
        self.queue_seconds = histogram(
            "queue_seconds", "Time from a job's arrival to its launch.", _SECONDS, "stage", "model"
        )
        self.queue_age_seconds = gauge(
            "queue_age_seconds",
            "How long the oldest job that waits for the device has done so; 0 when none does.",
            "stage",
            "device",
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
        self.shadow = counter(
            "shadow", "Prompts drawn by shadow mode, by what became of them.", "outcome"
        )
        self.shadow_gain = histogram(
            "shadow_gain",
            "What the large member would have gained in IoU, as estimated of both answers.",
            _GAINS,
        )
        self.shadow_gain_error = histogram(
            "shadow_gain_error",
            "How far the expected gain lay above the one that was estimated afterwards.",
            _GAINS,
        )
        self.prepared = counter(
            "prepared",
            "Embeddings that were to be made in idle time for a session whose clicks needed a "
            "larger member: made, there already, given_up or failed.",
            "result",
        )
        self.uncertainty_score = histogram(
            "uncertainty_score",
            "1 - expected IoU of the best mask of each result that has one.",
            _SCORES,
            "model",
        )
        self.requests_in_flight = gauge(
            "requests_in_flight", "Requests that were let in and are not answered yet."
        )
        self.rejected = counter("rejected", "Requests refused before any work.", "reason")
        self.result_errors = counter(
            "result_errors", "Results that had an error of their own instead of masks.", "code"
        )
        self.cancelled = counter("cancelled", "Jobs whose caller left first.", "stage")
        self.device_memory_bytes = gauge(
            "device_memory_bytes",
            "Of the device, or of the machine (the container) where models run on its CPU: total "
            "and free; allocated and reserved: by this service's tensors, and kept for them.",
            "device",
            "kind",
        )
        self.engine_up = gauge("engine_up", "1 while every device's worker is alive and warm.")
        self.tls_certificate_expiry = gauge(
            "tls_certificate_expiry_timestamp_seconds",
            "When the first certificate of a file expires: server's own, or client_ca. Without TLS "
            "there is none.",
            "certificate",
        )
        self.build_info = gauge(
            "build_info", "Always 1; the labels say what runs.", "version", "family", "device"
        )

    def watch_process(self, namespace: str = "") -> None:
        """Tell this process's memory, processor time, files and start, too.

        Args:
            namespace: comes before `process_`, to tell one kind of process from another.
        """
        ProcessCollector(namespace, registry=self.registry)

    def exposition(self, elsewhere: Sequence[Metric] = ()) -> bytes:
        """All metrics in Prometheus' text format.

        Args:
            elsewhere: counted in other processes, added to our own.
        """
        return generate_latest(_Collected(add_up([*self.registry.collect(), *elsewhere])))


def _remembering(metric: _M) -> _M:
    """A metric whose time series are found again without their labels being read again.

    There are few, and every click looks eight of them up.
    """
    metric.labels = cache(metric.labels)  # type: ignore[method-assign]
    return metric


def add_up(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """One metric for all of a name: equal labels are added up.

    Of `_created` it is the earliest, and the largest of what is true of a device and of the times
    at which processes were started, so that each new one shows.
    """
    sums: dict[str, tuple[Metric, dict[tuple[str, _Labels], float]]] = {}
    for metric in metrics:
        empty = Metric(metric.name, metric.documentation, metric.type, metric.unit)
        _, values = sums.setdefault(metric.name, (empty, {}))
        for sample in metric.samples:
            key = sample.name, tuple(sample.labels.items())
            if key not in values:
                values[key] = sample.value
            elif sample.name.endswith("_created"):
                values[key] = min(values[key], sample.value)
            elif sample.name in _LARGEST_COUNTS:
                values[key] = max(values[key], sample.value)
            else:
                values[key] += sample.value
    for metric, values in sums.values():
        for (name, labels), value in values.items():
            metric.add_sample(name, dict(labels), value)
    return tuple(metric for metric, _ in sums.values())


def only_counts(metrics: Iterable[Metric]) -> list[Metric]:
    """Those that only grow: what is left of a process that ended."""
    return [metric for metric in metrics if metric.type in ("counter", "histogram")]


@dataclass(frozen=True, slots=True)
class _Collected(Collector):
    """Metrics as a registry."""

    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics
