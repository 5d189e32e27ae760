import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from suresam.errors import InvalidPrompt, OutOfMemory
from suresam.tracing import current, span
from suresam.tracing import server as tracing
from suresam.tracing.passage import Launch, Passage, Stage
from suresam.tracing.server import Tracer


@pytest.fixture
def exported():
    return InMemorySpanExporter()


@pytest.fixture
def tracer_of(exported):
    def make(sampler=None):
        provider = TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exported))
        return Tracer(provider.get_tracer("requests"), provider.get_tracer("batches"))

    return make


def launch(number=1, traces=()):
    return Launch(number, "decode", "m", "cpu", rows=len(traces), padding=0, traces=traces)


def names(exported):
    return [one.name for one in exported.get_finished_spans()]


async def test_work_outside_of_any_request_is_nothing():
    with span("work") as found:
        assert found is None
    assert current() is None


async def test_a_request_that_is_not_recorded_is_nothing(tracer_of):
    root = tracer_of(ALWAYS_OFF).http("GET", "http", [])
    with span("work") as found:
        assert found is None
    root.end_http("GET /v1/models", 200, "ok")
    assert current() is None


async def test_work_is_under_what_the_task_works_on_and_a_task_takes_it_along(tracer_of, exported):
    root = tracer_of().rpc("a.B/C", [])

    async def elsewhere():
        with span("inner"):
            pass

    with span("outer") as outer:
        await asyncio.create_task(elsewhere())
        assert current() is outer
    assert current() is root
    root.end_rpc("OK", "ok")
    inner, outer, ended = exported.get_finished_spans()
    assert (inner.parent.span_id, outer.parent.span_id) == (
        outer.context.span_id,
        ended.context.span_id,
    )


async def test_what_is_left_when_the_request_is_over_is_no_part_of_it(tracer_of, exported):
    """What goes on in the background took its context along."""
    tracer_of().http("GET", "http", []).end_http(None, 404, "not_found")
    with span("late") as found:
        assert found is None
    assert current() is None
    assert names(exported) == ["GET"]


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidPrompt("x=700"), "invalid_prompt", StatusCode.UNSET),
        (OutOfMemory("7 GiB"), "out_of_memory", StatusCode.ERROR),
        (KeyError("x=700"), "KeyError", StatusCode.UNSET),  # the request's own span is an error
        (asyncio.CancelledError(), "CancelledError", StatusCode.UNSET),
    ],
)
async def test_an_error_is_told_by_its_code_alone(tracer_of, exported, error, code, status):
    root = tracer_of().http("GET", "http", [])
    with pytest.raises(type(error)), span("work"):
        raise error
    root.end_http(None, 0, code)
    work, _ = exported.get_finished_spans()
    assert dict(work.attributes) == {"error.type": code}
    assert (work.status.status_code, work.status.description) == (status, None)
    assert work.events == ()


async def test_a_batch_is_told_once_by_whoever_comes_first(tracer_of, exported):
    tracer = tracer_of()
    places = []
    for _ in range(2):
        root = tracer.http("POST", "http", [])
        places.append(root.traceparent)
        root.end_http(None, 200, "ok")
    contexts = [
        tracer.batch(launch(traces=(*places, places[0])), start_ns, start_ns + 5)
        for start_ns in (1000, 1200)
    ]
    assert contexts[0] == contexts[1]
    *served, batch = exported.get_finished_spans()
    assert [link.context.span_id for link in batch.links] == [s.context.span_id for s in served]
    assert (batch.start_time, batch.end_time, batch.parent) == (1000, 1005, None)


async def test_old_batches_are_forgotten(tracer_of, exported, monkeypatch):
    monkeypatch.setattr(tracing, "_KNOWN_BATCHES", 2)
    tracer = tracer_of()
    for number in (1, 2, 3, 3, 2, 1):
        tracer.batch(launch(number), 0, 1)
    assert len(exported.get_finished_spans()) == 4


async def test_stages_lie_before_the_moment_at_which_they_are_told(tracer_of, exported):
    root = tracer_of().http("POST", "http", [])
    stages = (
        Stage("queue", 30.0, 20.0, 2, launch(traces=(root.traceparent,))),
        Stage("decode", 20.0, 5.0, 2, launch(traces=(root.traceparent,)), "non_finite_output"),
    )
    with span("engine") as engine:
        engine.passed(Passage("hit", "host", stages))
    queue, batch, decode, asked = exported.get_finished_spans()
    assert (batch.name, asked.attributes["suresam.cache.tier"]) == ("batch decode", "host")
    assert queue.end_time - queue.start_time == 10_000_000
    assert decode.start_time == queue.end_time == batch.start_time
    assert decode.end_time - decode.start_time == 15_000_000
    assert asked.end_time - decode.end_time >= 5_000_000
    assert queue.links == ()
    assert [link.context for link in decode.links] == [batch.context]
    assert decode.attributes["error.type"] == "non_finite_output"
    assert decode.status.status_code is StatusCode.ERROR
