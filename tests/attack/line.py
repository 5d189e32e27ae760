"""A raw TCP line to the service, and what it answers over HTTP."""

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from attack.attacked_service import PATIENCE_S, AttackedService

LONGEST_ANSWER = 2**20


@contextmanager
def line_to(service: AttackedService, port: int | None = None) -> Iterator[socket.socket]:
    """A connection to the HTTP port, or to another one."""
    place = (service.host, service.http_port if port is None else port)
    with socket.create_connection(place, timeout=PATIENCE_S) as line:
        yield line


def send(line: socket.socket, data: bytes) -> bool:
    """Send all of it, unless the service hangs up before; whether it was all."""
    try:
        line.sendall(data)
    except OSError:
        return False
    return True


def read_to_end(line: socket.socket) -> bytes:
    """All that comes until the service hangs up."""
    told = b""
    with contextlib.suppress(ConnectionError):
        while (piece := line.recv(65536)) and len(told) < LONGEST_ANSWER:
            told += piece
    return told


def exchange(service: AttackedService, data: bytes) -> bytes:
    """Send, say that there is no more, and read what comes."""
    with line_to(service) as line:
        if send(line, data):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_WR)
        return read_to_end(line)


def status_of(told: bytes) -> int | None:
    """Of the first answer that is no "100 Continue"; None where there is none."""
    told = told.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    return int(told[9:12]) if told.startswith(b"HTTP/1.1 ") else None


def error_of(told: bytes) -> dict[str, str]:
    """The documented error of the first answer, which must have one."""
    head, _, body = told.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower(), head
    error = json.loads(body)["error"]
    assert error.keys() == {"code", "message", "request_id"}
    assert f"x-request-id: {error['request_id']}".encode() in head
    return error
