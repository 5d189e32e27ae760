"""What only gRPC can express: streams, trailing metadata, health, reflection."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub

PROMPT = pb.Prompt(points=[pb.Point(x=320, y=240)])


@pytest.fixture
async def channel(serving):
    limits = {"max_prompts": 3, "max_session_images": 2, "max_body_bytes": 150_000}
    async with (
        serving(max_image_bytes=100_000, **limits) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel,
    ):
        yield channel


def upload(image: bytes, *prompts: pb.Prompt, size: int = 700, announced: int | None = None):
    header = pb.UploadAndSegmentHeader(image_bytes=announced)
    yield pb.UploadAndSegmentRequest(header=header)
    for start in range(0, len(image), size):
        yield pb.UploadAndSegmentRequest(chunk=image[start : start + size])
    for prompt in prompts:
        yield pb.UploadAndSegmentRequest(prompt=prompt)


async def refusal(call) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailing = dict(caught.value.trailing_metadata())
    assert trailing["x-request-id"]
    return caught.value.code(), trailing["suresam-error-code"], caught.value.details()


async def test_a_stream_of_chunks_gives_the_unary_answer(channel, photo_640x480):
    stub = SegmentationStub(channel)
    unary = await stub.Segment(pb.SegmentRequest(image=photo_640x480, prompts=[PROMPT, PROMPT]))
    stream = upload(photo_640x480, PROMPT, PROMPT, announced=len(photo_640x480))
    streamed = await stub.UploadAndSegment(stream)
    assert [r.masks for r in streamed.results] == [r.masks for r in unary.results]
    assert len(streamed.results) == 2


async def test_a_stream_that_ends_early_is_told_with_its_bytes(channel, photo_640x480):
    stub = SegmentationStub(channel)
    size = len(photo_640x480)
    call = stub.UploadAndSegment(upload(photo_640x480[:-9], PROMPT, announced=size))
    code, told, message = await refusal(call)
    assert (code, told) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
    assert message == f"the stream ended after {size - 9} of {size} announced image bytes"

    async def session():
        yield pb.CreateSessionRequest(header=pb.CreateSessionHeader(image_bytes=size))
        yield pb.CreateSessionRequest(chunk=photo_640x480[:100])

    _, _, message = await refusal(stub.CreateSession(session()))
    assert message == f"the stream ended after 100 of {size} announced image bytes"


async def test_streams_out_of_order_are_refused(channel, photo_640x480):
    stub = SegmentationStub(channel)
    header, chunk = (
        pb.UploadAndSegmentRequest(header=pb.UploadAndSegmentHeader()),
        pb.UploadAndSegmentRequest(chunk=photo_640x480),
    )
    prompt = pb.UploadAndSegmentRequest(prompt=PROMPT)
    for messages, told in (
        ([], "the stream ended before its header"),
        ([chunk], "the first message must be the header, not chunk"),
        ([header, prompt, chunk], "a chunk message after prompts"),
        ([header, header], "a header message after the header"),
        ([header, chunk], "prompts is empty"),
        ([header, prompt], "the image is empty"),
    ):
        _, _, message = await refusal(stub.UploadAndSegment(iter(messages)))
        assert told in message
    _, _, message = await refusal(stub.CreateSession(iter([pb.CreateSessionRequest(chunk=b"x")])))
    assert message == "the first message must be a header"
    _, _, message = await refusal(stub.Segment(pb.SegmentRequest(prompts=[PROMPT])))
    assert message == "a request needs either an image or a session_id"


async def test_an_image_over_the_limit_is_refused_while_it_arrives(channel):
    stub = SegmentationStub(channel)
    code, told, message = await refusal(
        stub.UploadAndSegment(upload(bytes(100_001), PROMPT, size=50_000))
    )
    assert (code, told) == (grpc.StatusCode.INVALID_ARGUMENT, "image_too_large")
    assert message == "the image has 100001 bytes (limit 100000 bytes)"
    _, told, _ = await refusal(stub.UploadAndSegment(upload(b"", PROMPT, announced=2**40)))
    assert told == "image_too_large"
    _, told, message = await refusal(stub.UploadAndSegment(upload(bytes(2**20 + 1), size=2**21)))
    assert "a chunk has 1048577 bytes (limit 1048576 bytes)" in message


async def test_a_stream_cannot_pile_up_prompts_or_images(channel, photo_640x480):
    stub = SegmentationStub(channel)
    _, told, message = await refusal(stub.UploadAndSegment(upload(photo_640x480, *[PROMPT] * 4)))
    assert (told, message) == ("invalid_prompt", "4 prompts in one request (limit 3)")

    def session(*images: bytes):
        for image in images:
            yield pb.CreateSessionRequest(header=pb.CreateSessionHeader())
            yield pb.CreateSessionRequest(chunk=image)

    _, told, message = await refusal(stub.CreateSession(session(*[photo_640x480] * 3)))
    assert (told, message) == (
        "invalid_request",
        "3 images in one session (at least 1, limit 2)",
    )
    _, told, message = await refusal(stub.CreateSession(session(bytes(90_000), bytes(90_000))))
    assert (told, message) == (
        "image_too_large",
        "the images have over 150000 bytes (limit 150000 bytes)",
    )


async def test_a_call_may_allow_more_time_than_a_request_may_ask_for(channel, photo_640x480):
    request = pb.SegmentRequest(image=photo_640x480, prompts=[PROMPT])
    answer = await SegmentationStub(channel).Segment(request, timeout=1000)
    assert len(answer.results) == 1


async def test_the_calls_own_deadline_counts(channel, photo_640x480):
    stub = SegmentationStub(channel)
    request = pb.SegmentRequest(image=photo_640x480, prompts=[PROMPT], deadline_ms=-1)
    code, told, _ = await refusal(stub.Segment(request))
    assert (code, told) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Segment(pb.SegmentRequest(image=photo_640x480, prompts=[PROMPT]), timeout=0.0001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_health_and_reflection_answer(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "suresam.v1.Segmentation"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    stream = reflection.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    async for answer in stream:
        names = {service.name for service in answer.list_services_response.service}
        assert {"suresam.v1.Segmentation", "grpc.health.v1.Health"} <= names
