"""One model: an image's embedding from the cache or the device, and prompts decoded on it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.domain import Prediction, Prompt
from suresam.engine.backlog import Rows
from suresam.engine.cache import EmbeddingCache
from suresam.engine.job import Caller, DecodeJob, Done, EncodeJob
from suresam.engine.scheduler import DECODE, ENCODE
from suresam.engine.worker import Worker
from suresam.prediction import Wanted
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.segmentation.prompts import prompt_row

LoadPixels = Callable[[], Awaitable[NDArray[np.uint8]]]
"""Decodes the image when nobody has its embedding."""


@dataclass(slots=True)
class _SharedEncode:
    """One encode for all who wait for the same image."""

    deadline: float
    task: "asyncio.Task[Done[ImageEmbedding]] | None" = None
    job: EncodeJob | None = None
    num_waiting: int = 0


class Engine:
    """Encodes and decodes for one model. Used by the event loop alone.

    Args:
        backbone: the model.
        cache: of embeddings, shared by the models.
        worker: of the device that the model is on.
        pool: for resizing mask inputs, off the event loop.
    """

    def __init__(
        self, backbone: Backbone, cache: EmbeddingCache, worker: Worker, pool: Executor
    ) -> None:
        self.backbone = backbone
        self._cache = cache
        self._worker = worker
        self._pool = pool
        self._encodes: dict[str, _SharedEncode] = {}

    def is_cached(self, image_key: str) -> bool:
        """Whether a prompt on this image costs no encode."""
        return (image_key, self.backbone.name) in self._cache

    def rows(self, image_key: str, num_prompts: int) -> Rows:
        """The work that prompts on an image bring."""
        name = self.backbone.name
        rows = Counter({(DECODE, name): num_prompts})
        if image_key not in self._encodes and not self.is_cached(image_key):
            rows[ENCODE, name] = 1
        return +rows

    async def embedding(
        self, image_key: str, load_pixels: LoadPixels, caller: Caller, turn: int = 0
    ) -> Done[ImageEmbedding]:
        """The image's embedding: cached, being made for somebody else, or made now.

        An encode that many wait for has the latest of their deadlines, and is cancelled when the
        last of them leaves.

        Args:
            image_key: of the image and its tenant.
            load_pixels: called if it has to be made.
            caller: for whom.
            turn: the image's place among those of its request.
        """
        cached = self._cache.get((image_key, self.backbone.name))
        if cached is not None:
            return Done(cached, queue_ms=0.0, launch_ms=0.0, rows=1)
        shared = self._encodes.get(image_key)
        if shared is None:
            shared = self._encodes[image_key] = _SharedEncode(caller.deadline)
            work = self._encode(shared, image_key, load_pixels, caller, turn)
            shared.task = asyncio.create_task(work)
        assert shared.task is not None, "it is made together with its task"
        self._wait_until(shared, caller.deadline)
        shared.num_waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.num_waiting -= 1
            if shared.num_waiting == 0:
                shared.task.cancel()
                self._encodes.pop(image_key, None)

    async def decode(
        self,
        prompt: Prompt,
        embedding: ImageEmbedding,
        wanted: Wanted,
        caller: Caller,
        turn: int = 0,
        watch: "Callable[[Future[Any]], None] | None" = None,
    ) -> Done[Prediction]:
        """Decode one prompt, batched with whoever waits.

        Args:
            prompt: in pixels of the image.
            embedding: of the image.
            wanted: of the answer.
            caller: for whom.
            turn: the prompt's place among those of its request.
            watch: is given the device's reply as soon as the prompt is queued.
        """
        prepare = partial(prompt_row, prompt, wanted.size, embedding, self.backbone)
        if prompt.mask_input is None:
            row = prepare()
        else:
            row = await asyncio.get_running_loop().run_in_executor(self._pool, prepare)
        job = DecodeJob(self.backbone.name, row, wanted, caller.tenant, caller.deadline, turn)
        self._worker.submit(job)
        if watch is not None:
            watch(job.reply)
        return await asyncio.wrap_future(job.reply)

    async def _encode(
        self,
        shared: _SharedEncode,
        image_key: str,
        load_pixels: LoadPixels,
        caller: Caller,
        turn: int,
    ) -> Done[ImageEmbedding]:
        pixels = await load_pixels()
        name = self.backbone.name
        shared.job = job = EncodeJob(name, pixels, caller.tenant, shared.deadline, turn)
        self._worker.submit(job)
        done = await asyncio.wrap_future(job.reply)
        self._cache.put((image_key, name), done.value)
        return done

    def _wait_until(self, shared: _SharedEncode, deadline: float) -> None:
        if deadline > shared.deadline:
            shared.deadline = deadline
            if shared.job is not None:
                self._worker.postpone(shared.job, deadline)
