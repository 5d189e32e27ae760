"""HTTP/1.1 on asyncio streams, no more than a load generator needs.

Why not httpx: a request costs it about a millisecond of the generator's own time, which a loaded
server then seems to take; and visitors here hang up halfway and upload slowly, which needs the
socket in hand.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from suresam.errors import ConfigurationError

_LINE_LIMIT = 2**20


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer.

    Attributes:
        status: such as 200.
        headers: by name in lower case.
        body: as it came.
        received_s: when it was complete, by the event loop's clock.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    received_s: float


class HttpConnections:
    """Kept connections to one server; there are as many as requests at a time.

    Args:
        url: `http://host:port` or https, perhaps with a path that comes before every other.
        authorization: that every request carries, or None.

    Raises:
        ConfigurationError: the URL is no such thing.
    """

    def __init__(self, url: str, authorization: str | None = None) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise ConfigurationError(f"--url={url!r} is not http://HOST:PORT or https://HOST:PORT")
        is_secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = port or (443 if is_secure else 80)
        self._ssl = ssl.create_default_context() if is_secure else None
        self._netloc = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._lines = [f"Host: {self._netloc}"]
        if authorization is not None:
            self._lines.append(f"Authorization: {authorization}")
        self._idle: list[_Connection] = []

    def head(self, method: str, path: str, content_type: str = "", length: int = 0) -> bytes:
        """The first lines of a request, with the empty one."""
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", *self._lines]
        if method == "POST":
            lines += [f"Content-Type: {content_type}", f"Content-Length: {length}"]
        return "\r\n".join((*lines, "\r\n")).encode()

    async def ask(self, pieces: Sequence[bytes], pause_s: float = 0.0) -> HttpAnswer:
        """Send a request and read its answer. Whoever cancels this hangs up.

        Args:
            pieces: of the request, head and body.
            pause_s: seconds between two pieces. An answer that comes before the last is taken.

        Raises:
            OSError, EOFError: no connection, or it broke.
            ValueError: what came is not HTTP.
        """
        connection = self._take_idle()
        if connection is not None:
            try:
                return await self._ask_on(connection, pieces, pause_s)
            except _NothingCame:
                pass  # the server closed it as we sent; it has not read the request
        return await self._ask_on(await self._connect(), pieces, pause_s)

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.writer.close()
        self._idle.clear()

    def _take_idle(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed:
                return connection
            connection.writer.close()
        return None

    async def _connect(self) -> "_Connection":
        return _Connection(
            *await asyncio.open_connection(self._host, self._port, ssl=self._ssl, limit=_LINE_LIMIT)
        )

    async def _ask_on(
        self, connection: "_Connection", pieces: Sequence[bytes], pause_s: float
    ) -> HttpAnswer:
        try:
            if pause_s:
                answer = await _ask_slowly(connection, pieces, pause_s)
            else:
                connection.writer.write(b"".join(pieces))
                answer = await connection.read_answer()
        except BaseException:
            connection.writer.transport.abort()
            raise
        if answer.headers.get("connection", "").lower() == "close" or connection.is_closed:
            connection.writer.close()
        else:
            self._idle.append(connection)
        return answer


class _NothingCame(EOFError):
    """The connection ended before the first byte of an answer."""


async def _ask_slowly(
    connection: "_Connection", pieces: Sequence[bytes], pause_s: float
) -> HttpAnswer:
    reading = asyncio.ensure_future(connection.read_answer())
    try:
        for piece in pieces:
            if reading.done():
                connection.writer.close()  # the rest of the body is not wanted
                break
            connection.writer.write(piece)
            await asyncio.wait({reading}, timeout=pause_s)
        return await reading
    finally:
        reading.cancel()


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_closed(self) -> bool:
        return self.reader.at_eof() or self.writer.is_closing()

    async def read_answer(self) -> HttpAnswer:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise _NothingCame("the server hung up without an answer") from None
            raise
        except ConnectionError as error:
            raise _NothingCame(str(error)) from None
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await self._read_body(status, headers)
        return HttpAnswer(status, headers, body, asyncio.get_running_loop().time())

    async def _read_body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._read_chunks()
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return await self.reader.read()

    async def _read_chunks(self) -> bytes:
        chunks: list[bytes] = []
        while size := int((await self.reader.readline()).partition(b";")[0], 16):
            chunks.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        while (await self.reader.readline()).strip():
            pass  # trailers
        return b"".join(chunks)
