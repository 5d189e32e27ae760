"""A collector of traces that does not answer, or is not there, costs nobody anything."""

import socket

from conftest import client_of
from device import CLICK, until

import suresam.app.running


async def test_a_collector_that_never_answers_holds_up_neither_requests_nor_the_end(
    serving, photo, monkeypatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3000")  # seconds, which this test has not
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    monkeypatch.setattr(suresam.app.running, "_LAST_SPANS_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with serving(otlp_endpoint=endpoint) as running:
            for transport in ("rest", "grpc"):
                async with client_of(running, transport) as client:
                    assert (await client.segment(photo(), CLICK)).results[0].masks


async def test_a_collector_that_is_away_is_complained_of_once(serving, photo, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.001")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with (
            serving(otlp_endpoint=endpoint) as running,
            client_of(running, "rest") as client,
        ):
            for _ in range(3):
                lost = running._export.num_lost
                assert (await client.segment(photo(), CLICK)).results[0].masks
                await until(lambda lost=lost: running._export.num_lost > lost)
    told = [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert len(told) == 1
    assert "Failed to export traces" in told[0].getMessage()
