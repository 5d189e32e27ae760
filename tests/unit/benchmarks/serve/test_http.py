import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from suresam.benchmarks.serve.http import HttpConnections
from suresam.errors import ConfigurationError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After: 2\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


class Peer:
    """A server that answers each connection by hand and remembers what came."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked, self.hung_up = asyncio.Event(), asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for answer in self.answers:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                self.asked.set()
                writer.write(answer)
                await writer.drain()
            await reader.read()
        finally:
            self.hung_up.set()


@asynccontextmanager
async def talking_to(handle: Handler) -> AsyncIterator[HttpConnections]:
    handled = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handle(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    http = HttpConnections(f"http://127.0.0.1:{port}/base/")
    try:
        yield http
    finally:
        http.close()
        server.close()
        await asyncio.wait_for(asyncio.gather(*handled), 60)


async def test_an_answer_is_read_and_its_connection_kept():
    peer = Peer(OK, OK)
    async with talking_to(peer.handle) as http:
        for _ in range(2):
            answer = await http.ask([http.head("GET", "/readyz")])
            assert (answer.status, answer.body) == (200, b"hello")
            assert answer.headers["retry-after"] == "2"
    assert peer.connections == 1
    assert peer.requests[0].startswith(b"GET /base/readyz HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED, b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_bodies_of_every_form_are_read(answer: bytes, body: bytes):
    peer = Peer(answer, OK)
    async with talking_to(peer.handle) as http:
        assert (await http.ask([http.head("GET", "/")])).body == body
        assert (await http.ask([http.head("GET", "/")])).body == b"hello"
    assert peer.connections == 1


async def test_a_connection_that_the_server_closes_is_not_used_again():
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await writer.drain()

    async with talking_to(handle) as http:
        for _ in range(3):
            assert (await http.ask([http.head("GET", "/")])).status == 200


async def test_a_kept_connection_that_breaks_is_replaced_once():
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        if connections == 1:
            await reader.readuntil(b"\r\n\r\n")  # and then hangs up without a word

    async with talking_to(handle) as http:
        for _ in range(2):
            assert (await http.ask([http.head("GET", "/")])).body == b"hello"
    assert connections == 2


async def test_a_server_that_hangs_up_at_once_is_an_error():
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with talking_to(handle) as http:
        with pytest.raises(EOFError):
            await http.ask([http.head("GET", "/")])


async def test_cancelling_hangs_up():
    peer = Peer(b"")
    async with talking_to(peer.handle) as http:
        asking = asyncio.ensure_future(http.ask([http.head("GET", "/")]))
        await peer.asked.wait()
        asking.cancel()
        await asyncio.wait_for(peer.hung_up.wait(), 60)


async def test_a_slow_body_arrives_whole():
    bodies = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readexactly(4))
        writer.write(OK)

    async with talking_to(handle) as http:
        pieces = [http.head("POST", "/", "text/plain", 4), b"ab", b"cd"]
        assert (await http.ask(pieces, pause_s=0.001)).body == b"hello"
    assert bodies == [b"abcd"]


async def test_an_answer_before_the_end_of_a_slow_body_ends_it():
    peer = Peer(OK)
    async with talking_to(peer.handle) as http:
        pieces = [http.head("POST", "/", "text/plain", 400_000), *[b"abcd"] * 100_000]
        answer = await asyncio.wait_for(http.ask(pieces, pause_s=0.01), 60)
        assert answer.body == b"hello"
        await asyncio.wait_for(peer.hung_up.wait(), 60)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="--url="):
        HttpConnections(url)
