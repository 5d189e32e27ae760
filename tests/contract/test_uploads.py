"""Uploads over gRPC that are refused, or given up, before they are through."""

import asyncio
import contextlib
import re
from contextlib import asynccontextmanager

import grpc
import pytest

from suresam.api.closing import Closing
from suresam.api.grpc.edge import Edge
from suresam.api.grpc.gate import Gate
from suresam.api.grpc.server import GrpcLimits, GrpcServer
from suresam.api.grpc.servicer import Servicer
from suresam.api.grpc.uploads import StreamLimits
from suresam.api.upload_times import UploadTimes
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub
from suresam.segmentation.images import ImageLimits

METHODS = ["UploadAndSegment", "CreateSession"]


@pytest.fixture
def stub_with(server_with):
    """A stub of the real service whose client streams have other limits."""

    @asynccontextmanager
    async def connected(**limits):
        async with (
            server_with(limits, GrpcLimits(2**22)) as port,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            yield SegmentationStub(channel)

    return connected


@pytest.fixture
def server_with(serving):
    """The port of the real service's gRPC with other limits."""

    @asynccontextmanager
    async def started(limits, of_connections):
        async with serving() as running:
            parts = running.composition
            all_limits = StreamLimits(
                **{"images": ImageLimits(), "max_images": 2, "max_bytes": 2**20, "max_prompts": 2}
                | limits
            )
            closing = Closing()
            edge = Edge(parts.telemetry, closing)
            servicer = Servicer(parts.router, all_limits, edge, closing)
            server = GrpcServer(servicer, Gate(parts.door, edge, 0.3), of_connections)
            yield await server.start("127.0.0.1", 0)
            await server.stop(0)

    return started


def header(method):
    if method == "CreateSession":
        return pb.CreateSessionRequest(header=pb.CreateSessionHeader())
    return pb.UploadAndSegmentRequest(header=pb.UploadAndSegmentHeader())


def chunk(method, data):
    kind = pb.CreateSessionRequest if method == "CreateSession" else pb.UploadAndSegmentRequest
    return kind(chunk=data)


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailing = dict(caught.value.trailing_metadata())
    return caught.value.code(), trailing["suresam-error-code"], caught.value.details()


@pytest.mark.parametrize("method", METHODS)
async def test_an_upload_that_stands_still_is_given_up(stub_with, method, photo):
    async def stalled():
        yield header(method)
        yield chunk(method, photo()[:50])
        await asyncio.Event().wait()

    async with stub_with(times=UploadTimes(max_idle_s=0.9)) as stub:
        code, told, message = await refusal(getattr(stub, method)(stalled()))
    assert (code, told) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
    assert message == (
        "the upload stood still for 0.9 s after 2 messages (limit 0.9 s between messages)"
    )


@pytest.mark.parametrize("method", METHODS)
async def test_an_upload_that_trickles_is_given_up(stub_with, method, photo):
    async def trickling():
        yield header(method)
        for _ in range(10):
            yield chunk(method, b"x")
            await asyncio.sleep(0.01)
        # One that writes while it is refused may be told of the broken stream instead.
        await asyncio.Event().wait()

    async with stub_with(times=UploadTimes(9, 0.2)) as stub:
        code, told, message = await refusal(getattr(stub, method)(trickling()))
    assert (code, told) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
    assert re.fullmatch(
        r"the upload is not complete after \S+ s and \d+ messages \(limit 0\.2 s\)", message
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "BMP", "GIF"])
async def test_too_many_pixels_are_refused_before_the_rest_arrives(stub_with, method, fmt, photo):
    data = photo(300, 200, fmt=fmt)

    async def unfinished():
        yield header(method)
        yield chunk(method, data[: len(data) - 20])
        await asyncio.Event().wait()

    async with stub_with(images=ImageLimits(max_pixels=59_999)) as stub:
        code, told, message = await refusal(getattr(stub, method)(unfinished()))
    assert (code, told) == (grpc.StatusCode.INVALID_ARGUMENT, "image_too_large")
    assert message.startswith("the image is 300 x 200 pixels (limits: ")


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
async def test_images_within_the_limits_arrive_however_they_are_cut(stub_with, fmt, photo):
    data = photo(40, 30, fmt=fmt)

    def cut():
        yield header("CreateSession")
        for start in range(0, len(data), 7):
            yield chunk("CreateSession", data[start : start + 7])

    async with stub_with() as stub:
        session = await stub.CreateSession(cut())
    assert (session.images[0].width, session.images[0].height) == (40, 30)


async def test_a_call_that_never_sends_its_message_is_given_up(server_with):
    async with (
        server_with({}, GrpcLimits(2**22)) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):

        async def nothing():
            await asyncio.Event().wait()
            yield b""

        for method in ("suresam.v1.Segmentation/Segment", "grpc.health.v1.Health/Check"):
            code, told, message = await refusal(channel.stream_unary(f"/{method}")(nothing()))
            assert (code, told) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
            assert message == "no message came within 0.3 s (limit 0.3 s)"


async def test_connections_over_the_limit_and_idle_ones_are_closed(server_with):
    limits = GrpcLimits(2**22, max_connections=2, max_idle_s=1, max_handshake_s=1)
    async with server_with({}, limits) as port:
        silent, speaking = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        speaking[1].write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5))
        one_more = await asyncio.open_connection("127.0.0.1", port)
        for reader, _ in (one_more, silent, speaking):
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 60)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert await check(b"", wait_for_ready=True) == b"\x08\x02"
        for _, writer in (silent, speaking, one_more):
            writer.close()
