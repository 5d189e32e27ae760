"""Event streams that another server, or a proxy, cuts short or writes differently."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from suresam.client import AsyncClient, Client, RetryPolicy
from suresam.domain import ImageSize, Prompt, PromptAnswer, Result, SegmentResponse, Timings
from suresam.errors import NotReady, ServiceError
from suresam.wire.rest import done_event, result_event

PROMPT = Prompt(points=[(1.0, 2.0)])
RESULT = Result("a", (), None, None)
ANSWER = PromptAnswer(0, SegmentResponse(ImageSize(4, 3), "s", (RESULT,), (), Timings()))


@asynccontextmanager
async def answering(body):
    """A server whose every answer is this body."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        length = f"content-length: {len(body)}\r\nconnection: close".encode()
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def read(url, is_async):
    if is_async:
        async with AsyncClient(url, retry=RetryPolicy(1)) as client:
            return [answer async for answer in client.segment_session_stream("s", PROMPT)]
    with Client(url, retry=RetryPolicy(1)) as client:
        return await asyncio.to_thread(lambda: list(client.segment_session_stream("s", PROMPT)))


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_whole_stream_is_read(is_async):
    async with answering(result_event(ANSWER) + b": wait\n\n" + done_event(1)) as url:
        assert repr(await read(url, is_async)) == repr([ANSWER])


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("body", [b"", result_event(ANSWER), b"{}"])
async def test_a_stream_without_its_last_event_is_no_answer(is_async, body):
    async with answering(body) as url:
        with pytest.raises(NotReady, match="before the last event"):
            await read(url, is_async)


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_result_in_another_form_is_told(is_async):
    async with answering(b"event: result\nid: 0\ndata: {}\n\n" + done_event(1)) as url:
        with pytest.raises(ServiceError, match="answered in an unknown form"):
            await read(url, is_async)
