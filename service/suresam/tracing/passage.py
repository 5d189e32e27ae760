"""What an engine tells of a request that is traced: plain, so that it may cross a process."""

from dataclasses import dataclass
from typing import Literal

Lookup = Literal["hit", "miss", "shared"]


@dataclass(frozen=True, slots=True)
class Launch:
    """One forward on a device, and whom it served.

    Attributes:
        number: random, 64 bits.
        stage, model, device: what ran where.
        rows: of all requests, traced or not.
        padding: rows that were added for a compiled size.
        traces: `traceparent` of each request that is traced; one with several rows is there as
            often.
    """

    number: int
    stage: str
    model: str
    device: str
    rows: int
    padding: int
    traces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a request's way through an engine.

    Attributes:
        name: "decode_image", "queue", "encode" or "decode".
        began_ms, ended_ms: milliseconds before the engine answered.
        rows: of this request.
        launch: on the device, or None.
        error: code of the error that it ended with for one of the rows, or None.
    """

    name: str
    began_ms: float
    ended_ms: float
    rows: int = 1
    launch: Launch | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A request's way through an engine.

    Attributes:
        lookup: whether the embedding was cached, had to be made, or was being made for another.
        tier: of the cache, on a hit.
        stages: in the order in which they began.
    """

    lookup: Lookup
    tier: str | None
    stages: tuple[Stage, ...]
