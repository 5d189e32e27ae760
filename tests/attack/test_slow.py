"""Clients that are slow, silent or many, while others click."""

import asyncio
import contextlib
import itertools
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from attack.attacked_service import PATIENCE_S, AttackedService
from attack.frames import DATA, END_HEADERS, HEADERS, call_headers, frame, message, opening
from attack.line import status_of
from attack.tally import Tally

_SEGMENT = "/suresam.v1.Segmentation/Segment"
_UPLOAD = "/suresam.v1.Segmentation/UploadAndSegment"
_CHECK = "/grpc.health.v1.Health/Check"

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_slow_clients_are_ended_and_harm_nobody(
    service: AttackedService, tally: Tally, is_long: bool
):
    """Each of them is told or cut off when its time is over, and clicks are answered meanwhile."""
    count = 60 if is_long else 10
    key = f"Host: x\r\nAuthorization: Bearer {service.key}\r\n".encode()
    post = b"POST /v1/sessions/x/segment HTTP/1.1\r\n"
    form = (
        b"POST /v1/segment HTTP/1.1\r\n" + key
        + b"Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"
    )  # fmt: skip
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    chunk = b"%x\r\n%s\r\n" % (len(part), part)
    calls = {
        path: opening()
        + frame(
            HEADERS, END_HEADERS, 1, call_headers(path, None if path == _CHECK else service.key)
        )
        for path in (_SEGMENT, _UPLOAD, _CHECK)
    }
    http, grpc = service.http_port, service.grpc_port
    kinds: dict[str, tuple[int, bytes, bytes, int | None]] = {
        "says nothing": (http, b"", b"", None),
        "asks and stays": (http, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"", 200),
        "trickles headers": (http, b"GET /livez HTTP/1.1\r\nX: ", b"a", 408),
        "trickles header lines": (http, b"GET /livez HTTP/1.1\r\n", b"X: y\r\n", 408),
        "trickles line ends": (http, b"", b"\r\n", 408),
        "stops in a body": (http, post + key + b"Content-Length: 9\r\n\r\na", b"", 504),
        "trickles a body": (http, post + key + b"Content-Length: 999\r\n\r\n", b"a", 504),
        "trickles a form": (http, form + chunk, b"1\r\na\r\n", 504),
        "trickles after a refusal": (http, post + b"Content-Length: 999\r\n\r\n", b"a", 401),
        "stops in a form": (http, form + chunk, b"", 504),
        "speaks no HTTP/2": (grpc, b"", b"", None),
        "trickles the preface": (grpc, b"PRI * HT", b"", None),
        "opens a call": (grpc, calls[_SEGMENT], b"", 0),
        "opens a health check": (grpc, calls[_CHECK], b"", 0),
        "opens an upload": (grpc, calls[_UPLOAD], b"", 0),
        "sends half a message": (
            grpc, calls[_SEGMENT] + frame(DATA, 0, 1, message(b"a", length=99)), b"", 0,
        ),
    }  # fmt: skip
    async with _clicks(service) as clicked:
        ended = await asyncio.gather(
            *(
                _ended(service, what, *kinds[what])
                for what, _ in itertools.product(kinds, range(count))
            )
        )
    assert clicked.harm == []
    met = set()
    for what, told in ended:  # which is the point: none of them stayed
        *_, expected = kinds[what]
        if expected == 0:  # the refusal of a call is its trailing headers
            status = 504 if b"deadline_exceeded" in told else None
            met.add(status)
        else:
            status = status_of(told)
            met.add(status)
            # Where this machine was too busy to say its first word in time, it was told none.
            assert status in (expected, None), (what, told)
        tally.answered(status)
        assert told.count(b"HTTP/1.1 ") <= 1, (what, told)
    assert met & {408, 504}, "some are told why"


async def _ended(
    service: AttackedService, what: str, port: int, begin: bytes, then: bytes, _: int | None
) -> tuple[str, bytes]:
    """Say the beginning and then little by little more, until the service ends it."""
    reader, writer = await asyncio.open_connection(service.host, port)
    told = b""

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(begin)
            while then:
                await writer.drain()
                await asyncio.sleep(0.2)  # slowly: this is the attack
                writer.write(then)

    trickling = asyncio.create_task(trickle())
    try:
        while b"deadline_exceeded" not in told or b"HTTP/1.1" in told:
            with contextlib.suppress(ConnectionError):
                piece = await asyncio.wait_for(reader.read(65536), PATIENCE_S)
                told += piece
                if piece:
                    continue
            break
    finally:
        trickling.cancel()
        writer.close()
    return what, told


async def test_idle_connections_are_held_and_then_closed(
    service: AttackedService, tally: Tally, is_long: bool
):
    """To both ports; clicks are answered while they stand, and what they cost is bounded."""
    count = 10_000 if is_long else 500  # the service is started with 256 open files allowed
    before = service.resident_mib()
    with _many_files(count + 200), contextlib.ExitStack() as closing:
        for port, begin in ((service.grpc_port, opening()), (service.http_port, b"")):
            lines: list[Line] = []
            for start in range(0, count, 100):
                opened = (
                    asyncio.open_connection(service.host, port)
                    for _ in range(min(100, count - start))
                )
                for reader, writer in await asyncio.gather(*opened):
                    closing.callback(writer.close)
                    writer.write(begin)
                    lines.append((reader, writer))
            tally.sent(len(lines))
            async with _clicks(service) as clicked:
                pass
            assert clicked.harm == []
            per_line_kib = (service.resident_mib() - before) * 1024 / count
            tally.note(f"{len(lines)} idle connections: {per_line_kib:.0f} KiB for each so far")
            assert per_line_kib < 100 or service.resident_mib() - before < 64
            if begin:
                for _, writer in lines:
                    writer.close()
            else:  # each is closed when its time for a first request is over
                ends = await asyncio.gather(*(_end_of(reader) for reader, _ in lines))
                assert set(ends) == {b""}


async def _end_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), PATIENCE_S)


@asynccontextmanager
async def _clicks(service: AttackedService) -> AsyncIterator["Clicked"]:
    """Somebody who clicks all the time over both transports, at least once."""
    clicked = Clicked()
    leave = asyncio.Event()

    async def click() -> None:
        while not clicked.times or not leave.is_set():
            clicked.harm += await asyncio.to_thread(service.harm)
            clicked.times += 1

    clicking = asyncio.create_task(click())
    try:
        yield clicked
    finally:
        leave.set()
        await clicking


class Clicked:
    """What went wrong with the clicks; there is one at least."""

    def __init__(self) -> None:
        self.times = 0
        self.harm: list[str] = []


@contextmanager
def _many_files(count: int) -> Iterator[None]:
    """Let this process open so many, or skip where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"{hard} open files are allowed, and {count} are needed")
    if soft == resource.RLIM_INFINITY or soft >= count:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
