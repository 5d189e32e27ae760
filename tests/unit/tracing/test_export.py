import pytest

from suresam.errors import ConfigurationError
from suresam.tracing.export import Export

NOBODY = "http://127.0.0.1:1"


def resource_of(export):
    span = export.tracer._requests.start_span("x")
    return span.resource.attributes


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip")],
)
def test_a_variable_without_a_meaning_is_an_error_at_the_start(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=value):
        Export(NOBODY, None)


def test_opentelemetrys_own_variables_name_the_service(monkeypatch):
    export = Export(NOBODY, None)
    assert resource_of(export)["service.name"] == "suresam"
    export.close(0)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "clinic")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    export = Export(NOBODY, None)
    attributes = resource_of(export)
    export.close(0)
    assert attributes["service.name"] == "clinic"
    assert attributes["deployment.environment.name"] == "test"


@pytest.mark.parametrize(("ratio", "is_recorded"), [(0, False), (1, True), (None, False)])
def test_the_ratio_goes_before_opentelemetrys_sampler(monkeypatch, ratio, is_recorded):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    export = Export(NOBODY, ratio)
    root = export.tracer.http("GET", "http", [])
    assert root.is_open is is_recorded
    export.close(0)
