"""Spans on their way to a collector, over OTLP with gRPC."""

import logging
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.grpc import exporter as otlp
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from suresam.errors import ConfigurationError
from suresam.tracing.server import Tracer
from suresam.version import __version__

logger = logging.getLogger(__name__)

_SDK_LOGGERS = (otlp.__name__, "opentelemetry.sdk._shared_internal")
"""Those that complain of a collector that is away: of each attempt, and of a queue that is full."""


class Export:
    """Sends spans from a thread of its own; those that find the queue full are dropped.

    Certificates, headers, compression, timeouts, the length of the queue, the name of the service
    and further resource attributes are what OpenTelemetry's own variables (`OTEL_*`) say.

    Args:
        endpoint: of the collector, http:// or https://.
        ratio: of the traces that begin here, 0 to 1; None leaves it to `OTEL_TRACES_SAMPLER`.

    Attributes:
        tracer: begins the spans.

    Raises:
        ConfigurationError: a variable of OpenTelemetry's has no meaning.
    """

    def __init__(self, endpoint: str, ratio: float | None) -> None:
        try:
            self._exporter = _Calm(OTLPSpanExporter(endpoint), endpoint)
        except (ValueError, RuntimeError, otlp.InvalidCompressionValueException) as error:
            raise ConfigurationError(f"otlp_endpoint={endpoint}: {error}") from None
        self._processor = BatchSpanProcessor(self._exporter)
        ours = Resource.create({SERVICE_NAME: "suresam", SERVICE_VERSION: __version__})
        resource = ours.merge(OTELResourceDetector().detect())  # the variables have the last word
        sampler = None if ratio is None else ParentBased(TraceIdRatioBased(ratio))
        self.tracer = Tracer(
            self._provider(resource, sampler).get_tracer("suresam", __version__),
            self._provider(resource, ALWAYS_ON).get_tracer("suresam", __version__),
        )

    @property
    def num_lost(self) -> int:
        """Spans that the collector did not take since it last took some."""
        return self._exporter.num_lost

    def close(self, wait_s: float) -> None:
        """Send what is left, for at most so many seconds; what is left then is lost."""
        flushing = threading.Thread(target=self._processor.shutdown, daemon=True)
        flushing.start()
        flushing.join(wait_s)
        if flushing.is_alive():
            self._exporter.give_up()

    def _provider(self, resource: Resource, sampler: Sampler | None) -> TracerProvider:
        provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        return provider


class _Calm(SpanExporter):
    """Says once that a collector is away, and once that it is back."""

    def __init__(self, exporter: OTLPSpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self.num_lost = 0
        for name in _SDK_LOGGERS:
            logging.getLogger(name).addFilter(self._is_news)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.FAILURE:
            self.num_lost += len(spans)
        elif self.num_lost:
            logger.warning(
                "traces reach %s again; %d spans were lost", self._endpoint, self.num_lost
            )
            self.num_lost = 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
        for name in _SDK_LOGGERS:
            logging.getLogger(name).removeFilter(self._is_news)

    def give_up(self) -> None:
        """End what is being sent, or waits to be sent again."""
        self._exporter.shutdown()

    def _is_news(self, record: logging.LogRecord) -> bool:
        is_attempt = record.name == otlp.__name__ and record.levelno < logging.ERROR
        return not is_attempt and not self.num_lost
