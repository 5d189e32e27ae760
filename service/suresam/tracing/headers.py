"""W3C trace context on its way to the service."""

import sys


def trace_headers() -> dict[str, str]:
    """`traceparent` and `tracestate` of the span that the caller is in; nothing outside of one.

    Who is in a span has loaded OpenTelemetry; for others it is not worth loading.
    """
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier
