"""HTTP/2 as bytes, right or wrong, for those who speak it on purpose badly."""

import struct
from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4


def frame(
    kind: int, flags: int, stream: int, body: bytes = b"", length: int | None = None
) -> bytes:
    """One frame; `length` is told instead of the body's own."""
    size = len(body) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + body


def opening() -> bytes:
    """What a client says first."""
    return PREFACE + frame(SETTINGS, 0, 0)


def fields(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block: literals that enter no table."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in pairs)


def call_headers(path: str, key: str | None, *more: tuple[bytes, bytes]) -> bytes:
    """The header block of a gRPC call."""
    pairs = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"x"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    if key is not None:
        pairs.append((b"authorization", f"Bearer {key}".encode()))
    return fields([*pairs, *more])


def message(body: bytes, is_compressed: bool = False, length: int | None = None) -> bytes:
    """A gRPC message with its prefix."""
    return struct.pack(">BI", is_compressed, len(body) if length is None else length) + body


def _string(text: bytes) -> bytes:
    return _integer(len(text), 7) + text


def _integer(value: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    told, value = bytearray([most]), value - most
    while value >= 128:
        told.append(value % 128 + 128)
        value //= 128
    told.append(value)
    return bytes(told)
