"""One encode or decode to do, and how its caller learns the result."""

import hashlib
import math
import random
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from suresam.domain import Prediction
from suresam.engine.cache import Lease
from suresam.errors import ServiceError
from suresam.prediction import Wanted
from suresam.segmentation.backbone import Backbone, DecodeRow, ImageEmbedding
from suresam.tracing.passage import Launch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a job that is traced went.

    Attributes:
        launch: that it was part of.
        submitted_at, started_at, ended_at: monotonic seconds of the job and of the launch.
        error: code of the error that it ended with, or None.
    """

    launch: Launch
    submitted_at: float
    started_at: float
    ended_at: float
    error: str | None = None


class GivenUp(Exception):
    """A job in the background had to make way for work that somebody waits for."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A job's result.

    Attributes:
        value: what was made.
        queue_ms: milliseconds from submission to launch.
        launch_ms: milliseconds of the launch it was part of.
        rows: jobs in that launch.
        is_paid: another one who waited for the same job has its cost on the receipt.
        ran: of a job that is traced.
    """

    value: T
    queue_ms: float
    launch_ms: float
    rows: int
    is_paid: bool = False
    ran: Ran | None = None

    @property
    def spent_ms(self) -> float:
        """This row's share of the device's time, milliseconds; 0 where another one pays."""
        return 0.0 if self.is_paid else self.launch_ms / self.rows


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a job is done.

    Attributes:
        tenant: who pays.
        deadline: when the caller leaves, monotonic seconds.
        is_free: whether nobody pays, since nobody asked for it.
        traces: `traceparent` of the request, if it is traced.
    """

    tenant: str
    deadline: float
    is_free: bool = False
    traces: tuple[str, ...] = ()

    @property
    def remaining_ms(self) -> float:
        """Milliseconds until the deadline."""
        return (self.deadline - time.monotonic()) * 1000


@dataclass(slots=True, eq=False)
class EncodeJob:
    """An image to embed: RGB uint8 (H, W, 3), and the key to keep it under.

    The result is the embedding, which the cache keeps a copy of if it can. `is_free` says that
    nobody has asked for it so far, and `traces` are of those who wait for it and are traced. The
    other attributes are those of `Waiting`.
    """

    model: str
    image: NDArray[np.uint8]
    image_key: str
    tenant: str = ""
    deadline: float = math.inf
    turn: int = 0
    is_background: bool = False
    is_free: bool = False
    reply: "Future[Done[ImageEmbedding | None]]" = field(default_factory=Future)
    submitted_at: float = field(default_factory=time.monotonic)
    stage: str = "encode"

    is_suspect: bool = False
    traces: tuple[str, ...] = ()
    ran: Ran | None = None

    @property
    def bucket(self) -> tuple[object, ...]:
        """Jobs of equal bucket may share a launch; a suspect has one to itself."""
        return (self.stage, self.model, id(self) if self.is_suspect else None)

    @property
    def identity(self) -> tuple[object, ...]:
        """What is the same when the same thing is asked again."""
        return (self.stage, self.model, self.image_key)


@dataclass(slots=True, eq=False)
class DecodeJob:
    """A prompt to decode.

    Attributes:
        row: it, on its embedding.
        wanted: of the answer.
        image_key: of the image.
        lease: of the row's embedding in the cache, or None where the row has it to itself.
        is_free: whether nobody asked for it.
        spent_ms: its share of the launch after which its reply was an error, milliseconds.
        traces: of its request, if that is traced.
        ran: how it went, then.

    The others are those of `Waiting`.
    """

    model: str
    row: DecodeRow
    wanted: Wanted
    image_key: str = ""
    tenant: str = ""
    deadline: float = math.inf
    turn: int = 0
    is_background: bool = False
    lease: Lease | None = None
    is_free: bool = False
    spent_ms: float = 0.0
    reply: "Future[Done[Prediction]]" = field(default_factory=Future)
    submitted_at: float = field(default_factory=time.monotonic)
    stage: str = "decode"

    is_suspect: bool = False
    traces: tuple[str, ...] = ()
    ran: Ran | None = None

    @property
    def bucket(self) -> tuple[object, ...]:
        """Jobs of equal bucket may share a launch: one model, one prompt length, no suspect."""
        own = id(self) if self.is_suspect else None
        return (self.stage, self.model, *self.row.shape, own)

    @property
    def identity(self) -> tuple[object, ...]:
        """What is the same when the same thing is asked again."""
        points, labels = self.row.points.tobytes(), self.row.labels.tobytes()
        mask = self.row.mask_input
        # Not `hash`, which another process computes otherwise.
        digest = None if mask is None else hashlib.blake2b(mask.tobytes()).digest()
        return (self.stage, self.model, self.image_key, points, labels, digest)


Job = EncodeJob | DecodeJob


def bill(batch: Sequence[Job], launch_ms: float) -> dict[str, float]:
    """Device milliseconds of a launch that tenants owe, whether or not they still wait for it."""
    owed: dict[str, float] = {}
    for job in batch:
        if not job.is_free:
            owed[job.tenant] = owed.get(job.tenant, 0.0) + launch_ms / len(batch)
    return owed


def note_run(
    batch: Sequence[Job], values: Sequence[object], backbone: Backbone, started_at: float
) -> None:
    """Leave with each job that is traced how it ran in the launch that has just ended.

    Args:
        batch: the launch.
        values: what became of each; a `ServiceError` if it failed.
        backbone: that launched it.
        started_at: monotonic seconds.
    """
    traces = tuple(trace for job in batch for trace in job.traces)
    if not traces:
        return
    stage, rows = batch[0].stage, len(batch)
    launch = Launch(
        number=random.getrandbits(64),
        stage=stage,
        model=backbone.name,
        device=backbone.device,
        rows=rows,
        padding=backbone.padded_rows(stage, rows) - rows,
        traces=traces,
    )
    ended_at = time.monotonic()
    for job, value in zip(batch, values, strict=True):
        error = value.code if isinstance(value, ServiceError) else None
        job.ran = Ran(launch, job.submitted_at, started_at, ended_at, error)


def fail(job: Job, error: ServiceError | GivenUp) -> None:
    """Settle a reply with an error, unless it is settled or its caller left."""
    if job.reply.done():
        return
    if not job.reply.running() and not job.reply.set_running_or_notify_cancel():
        return
    job.reply.set_exception(error)
