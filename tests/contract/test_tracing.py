"""One trace for each request, over either transport, as a collector is sent it."""

import asyncio
import json
import logging
import struct

import httpx
import pytest
from collector import collecting
from conftest import client_of
from device import CLICK, hold, until, value, waiting
from heads import expecting
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from suresam.access.key import digest_of, new_key
from suresam.access.key_list import KeyEntry
from suresam.access.limits import KeyLimits
from suresam.api.request_log import log_failure
from suresam.app.logs import JsonLines
from suresam.domain import Point, Prompt, RouteRequest
from suresam.errors import InvalidImage, InvalidPrompt, Overloaded, Unauthenticated
from suresam.segmentation.fake import FakeBackbone

SEGMENT = {
    "rest": "POST /v1/sessions/{session_id}/segment",
    "grpc": "suresam.v1.Segmentation/Segment",
}
UPLOAD = {"rest": "POST /v1/segment", "grpc": "suresam.v1.Segmentation/UploadAndSegment"}
CREATE = {"rest": "POST /v1/sessions", "grpc": "suresam.v1.Segmentation/CreateSession"}
STREAM = {"rest": SEGMENT["rest"], "grpc": "suresam.v1.Segmentation/Interact"}
OUTSIDE = Prompt(points=(Point(9999, 1),))
PRIVATE = ("tenant-name", "session-name", "prompt-name", "file-name")
THEIRS = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@pytest.fixture
def collector():
    with collecting() as found:
        yield found


@pytest.fixture
def traced(serving, collector):
    """A service whose spans the collector has once the block is over."""

    def serve(*backbones, **settings):
        return serving(*backbones, otlp_endpoint=collector.endpoint, **settings)

    return serve


async def test_an_upload_is_one_trace_from_its_bytes_to_its_masks(
    traced, collector, transport, photo
):
    async with traced() as running, client_of(running, transport) as client:
        await client.segment(photo(), CLICK)
    root = collector.only(UPLOAD[transport])
    assert collector.tree(root) == [
        "receive",
        (
            "engine",
            ["open_image", "decode_image", "queue", "encode", "queue", "decode"],
        ),
        "route",
        "encode_masks",
        "render",
    ]
    assert (root.kind, root.status, root.parent) == ("server", "unset", "")
    engine = collector.only("engine")
    assert engine.attributes["suresam.model"] == "fake-small"
    assert engine.attributes["suresam.cache.result"] == "miss"
    ours = [span for span in collector.spans if span.trace_id == root.trace_id]
    assert all(root.start_ns <= span.start_ns <= span.end_ns <= root.end_ns for span in ours)
    assert root.resource["service.name"] == "suresam"


async def test_conventional_attributes_say_what_was_asked(traced, collector, photo):
    async with traced() as running:
        for transport in ("rest", "grpc"):
            async with client_of(running, transport) as client:
                session = await client.create_session([photo()])
                await client.segment_session(session.session_id, CLICK)
    for name in (SEGMENT["rest"], SEGMENT["grpc"]):
        assert len(collector.only(name).attributes.pop("suresam.request_id")) == 24
    rest, grpc = (collector.only(name).attributes for name in SEGMENT.values())
    assert {name: rest[name] for name in rest if name != "suresam.request_id"} == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/v1/sessions/{session_id}/segment",
        "http.response.status_code": 200,
    }
    assert {name: grpc[name] for name in grpc if name != "suresam.request_id"} == {
        "rpc.system.name": "grpc",
        "rpc.method": "suresam.v1.Segmentation/Segment",
        "rpc.response.status_code": "OK",
    }


async def test_a_click_on_a_cached_image_says_so_and_has_no_encode(
    traced, collector, transport, photo
):
    async with traced() as running, client_of(running, transport) as client:
        session = await client.create_session([photo()])
        await client.segment_session(session.session_id, [CLICK, CLICK])
    made = collector.only(CREATE[transport])
    stages = ["open_image", "decode_image", "queue", "encode"]
    assert collector.tree(made) == ["receive", ("engine", stages)]
    root = collector.only(SEGMENT[transport])
    [engine] = [span for span in collector.under(root) if span.name == "engine"]
    assert engine.attributes["suresam.cache.result"] == "hit"
    assert engine.attributes["suresam.cache.tier"] == "device"
    assert engine.attributes["suresam.prompts"] == 2
    assert set(collector.tree(engine)) == {"queue", "decode"}


async def test_a_batch_and_those_whom_it_served_link_to_each_other(
    traced, collector, transport, photo
):
    small = FakeBackbone("fake-small")
    async with (
        traced(small, FakeBackbone("fake-large")) as running,
        client_of(running, transport) as client,
    ):
        session = await client.create_session([photo()])
        first = await hold(small, client, session.session_id)
        others = [
            asyncio.create_task(client.segment_session(session.session_id, CLICK)) for _ in range(3)
        ]
        await waiting(running, 3)
        small.gate.set()
        await asyncio.gather(first, *others)
    alone, together = collector.named("batch decode")
    assert (len(alone.links), len(together.links)) == (1, 3)
    assert together.attributes == {
        "suresam.stage": "decode",
        "suresam.model": "fake-small",
        "suresam.device": "fake",
        "suresam.batch.rows": 3,
        "suresam.batch.padding": 0,
    }
    assert together.parent == ""
    served = [span for span in collector.spans if span.place in together.links]
    assert {span.name for span in served} == {"engine"}
    assert len({span.trace_id for span in served} | {together.trace_id}) == 4
    for engine in served:
        [decode] = [span for span in collector.under(engine) if span.name == "decode"]
        assert decode.links == [together.place]


async def test_those_who_wait_for_one_encode_are_all_linked_to_it(traced, collector, photo):
    small = FakeBackbone("fake-small")
    async with (
        traced(small, FakeBackbone("fake-large")) as running,
        client_of(running, "grpc") as client,
    ):
        session = await client.create_session([photo(red=1)])
        held = await hold(small, client, session.session_id)
        uploads = [asyncio.create_task(client.segment(photo(red=2), CLICK)) for _ in range(2)]
        shared = {"result": "shared", "tier": "device", "model": "fake-small"}
        await until(lambda: value(running, "cache_requests_total", **shared) == 1)
        await waiting(running, 1, "encode")
        small.gate.set()
        await asyncio.gather(held, *uploads)
    batch = collector.named("batch encode")[-1]
    served = [span for span in collector.spans if span.place in batch.links]
    assert sorted(span.attributes["suresam.cache.result"] for span in served) == ["miss", "shared"]
    for engine in served:
        [encode] = [span for span in collector.under(engine) if span.name == "encode"]
        assert encode.links == [batch.place]


async def test_an_escalation_asks_the_engine_again_and_tells_why(
    traced, collector, transport, photo
):
    heads = expecting(model_gap=0.1)
    async with (
        traced(heads=heads, route="auto") as running,
        client_of(running, transport) as client,
    ):
        await client.segment(photo(), CLICK, route=RouteRequest(mode="auto"))
    small, large = collector.named("engine")
    assert small.attributes["suresam.model"] == "fake-small"
    assert large.attributes["suresam.model"] == "fake-large"
    assert {"encode", "decode"} <= set(collector.tree(large))
    route = collector.only("route").attributes
    assert route["suresam.route.models"] == ["fake-large"]
    assert route["suresam.route.reasons"] == ["expected_gain"]
    assert route["suresam.route.expected_gains"] == pytest.approx([0.1])
    assert route["suresam.route.members"] == ["fake-small", "fake-large"]
    assert len(route["suresam.route.costs_ms"]) == 2
    assert len(route["suresam.route.spent_ms"]) == 1


async def test_what_the_caller_did_wrong_is_told_by_its_code_and_is_no_error_of_ours(
    traced, collector, transport, photo
):
    async with traced() as running, client_of(running, transport) as client:
        with pytest.raises(InvalidPrompt):
            await client.segment(photo(), OUTSIDE)
        with pytest.raises(InvalidImage):
            await client.segment(b"no picture", CLICK)
    roots = collector.named(UPLOAD[transport])
    assert [span.attributes["error.type"] for span in roots] == ["invalid_prompt", "invalid_image"]
    assert {span.status for span in roots} == {"unset"}
    told = {"rest": ("http.response.status_code", 400)}
    name, value = told.get(transport, ("rpc.response.status_code", "INVALID_ARGUMENT"))
    assert {span.attributes[name] for span in roots} == {value}
    assert b"9999" not in collector.sent


async def test_a_refusal_and_a_failed_row_are_errors(traced, collector, transport, photo):
    small = FakeBackbone("fake-small")
    async with (
        traced(small, FakeBackbone("fake-large"), max_in_flight=1) as running,
        client_of(running, transport) as client,
    ):
        session = await client.create_session([photo()])
        held = await hold(small, client, session.session_id)
        with pytest.raises(Overloaded):
            await client.segment_session(session.session_id, CLICK)
        small.gate.set()
        await held
        await client.segment(photo(red=small.poison), CLICK)
    refused = next(s for s in collector.named(SEGMENT[transport]) if s.status == "error")
    assert refused.attributes["error.type"] == "overloaded"
    assert ("engine", "error") in [(s.name, s.status) for s in collector.under(refused)]
    failed = next(span for span in collector.named("decode") if span.status == "error")
    assert failed.attributes["error.type"] == "inference_failed"
    assert collector.only(UPLOAD[transport]).status == "unset"  # the failure is one of its results


async def test_each_prompt_of_a_stream_is_a_span_under_the_streams_own(
    traced, collector, transport, photo
):
    async with traced() as running, client_of(running, transport) as client:
        session = await client.create_session([photo()])
        prompts = [CLICK, Prompt(points=(Point(10, 5),))]
        if transport == "rest":
            answers = client.segment_session_stream(session.session_id, prompts)
        else:
            answers = client.interact(session.session_id, [*prompts, OUTSIDE])
        num_answers = len([answer async for answer in answers])
    root = collector.only(STREAM[transport])
    turns = [span for span in collector.under(root) if span.name == "prompt"]
    assert len(turns) == num_answers
    parts = [(len(collector.tree(turn)), turn.attributes.get("error.type")) for turn in turns]
    assert parts.count((3, None)) == 2  # engine, route, encode_masks
    if transport == "grpc":
        assert [code for _, code in parts if code] == ["invalid_prompt"]


async def test_the_small_members_answer_and_the_one_after_it_are_told_apart(
    traced, collector, photo
):
    heads, auto = expecting(model_gap=0.1), RouteRequest(mode="auto", progressive=True)
    async with traced(heads=heads, route="auto") as running, client_of(running, "rest") as client:
        session = await client.create_session([photo()])
        stream = client.segment_session_stream(session.session_id, CLICK, route=auto)
        assert [answer.result.provisional async for answer in stream] == [True, False]
    first, second = collector.named("prompt")
    assert [name for name in collector.tree(first) if isinstance(name, str)][-1] == "encode_masks"
    [asked] = [span for span in collector.under(second) if span.name == "engine"]
    assert asked.attributes["suresam.model"] == "fake-large"


async def test_a_trace_goes_on_from_the_clients(traced, collector, transport, photo):
    async with traced(trace_ratio=0) as running, client_of(running, transport) as client:
        await client.segment(photo(), CLICK)  # of no trace: the ratio is 0
        for flags in (TraceFlags.DEFAULT, TraceFlags.SAMPLED):
            parent = SpanContext(
                *(int(part, 16) for part in THEIRS), is_remote=False, trace_flags=TraceFlags(flags)
            )
            token = otel_context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))
            try:
                session = await client.create_session([photo()])
                if transport == "grpc":
                    async for _ in client.interact(session.session_id, [CLICK]):
                        pass
            finally:
                otel_context.detach(token)
    assert collector.only(CREATE[transport]).parent == THEIRS[1]
    others = [span for span in collector.spans if not span.name.startswith("batch")]
    assert {span.trace_id for span in others} == {THEIRS[0]}
    if transport == "grpc":
        assert collector.only(STREAM["grpc"]).parent == THEIRS[1]


async def test_what_is_no_trace_context_is_as_if_it_were_not_there(traced, collector):
    good = f"00-{THEIRS[0]}-{THEIRS[1]}-01"
    bad = (
        [("traceparent", "nonsense")],
        [("traceparent", good)] * 2,
        [("traceparent", good.replace(THEIRS[0], "0" * 32))],
        [("traceparent", "ff" + good[2:])],
        [("traceparent", b"\xff\xfe")],
        [("tracestate", "a=b")],
    )
    async with traced() as running, httpx.AsyncClient() as client:
        for headers in bad:
            url = f"http://127.0.0.1:{running.http_port}/v1/models"
            assert (await client.get(url, headers=headers)).status_code == 200
    roots = collector.named("GET /v1/models")
    assert len(roots) == len(bad)
    assert {root.parent for root in roots} == {""}
    assert THEIRS[0] not in {root.trace_id for root in roots}


async def test_probes_and_pages_are_not_traced_and_nothing_made_up_is_a_name(traced, collector):
    async with (
        traced() as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.http_port}") as client,
    ):
        for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/nowhere"):
            await client.get(path)
        await client.request("PROPFIND", "/v1/models")
        await client.get("/v1/nowhere/secret-name")
    odd, nowhere = collector.spans
    assert (odd.name, odd.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert (nowhere.name, nowhere.attributes["error.type"]) == ("GET", "not_found")
    assert b"secret-name" not in collector.sent


async def test_no_key_tenant_session_file_or_prompt_leaves_the_service(
    traced, collector, photo, transport
):
    key = new_key()
    entry = KeyEntry("tenant-name", frozenset({"infer"}), digest_of(key), KeyLimits())
    prompt = Prompt(points=(Point(37.125, 21.375),), prompt_id="prompt-name")
    async with (
        traced(api_keys=entry.line()) as running,
        client_of(running, transport, api_key=key) as client,
        client_of(running, transport, api_key=new_key()) as stranger,
    ):
        await client.create_session([photo()], session_id="session-name")
        await client.segment_session("session-name", prompt)
        with pytest.raises(Unauthenticated):
            await stranger.models()
        if transport == "rest":
            async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}) as other:
                files = {"image": ("file-name.png", photo())}
                url = f"http://127.0.0.1:{running.http_port}/v1/sessions"
                assert (await other.post(url, files=files)).status_code == 201
    sent = collector.sent
    assert b"receive" in sent
    for private in (key, digest_of(key), *PRIVATE, "37.125", "21.375"):
        assert (private if isinstance(private, bytes) else private.encode()) not in sent
    assert struct.pack("<d", 37.125) not in sent
    refused = next(span for span in collector.spans if "error.type" in span.attributes)
    assert refused.attributes["error.type"] == "unauthenticated"


async def test_lines_of_the_log_name_the_trace_they_belong_to(traced, collector, photo, caplog):
    caplog.set_level(logging.INFO, "suresam")
    lines = []

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(JsonLines().format(record)))

    logger, handler = logging.getLogger(log_failure.__module__), Lines()
    logger.addHandler(handler)
    try:
        async with traced() as running, client_of(running, "rest") as client:
            with pytest.raises(InvalidPrompt):
                await client.segment(photo(), OUTSIDE)
    finally:
        logger.removeHandler(handler)
    [line] = lines
    assert (line["trace_id"], line["span_id"]) == collector.only(UPLOAD["rest"]).place
