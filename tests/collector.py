"""A collector of OpenTelemetry traces that tests can ask what it was sent."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from device import wait_for
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2

KINDS = {trace_pb2.Span.SPAN_KIND_SERVER: "server", trace_pb2.Span.SPAN_KIND_INTERNAL: "internal"}
STATUSES = {
    trace_pb2.Status.STATUS_CODE_UNSET: "unset",
    trace_pb2.Status.STATUS_CODE_ERROR: "error",
}

Place = tuple[str, str]
"""Of a span: trace and span id."""


@dataclass(frozen=True)
class Seen:
    """A span as it was sent."""

    name: str
    place: Place
    parent: str
    kind: str
    status: str
    attributes: dict[str, Any]
    links: list[Place]
    start_ns: int
    end_ns: int
    resource: dict[str, Any] = field(repr=False)

    @property
    def trace_id(self) -> str:
        return self.place[0]


class Collector(service_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[service.ExportTraceServiceRequest] = []
        self.endpoint = ""

    def Export(self, request, context):  # noqa: N802  (named by the proto)
        with self._lock:
            self._requests.append(request)
        return service.ExportTraceServiceResponse()

    @property
    def sent(self) -> bytes:
        """All of it."""
        with self._lock:
            return b"".join(request.SerializeToString() for request in self._requests)

    @property
    def spans(self) -> list[Seen]:
        """All spans, in the order in which they began."""
        with self._lock:
            found = [
                _seen(span, group.resource)
                for request in self._requests
                for group in request.resource_spans
                for scope in group.scope_spans
                for span in scope.spans
            ]
        return sorted(found, key=lambda span: span.start_ns)

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    def only(self, name: str) -> Seen:
        [span] = self.named(name)
        return span

    def wait_for(self, *names: str) -> None:
        """Wait until spans of these names were sent."""
        wait_for(lambda: set(names) <= {span.name for span in self.spans})

    def under(self, parent: Seen) -> list[Seen]:
        """What is directly under a span."""
        place = parent.place
        return [span for span in self.spans if (span.trace_id, span.parent) == place]

    def tree(self, root: Seen) -> Sequence[Any]:
        """Names of all that is under a span, each with what is under it if there is anything."""
        return [
            (span.name, self.tree(span)) if self.under(span) else span.name
            for span in self.under(root)
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens as long as the block takes."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    service_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


def _seen(span: trace_pb2.Span, resource: Any) -> Seen:
    return Seen(
        name=span.name,
        place=(span.trace_id.hex(), span.span_id.hex()),
        parent=span.parent_span_id.hex(),
        kind=KINDS[span.kind],
        status=STATUSES[span.status.code],
        attributes={pair.key: _value(pair.value) for pair in span.attributes},
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        resource={pair.key: _value(pair.value) for pair in resource.attributes},
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)
