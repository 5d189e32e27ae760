"""The spans of requests and of the batches that served them."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.semconv._incubating.attributes import rpc_attributes as rpc
from opentelemetry.semconv.attributes import error_attributes, http_attributes, url_attributes
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import Self

from suresam.errors import RequestError, ServiceError
from suresam.tracing.current import CURRENT
from suresam.tracing.passage import Launch, Passage

Value = str | bool | int | float | Sequence[str] | Sequence[float]

_W3C = TraceContextTextMapPropagator()
_TRACE_HEADERS = ("traceparent", "tracestate")
_METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS")
_KNOWN_BATCHES = 1024
"""Batches that answers may still come from: more than are ever told of at a time."""


class Tracer:
    """Begins the spans of requests. Used by the event loop alone.

    Args:
        requests: of OpenTelemetry, which decides what is recorded.
        batches: likewise; it records all it is given, which are those that served a request that
            is recorded.
    """

    def __init__(self, requests: trace.Tracer, batches: trace.Tracer) -> None:
        self._requests = requests
        self._batches = batches
        self._told: OrderedDict[int, SpanContext] = OrderedDict()

    def http(
        self, method: str, scheme: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> "ServerSpan":
        """The span of an HTTP request, which the running task works under from now on.

        Neither the path nor the address of the client is told: the one names a session, the other
        a person.
        """
        # Clients may make up methods.
        known = method if method in _METHODS else "_OTHER"
        attributes = {http_attributes.HTTP_REQUEST_METHOD: known, url_attributes.URL_SCHEME: scheme}
        pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        return self._begin(known if known == method else "HTTP", attributes, pairs)

    def rpc(self, method: str | None, metadata: Iterable[tuple[str, str | bytes]]) -> "ServerSpan":
        """The span of a gRPC call, which the running task works under from now on.

        Args:
            method: in full, such as "suresam.v1.Segmentation/Segment"; None for what is none.
            metadata: of the call.
        """
        system = rpc.RpcSystemNameValues.GRPC.value
        attributes = {rpc.RPC_SYSTEM_NAME: system, rpc.RPC_METHOD: method or "_OTHER"}
        pairs = ((name, value) for name, value in metadata if isinstance(value, str))
        return self._begin(method or system, attributes, pairs)

    def start(
        self,
        name: str,
        parent: trace.Span,
        start_ns: int | None = None,
        attributes: Mapping[str, Value] | None = None,
        links: Sequence[Link] = (),
    ) -> trace.Span:
        """A span under another one."""
        context = trace.set_span_in_context(parent, Context())
        return self._requests.start_span(
            name, context, attributes=attributes, links=links, start_time=start_ns
        )

    def batch(self, launch: Launch, start_ns: int, end_ns: int) -> SpanContext:
        """The span of a batch, a trace of its own with links to whom it served.

        It is made by the first of these whose answer tells of it.
        """
        if launch.number not in self._told:
            span = self._batches.start_span(
                f"batch {launch.stage}",
                Context(),
                attributes=_about(launch),
                links=[Link(_context_of(text)) for text in dict.fromkeys(launch.traces)],
                start_time=start_ns,
            )
            span.end(end_ns)
            self._told[launch.number] = span.get_span_context()
            if len(self._told) > _KNOWN_BATCHES:
                self._told.popitem(last=False)
        return self._told[launch.number]

    def _begin(
        self, name: str, attributes: Mapping[str, str], headers: Iterable[tuple[str, str]]
    ) -> "ServerSpan":
        carrier: dict[str, str] = {}
        for key, value in headers:
            if key in _TRACE_HEADERS:
                # Of a list in several headers; a second traceparent makes both of them invalid.
                carrier[key] = f"{carrier[key]},{value}" if key in carrier else value
        inner = self._requests.start_span(
            name, _W3C.extract(carrier, Context()), kind=SpanKind.SERVER, attributes=attributes
        )
        begun = ServerSpan(self, inner)
        CURRENT.set(begun)
        return begun


class Span:
    """A span of a request. As a context manager it ends with the block, which works under it."""

    __slots__ = ("_before", "_inner", "_tracer")

    def __init__(self, tracer: Tracer, inner: trace.Span) -> None:
        self._tracer = tracer
        self._inner = inner

    @property
    def is_open(self) -> bool:
        """Whether it is recorded and not over."""
        return self._inner.is_recording()

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return trace.format_trace_id(self._inner.get_span_context().trace_id)

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""
        return trace.format_span_id(self._inner.get_span_context().span_id)

    @property
    def traceparent(self) -> str:
        """Its place in its trace, as W3C writes it."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def under(self, name: str) -> "Span":
        """A span that begins now, as a part of this one."""
        return Span(self._tracer, self._tracer.start(name, self._inner))

    def tell(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes. Their names begin with `suresam.`."""
        self._inner.set_attributes(attributes)

    def fail(self, error: BaseException) -> None:
        """Tell what went wrong. It counts as an error if it is one of the service's."""
        code = error.code if isinstance(error, ServiceError) else type(error).__name__
        self._inner.set_attribute(error_attributes.ERROR_TYPE, code)
        if isinstance(error, ServiceError) and not isinstance(error, RequestError):
            self._inner.set_status(Status(StatusCode.ERROR))

    def passed(self, passage: Passage) -> None:
        """Add what an engine tells that has just answered."""
        self.tell({"suresam.cache.result": passage.lookup})
        if passage.tier is not None:
            self.tell({"suresam.cache.tier": passage.tier})
        now_ns = time.time_ns()
        for stage in passage.stages:
            start_ns = now_ns - round(stage.began_ms * 1e6)
            end_ns = now_ns - round(stage.ended_ms * 1e6)
            links: list[Link] = []
            attributes: dict[str, Value] = {}
            if stage.launch is not None:
                attributes = {**_about(stage.launch), "suresam.rows": stage.rows}
                if stage.name == stage.launch.stage:
                    links.append(Link(self._tracer.batch(stage.launch, start_ns, end_ns)))
            inner = self._tracer.start(stage.name, self._inner, start_ns, attributes, links)
            if stage.error is not None:
                inner.set_attribute(error_attributes.ERROR_TYPE, stage.error)
                inner.set_status(Status(StatusCode.ERROR))
            inner.end(end_ns)

    def __enter__(self) -> Self:
        self._before = CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        CURRENT.reset(self._before)
        if error is not None:
            self.fail(error)
        self._inner.end()


class ServerSpan(Span):
    """The span of a whole request. Its task works under it to the end."""

    __slots__ = ()

    def end_http(self, route: str | None, status: int, code: str) -> None:
        """The request is answered.

        Args:
            route: its method and template, or None where there is none.
            status: of the answer; 0 if there was none.
            code: "ok", or what went wrong.
        """
        if route is not None:
            self._inner.update_name(route)
            self._inner.set_attribute(http_attributes.HTTP_ROUTE, route.partition(" ")[2])
        if status:
            self._inner.set_attribute(http_attributes.HTTP_RESPONSE_STATUS_CODE, status)
        self._end(code)

    def end_rpc(self, status: str | None, code: str) -> None:
        """The call is answered.

        Args:
            status: of gRPC, such as "OK"; None if the caller left first.
            code: "ok", or what went wrong.
        """
        if status is not None:
            self._inner.set_attribute(rpc.RPC_RESPONSE_STATUS_CODE, status)
        self._end(code)

    def _end(self, code: str) -> None:
        if code != "ok":
            self._inner.set_attribute(error_attributes.ERROR_TYPE, code)
        self._inner.end()


def _about(launch: Launch) -> dict[str, Value]:
    return {
        "suresam.stage": launch.stage,
        "suresam.model": launch.model,
        "suresam.device": launch.device,
        "suresam.batch.rows": launch.rows,
        "suresam.batch.padding": launch.padding,
    }


def _context_of(traceparent: str) -> SpanContext:
    """The place that a `Span` told."""
    _, trace_id, span_id, _ = traceparent.split("-")
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)
