"""OpenTelemetry traces: what a request went through, and which batches on the device it shared.

Nothing but this package knows OpenTelemetry. Whoever has work to show writes `with span(name)`,
which is nothing as long as the request is not traced; `server` begins a request's span, `export`
sends what ended to a collector.

Choices. The engine makes no spans: it may be in another process, and its worker serves many
requests in one launch. It is told a request's place in its trace as text, tells afterwards in
milliseconds what became of it, and the spans are made here, of requests and of batches alike. The
SDK's global provider stays unset, so that no library traces into it behind our back: FastAPI would
tell the paths, which hold the names of sessions.
"""

from suresam.tracing.current import current, span

__all__ = ["current", "span"]
