import subprocess
import sys

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from suresam.tracing.headers import trace_headers


def test_outside_of_a_span_nothing_is_sent():
    assert trace_headers() == {}


def test_the_span_that_the_caller_is_in_is_named_with_its_state():
    state = TraceState([("vendor", "1")])
    place = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(place)))
    try:
        assert trace_headers() == {
            "traceparent": f"00-{1:032x}-{2:016x}-01",
            "tracestate": "vendor=1",
        }
    finally:
        context.detach(token)


def test_who_has_no_opentelemetry_does_not_get_it_by_asking():
    code = (
        "import sys; from suresam.tracing.headers import trace_headers; assert trace_headers() == "
        "{}; assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=280)
