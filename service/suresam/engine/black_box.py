"""What was on the device when its process died, for the process that comes after it."""

import pickle
import struct
from collections.abc import Hashable, Iterable
from typing import Protocol

from suresam.engine.quarantine import Quarantine

BLACK_BOX_BYTES = 2**20

_LENGTH = struct.Struct("=q")


class Memory(Protocol):
    """Bytes shared by two processes, zeros at first."""

    def __getitem__(self, where: slice) -> bytes: ...

    def __setitem__(self, where: slice, data: bytes) -> None: ...


class BlackBox:
    """A recorder in shared memory, written before every launch and read after the writer's death.

    Args:
        memory: of `BLACK_BOX_BYTES`.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def write(self, quarantine: Quarantine, held: Iterable[Hashable]) -> None:
        """Keep who is suspected already, and who goes on the device now."""
        data = pickle.dumps((quarantine, list(held)))
        if len(data) > BLACK_BOX_BYTES - _LENGTH.size:
            data = b""
        # Whoever dies halfway leaves nothing rather than nonsense.
        self._memory[: _LENGTH.size] = _LENGTH.pack(0)
        self._memory[_LENGTH.size : _LENGTH.size + len(data)] = data
        self._memory[: _LENGTH.size] = _LENGTH.pack(len(data))

    def read(self) -> Quarantine:
        """Whom the writer suspected, and with them who was on the device when it died."""
        (length,) = _LENGTH.unpack(self._memory[: _LENGTH.size])
        if length == 0:
            return Quarantine()
        # Written by our own child into memory that nobody else can reach.
        data = self._memory[_LENGTH.size : _LENGTH.size + length]
        quarantine, held = pickle.loads(data)  # noqa: S301
        if held:
            quarantine.blame(held)
        assert isinstance(quarantine, Quarantine), "nobody else writes here"
        return quarantine
