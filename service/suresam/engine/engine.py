"""One model: an image's embedding from the cache or the device, and prompts decoded on it."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.domain import Prediction, Prompt
from suresam.engine.backlog import Rows
from suresam.engine.cache import EmbeddingCache
from suresam.engine.device import FileWanted, Prepared
from suresam.engine.job import Caller, DecodeJob, Done, EncodeJob, GivenUp, Ran
from suresam.engine.scheduler import DECODE, ENCODE
from suresam.engine.worker import Worker
from suresam.errors import InferenceError
from suresam.prediction import Wanted
from suresam.segmentation.backbone import Backbone, DecodeRow, ImageEmbedding
from suresam.segmentation.prompts import prompt_row
from suresam.telemetry import Telemetry


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image to ask about.

    Attributes:
        key: of the image and its tenant.
        load_pixels: decodes it until a deadline, if nobody has its embedding; the pixels may be
            used within the context.
        has_file: whether it can.
    """

    key: str
    load_pixels: Callable[[float], AbstractAsyncContextManager[NDArray[np.uint8]]]
    has_file: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A prompt that the device could not answer.

    Attributes:
        error: that is its own.
        spent_ms: device milliseconds that were spent on it all the same.
        ran: if it is traced.
    """

    error: InferenceError
    spent_ms: float
    ran: Ran | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What became of one prompt.

    Attributes:
        encoded: how its image was embedded, without the embedding; zeros where that was cached.
        decoded: its prediction, or why there is none.
        tier: of the cache, where the embedding was; None where it had to be made.
    """

    encoded: Done[ImageEmbedding | None]
    decoded: Done[Prediction] | Failed
    tier: str | None = None


@dataclass(slots=True)
class _SharedEncode:
    """One encode for all who wait for the same image.

    The first of those who are told of it pays: that is who caused it, unless they left. So the
    receipts of all add up to what was spent.

    Attributes:
        is_background: nobody waits for it but who prepares; who joins it makes it one like others.
        is_free: nobody who pays has asked for it so far.
        traces: of those who waited for it and are traced.
    """

    deadline: float
    is_background: bool = False
    is_free: bool = False
    task: "asyncio.Task[Done[ImageEmbedding | None]]" = field(init=False)
    job: EncodeJob | None = None
    num_waiting: int = 0
    is_paid: bool = False
    traces: tuple[str, ...] = ()


_CACHED: Done[ImageEmbedding | None] = Done(None, queue_ms=0.0, launch_ms=0.0, rows=1)


class Engine:
    """Encodes and decodes for one model. Used by the event loop alone.

    Args:
        backbone: the model.
        cache: of embeddings, shared by the models.
        worker: of the device that the model is on.
        pool: for resizing mask inputs, off the event loop.
        telemetry: counts look-ups of embeddings.
    """

    def __init__(
        self,
        backbone: Backbone,
        cache: EmbeddingCache,
        worker: Worker,
        pool: Executor,
        telemetry: Telemetry,
    ) -> None:
        self.backbone = backbone
        self._cache = cache
        self._worker = worker
        self._pool = pool
        self._telemetry = telemetry
        self._encodes: dict[str, _SharedEncode] = {}

    def is_cached(self, image_key: str) -> bool:
        """Whether a prompt on this image costs no encode.

        From host memory it comes back in the launch that needs it, with which its copy is
        measured.
        """
        return (image_key, self.backbone.name) in self._cache

    def rows(self, image_key: str, num_prompts: int) -> Rows:
        """The work that prompts on an image bring.

        Who joins another's encode brings none, but is no click either: 0 encodes say that it waits
        behind what encodes wait behind. One in the background is nobody's yet.
        """
        name = self.backbone.name
        rows = {(DECODE, name): num_prompts} if num_prompts else {}
        if not self.is_cached(image_key):
            running = self._running(image_key)
            rows[ENCODE, name] = 0 if running is not None and not running.is_background else 1
        return rows

    async def answer(
        self,
        prompt: Prompt,
        image: Image,
        wanted: Wanted,
        caller: Caller,
        turn: int = 0,
        watch: "Callable[[Future[Any]], None] | None" = None,
    ) -> Answered:
        """Answer one prompt, decoded together with whoever waits.

        Args:
            prompt: in pixels of the image.
            image: on which.
            wanted: of the answer.
            caller: for whom.
            turn: the prompt's place among those of its request.
            watch: is given the device's reply as soon as the prompt is queued.

        Raises:
            ServiceError: the image cannot be read or embedded, or the worker died.
        """
        encoded, tier = _CACHED, None
        while True:
            with self._cache.pinned((image.key, self.backbone.name), caller) as lease:
                # Where the cache had no slot for it, or has it no more: as it was made for us.
                embedding = encoded.value if lease is None else lease.embedding
                if embedding is not None:
                    if lease is not None and encoded is _CACHED:
                        tier = lease.tier.name
                        self._count_lookup("hit", tier)
                    if encoded.value is not None:
                        encoded = replace(encoded, value=None)
                    row = await self._row(prompt, wanted, embedding)
                    job = DecodeJob(
                        self.backbone.name,
                        row,
                        wanted,
                        image.key,
                        caller.tenant,
                        caller.deadline,
                        turn,
                        lease=lease,
                        is_free=caller.is_free,
                        traces=caller.traces,
                    )
                    return Answered(encoded, await self._decode(job, watch), tier)
            encoded = await self.embed(image, caller)

    async def embed(
        self, image: Image, caller: Caller, turn: int = 0
    ) -> Done[ImageEmbedding | None]:
        """See to it that an image is in the cache: it is, or somebody makes it, or we do.

        An encode that many wait for has the latest of their deadlines, and is cancelled when the
        last of them leaves.

        Args:
            image: which.
            caller: for whom.
            turn: the image's place among those of its request.

        Returns:
            What it took, and the embedding if it was made; the cache has it, too, if it has room.
            One of those who wait together pays for it.

        Raises:
            FileWanted: it would have to be made, and the file did not come along.
        """
        while not self.is_cached(image.key):
            shared = self._running(image.key)
            if shared is None:
                shared = _SharedEncode(caller.deadline, is_free=caller.is_free)
                self._start(image, shared, caller.tenant, turn)
                self._count_lookup("miss")
            else:
                self._count_lookup("shared")
            self._wait_until(shared, caller.deadline)
            if not caller.is_free:
                shared.is_free = False
                if shared.job is not None:
                    shared.job.is_free = False
            if caller.traces:
                shared.traces += caller.traces
                if shared.job is not None:
                    shared.job.traces = shared.traces
            try:
                done = await self._wait(image, shared)
            except GivenUp:  # just before we joined it
                continue
            is_paid, shared.is_paid = shared.is_paid, True
            return replace(done, is_paid=is_paid)
        return _CACHED

    async def prepare(self, image: Image, tenant: str) -> Prepared:
        """See to it that an image is in the cache, in idle time and where that drives nobody out.

        Who needs it in the meantime joins, and from then on it is as urgent as they are.

        Args:
            image: which.
            tenant: whose it is.

        Raises:
            FileWanted: as `embed`.
            ServiceError: it cannot be embedded.
        """
        if self.is_cached(image.key) or self._running(image.key) is not None:
            return "there"
        if not self._cache.has_free_slot(self.backbone.name):
            return "given_up"
        shared = _SharedEncode(math.inf, is_background=True, is_free=True)
        try:
            await self._wait(image, self._start(image, shared, tenant))
        except GivenUp:
            return "given_up"
        return "made"

    def _start(
        self, image: Image, shared: _SharedEncode, tenant: str, turn: int = 0
    ) -> _SharedEncode:
        if not image.has_file:  # before anybody could join an encode that cannot be done
            raise FileWanted
        self._encodes[image.key] = shared
        shared.task = asyncio.create_task(self._encode(shared, image, tenant, turn))
        return shared

    async def _wait(self, image: Image, shared: _SharedEncode) -> Done[ImageEmbedding | None]:
        shared.num_waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.num_waiting -= 1
            if shared.num_waiting == 0:
                shared.task.cancel()
                if self._encodes.get(image.key) is shared:
                    del self._encodes[image.key]

    def _running(self, image_key: str) -> _SharedEncode | None:
        """The encode that somebody waits for already."""
        shared = self._encodes.get(image_key)
        # One that is done and was driven out again before we looked is no use any more.
        return None if shared is None or shared.task.done() else shared

    async def _row(self, prompt: Prompt, wanted: Wanted, embedding: ImageEmbedding) -> DecodeRow:
        prepare = partial(prompt_row, prompt, wanted.size, embedding, self.backbone)
        if prompt.mask_input is None:
            return prepare()
        return await asyncio.get_running_loop().run_in_executor(self._pool, prepare)

    async def _decode(
        self, job: DecodeJob, watch: "Callable[[Future[Any]], None] | None"
    ) -> Done[Prediction] | Failed:
        self._worker.submit(job)
        if watch is not None:
            watch(job.reply)
        try:
            return await asyncio.wrap_future(job.reply)
        except InferenceError as error:
            return Failed(error, job.spent_ms, job.ran)

    async def _encode(
        self, shared: _SharedEncode, image: Image, tenant: str, turn: int
    ) -> Done[ImageEmbedding | None]:
        name = self.backbone.name
        async with image.load_pixels(shared.deadline) as pixels:
            job = shared.job = EncodeJob(
                name,
                pixels,
                image.key,
                tenant,
                shared.deadline,
                turn,
                shared.is_background,
                shared.is_free,
                traces=shared.traces,
            )
            self._worker.submit(job)
            return await asyncio.wrap_future(job.reply)

    def _wait_until(self, shared: _SharedEncode, deadline: float) -> None:
        if shared.is_background:
            shared.is_background, shared.deadline = False, deadline
            if shared.job is not None:
                self._worker.promote(shared.job, deadline)
        elif deadline > shared.deadline:
            shared.deadline = deadline
            if shared.job is not None:
                self._worker.postpone(shared.job, deadline)

    def _count_lookup(self, result: str, tier: str | None = None) -> None:
        name = self.backbone.name
        where = tier or self._cache.last_tier(name)
        self._telemetry.cache_requests.labels(result, where, name).inc()
