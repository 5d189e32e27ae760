"""Python objects between two processes that trust each other: packets on a Unix socket."""

import array
import asyncio
import contextlib
import logging
import mmap
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

_INLINE_BYTES = 32 * 1024
"""Larger messages travel in shared memory, smaller ones in the packet itself."""

_INLINE, _SHARED = b"i", b"s"
_MOST_FDS = 1


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep packets apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Channel:
    """One end. Used by the event loop that made it alone.

    A message is pickled. A large one is written into memory that only its file descriptor names,
    which the packet carries; it is gone when both ends have closed it, however they ended.

    Args:
        end: a socket of `socket_pair`; it belongs to the channel from now on.
        receive: called with every message, in the order they were sent.
        lost: called once, when the other end is gone.
    """

    def __init__(
        self, end: socket.socket, receive: Callable[[Any], None], lost: Callable[[], None]
    ) -> None:
        end.setblocking(False)
        self._socket = end
        self._receive = receive
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._is_open = True
        self._loop.add_reader(end.fileno(), self._read)

    def send(self, message: object) -> None:
        """Send a message now, or as soon as the other end has taken what waits.

        To somebody who is gone nothing is sent; `lost` tells.
        """
        if not self._is_open:
            return
        # May raise, and has then sent nothing: no descriptor or memory left, or no such message.
        data = pickle.dumps(message, protocol=5)
        if len(data) <= _INLINE_BYTES:
            self._waiting.append((_INLINE + data, None))
        else:
            self._waiting.append((_SHARED, _shared(data)))
        if len(self._waiting) == 1:
            self._write()

    def close(self) -> None:
        """Let go of the socket; nothing is received any more."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for _, fd in self._waiting:
            if fd is not None:
                os.close(fd)
        self._waiting.clear()

    def _write(self) -> None:
        while self._waiting:
            packet, fd = self._waiting[0]
            try:
                if fd is None:
                    self._socket.send(packet)
                else:
                    socket.send_fds(self._socket, [packet], [fd])
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._socket.fileno(), self._write)
                return
            except OSError:  # the other end is gone
                self._end()
                return
            if fd is not None:
                os.close(fd)
            self._waiting.popleft()
        self._loop.remove_writer(self._socket.fileno())

    def _read(self) -> None:
        fds = array.array("i")
        try:
            packet, ancillary, _, _ = self._socket.recvmsg(
                _INLINE_BYTES + 1, socket.CMSG_SPACE(_MOST_FDS * fds.itemsize)
            )
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            packet, ancillary = b"", []
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not packet:
            self._end()
            return
        # Both ends are ours, and nobody else has the socket.
        is_inline = packet[:1] == _INLINE
        if not is_inline and not fds:  # this process has no descriptor left to take it
            logger.error("a message was lost for want of a file descriptor")
            self._end()
            return
        self._receive(pickle.loads(packet[1:]) if is_inline else _from_shared(fds[0]))  # noqa: S301

    def _end(self) -> None:
        if self._is_open:
            self.close()
            self._lost()


def _shared(data: bytes) -> int:
    """A file descriptor of memory that holds data."""
    fd = os.memfd_create("suresam")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    except BaseException:
        os.close(fd)
        raise
    return fd


def _from_shared(fd: int) -> Any:
    try:
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as memory, memoryview(memory) as view:
            return pickle.loads(view)  # noqa: S301  (see above)
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)
