"""Traces, where the settings ask for them."""

from typing import TYPE_CHECKING

from suresam.settings import Settings

if TYPE_CHECKING:
    from suresam.tracing.export import Export


def open_export(settings: Settings) -> "Export | None":
    """What sends spans to the collector; None without one, and then nothing of it is loaded.

    Raises:
        ConfigurationError: a variable of OpenTelemetry's has no meaning.
    """
    if settings.otlp_endpoint is None:
        return None
    from suresam.tracing.export import Export

    return Export(settings.otlp_endpoint, settings.trace_ratio)
