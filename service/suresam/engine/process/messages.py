"""What a `ProcessDevice` and its host say to each other."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ask:
    """Call a method of the device.

    Attributes:
        number: that the answer will have.
        method, arguments: of `Device`, or `metrics`.
    """

    number: int
    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits any more for the answer of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call.

    Attributes:
        number: of the call.
        value: what it returned.
        error: what it raised instead.
        backlog_ms: of the device now.
    """

    number: int
    value: Any
    error: Exception | None
    backlog_ms: float


@dataclass(frozen=True, slots=True)
class Owed:
    """Device milliseconds that a launch took for a tenant, told before its answers."""

    tenant: str
    device_ms: float


@dataclass(frozen=True, slots=True)
class State:
    """A sign of life, sent every second and whenever readiness changes."""

    is_ready: bool
    backlog_ms: float
