"""One encode or decode to do, and how its caller learns the result."""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from suresam.domain import Prediction
from suresam.prediction import Wanted
from suresam.segmentation.backbone import DecodeRow, ImageEmbedding

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A job's result.

    Attributes:
        value: what was made.
        queue_ms: milliseconds from submission to launch.
        launch_ms: milliseconds of the launch it was part of.
        rows: jobs in that launch.
    """

    value: T
    queue_ms: float
    launch_ms: float
    rows: int

    @property
    def spent_ms(self) -> float:
        """This row's share of the device's time, milliseconds."""
        return self.launch_ms / self.rows


@dataclass(slots=True, eq=False)
class EncodeJob:
    """An image to embed: RGB uint8 (H, W, 3)."""

    model: str
    image: NDArray[np.uint8]
    turn: int = 0
    reply: "Future[Done[ImageEmbedding]]" = field(default_factory=Future)
    submitted_at: float = field(default_factory=time.monotonic)
    stage: str = "encode"

    @property
    def bucket(self) -> tuple[object, ...]:
        """Jobs of equal bucket may share a launch."""
        return (self.stage, self.model)


@dataclass(slots=True, eq=False)
class DecodeJob:
    """A prompt to decode.

    Attributes:
        turn: its place among the prompts of its request; lower ones of any request go first.
    """

    model: str
    row: DecodeRow
    wanted: Wanted
    turn: int = 0
    reply: "Future[Done[Prediction]]" = field(default_factory=Future)
    submitted_at: float = field(default_factory=time.monotonic)
    stage: str = "decode"

    @property
    def bucket(self) -> tuple[object, ...]:
        """Jobs of equal bucket may share a launch: one model, one prompt length."""
        return (self.stage, self.model, *self.row.shape)


Job = EncodeJob | DecodeJob
