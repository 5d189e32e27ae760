"""Clients of every kind that go on asking while the service stops, and tell what came of it.

They are rude: they never look at readiness and come back after every refusal, on a new connection
where they must.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import grpc
from attack.exchanges import Exchanges, now

from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import SegmentationStub
from suresam.wire.grpc.metadata import ERROR_CODE_KEY, PUSHBACK_KEY

SESSION = "stopping"
_THINK_S = 0.02
_AFTER_REFUSAL_S = 0.05
_NO_ANSWER_S = 90.0
_REFUSALS = ("shutting_down", "overloaded")
_BOUNDARY = b"suresam-boundary"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and with what.

    Attributes:
        host, port: of REST.
        address: of gRPC.
        pictures: image files.
    """

    host: str
    port: int
    address: str
    pictures: list[bytes]


class Cut(Exception):
    """A connection ended before the whole answer."""


class Connection:
    """One HTTP/1.1 connection that knows what it sent and what came back."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> bool:
        """Connect unless it is; whether it could."""
        if self._writer is not None and self._reader is not None and not self._reader.at_eof():
            return True
        self.close()
        try:
            self._reader, self._writer = await asyncio.open_connection(
                self._target.host, self._target.port
            )
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def send(self, request: bytes) -> None:
        """Hand over a request."""
        assert self._writer is not None
        self._writer.write(request)
        await self._writer.drain()

    async def answer(self) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and the whole body.

        Raises:
            Cut: it did not come.
            asyncio.TimeoutError: nor did anything else.
        """
        assert self._reader is not None
        try:
            return await asyncio.wait_for(self._read(self._reader), _NO_ANSWER_S)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Cut(repr(error)) from None

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, body


def _post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: suresam", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _prompts(random: Random, number: int) -> bytes:
    points = [[random.randrange(300), random.randrange(200)] for _ in range(number)]
    return json.dumps({"prompts": [{"points": [point]} for point in points]}).encode()


def _click(random: Random, _: Target) -> bytes:
    path = f"/v1/sessions/{SESSION}/segment"
    return _post(path, _prompts(random, 1), "Content-Type: application/json")


def _stream(random: Random, _: Target) -> bytes:
    kinds = ("Content-Type: application/json", "Accept: text/event-stream")
    return _post(f"/v1/sessions/{SESSION}/segment", _prompts(random, 6), *kinds)


def upload(picture: bytes, field: str, value: bytes, path: str) -> bytes:
    """A multipart request with a picture and one field."""
    part = b"--" + _BOUNDARY + b"\r\nContent-Disposition: form-data; name="
    body = part + b'"image"; filename="a.png"\r\n\r\n' + picture + b"\r\n"
    body += part + f'"{field}"\r\n\r\n'.encode() + value + b"\r\n--" + _BOUNDARY + b"--\r\n"
    return _post(path, body, f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}")


def _upload(random: Random, target: Target) -> bytes:
    return upload(random.choice(target.pictures), "request", _prompts(random, 2), "/v1/segment")


def _judge(
    exchanges: Exchanges, kind: str, sent_at: float, answer: tuple[int, Mapping[str, str], bytes]
) -> bool:
    """Note what an answer is; whether it was masks."""
    status, headers, body = answer
    if status == 200:
        if "event-stream" in headers["content-type"]:
            if not body.rstrip().split(b"\n\n")[-1].startswith(b"event: done"):
                exchanges.lost(kind, sent_at, "the stream has no end")
                return False
        else:
            json.loads(body)
        exchanges.answered(kind, sent_at)
        return True
    code = json.loads(body)["error"]["code"]
    if code in _REFUSALS and "retry-after" in headers:
        exchanges.refused(kind, sent_at, code)
    else:
        exchanges.lost(kind, sent_at, f"{status} {code}")
    return False


async def _rest(
    kind: str,
    write: Callable[[Random, Target], bytes],
    is_kept: bool,
    target: Target,
    random: Random,
    exchanges: Exchanges,
) -> None:
    connection = Connection(target)
    while not exchanges.is_over:
        if not is_kept:
            connection.close()
        if not await connection.open():
            await asyncio.sleep(_AFTER_REFUSAL_S)
            continue
        request = write(random, target)
        sent_at = now()
        try:
            await connection.send(request)
            sent_at = now()
            is_good = _judge(exchanges, kind, sent_at, await connection.answer())
        except (Cut, OSError, asyncio.TimeoutError) as error:
            connection.close()
            exchanges.lost(kind, sent_at, repr(error))
            is_good = False
        await asyncio.sleep(_THINK_S if is_good else _AFTER_REFUSAL_S)
    connection.close()


async def slow_upload(target: Target, random: Random, exchanges: Exchanges) -> None:
    """Never wholly sent: whatever becomes of it, it must not keep the service from its end."""
    while not exchanges.is_over:
        connection = Connection(target)
        if await connection.open():
            with suppress(Cut, OSError, asyncio.TimeoutError):
                await connection.send(_upload(random, target)[:-1])
                await connection.answer()
        connection.close()
        await asyncio.sleep(_AFTER_REFUSAL_S)


def _judge_rpc(
    exchanges: Exchanges, kind: str, sent_at: float, error: grpc.aio.AioRpcError
) -> None:
    told = dict(error.trailing_metadata() or ())
    code = told.get(ERROR_CODE_KEY)
    if code in _REFUSALS and PUSHBACK_KEY in told:
        exchanges.refused(kind, sent_at, str(code))
    else:
        exchanges.lost(kind, sent_at, f"{error.code().name} {code}: {error.details()}")


def _prompt(random: Random) -> pb.Prompt:
    return pb.Prompt(points=[pb.Point(x=random.randrange(300), y=random.randrange(200))])


async def _grpc(
    kind: str,
    ask: Callable[[SegmentationStub, Random, Target], Any],
    target: Target,
    random: Random,
    exchanges: Exchanges,
) -> None:
    async with grpc.aio.insecure_channel(target.address) as channel:
        stub = SegmentationStub(channel)
        while not exchanges.is_over:
            sent_at = now()
            try:
                await ask(stub, random, target)
                exchanges.answered(kind, sent_at)
                pause_s = _THINK_S
            except grpc.aio.AioRpcError as error:
                _judge_rpc(exchanges, kind, sent_at, error)
                pause_s = _AFTER_REFUSAL_S
            await asyncio.sleep(pause_s)


def _grpc_click(stub: SegmentationStub, random: Random, _: Target) -> Any:
    return stub.Segment(pb.SegmentRequest(session_id=SESSION, prompts=[_prompt(random)]))


def _grpc_upload(stub: SegmentationStub, random: Random, target: Target) -> Any:
    async def messages() -> AsyncIterator[pb.UploadAndSegmentRequest]:
        yield pb.UploadAndSegmentRequest(header=pb.UploadAndSegmentHeader())
        picture = random.choice(target.pictures)
        for start in range(0, len(picture), 64 * 1024):
            yield pb.UploadAndSegmentRequest(chunk=picture[start : start + 64 * 1024])
        yield pb.UploadAndSegmentRequest(prompt=_prompt(random))

    return stub.UploadAndSegment(messages())


async def _interact(target: Target, random: Random, exchanges: Exchanges) -> None:
    """Streams of prompts, of which four are open at a time; each counts as a request."""
    async with grpc.aio.insecure_channel(target.address) as channel:
        while not exchanges.is_over:
            await _one_stream(SegmentationStub(channel), random, exchanges)
            await asyncio.sleep(_AFTER_REFUSAL_S)


async def _one_stream(stub: SegmentationStub, random: Random, exchanges: Exchanges) -> None:
    kind = "Interact"
    places = asyncio.Semaphore(4)
    sent: dict[int, float] = {}

    async def messages() -> AsyncIterator[pb.InteractRequest]:
        yield pb.InteractRequest(header=pb.InteractHeader(session_id=SESSION))
        index = 0
        while not exchanges.is_over:
            await places.acquire()
            sent[index] = now()
            index += 1
            yield pb.InteractRequest(prompt=_prompt(random))
            await asyncio.sleep(_THINK_S)

    try:
        async for response in stub.Interact(messages()):
            sent_at = sent.pop(response.index)
            [result] = response.response.results
            error = result.error
            if not result.HasField("error"):
                exchanges.answered(kind, sent_at)
            elif error.code in _REFUSALS and error.HasField("retry_after_ms"):
                exchanges.refused(kind, sent_at, error.code)
            else:
                exchanges.lost(kind, sent_at, error.code)
            places.release()
        for sent_at in sent.values():
            exchanges.lost(kind, sent_at, "the stream ended without an answer")
    except grpc.aio.AioRpcError as error:
        for sent_at in sent.values():  # with its end, all that it has not answered is refused
            _judge_rpc(exchanges, kind, sent_at, error)


CLIENTS: Mapping[str, Callable[[Target, Random, Exchanges], Coroutine[Any, Any, None]]] = {
    "REST kept": lambda *given: _rest("REST kept", _click, True, *given),
    "REST new": lambda *given: _rest("REST new", _click, False, *given),
    "multipart": lambda *given: _rest("multipart", _upload, True, *given),
    "events": lambda *given: _rest("events", _stream, True, *given),
    "gRPC": lambda *given: _grpc("gRPC", _grpc_click, *given),
    "gRPC upload": lambda *given: _grpc("gRPC upload", _grpc_upload, *given),
    "Interact": _interact,
}
"""By kind."""
