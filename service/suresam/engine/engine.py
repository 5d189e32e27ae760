"""One model: an image's embedding from the cache or the device, and prompts decoded on it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suresam.domain import ImageSize, Prediction, Prompt
from suresam.engine.cache import EmbeddingCache
from suresam.engine.job import DecodeJob, Done, EncodeJob
from suresam.engine.worker import Worker
from suresam.prediction import Wanted
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.segmentation.prompts import prompt_row

LoadPixels = Callable[[], Awaitable[NDArray[np.uint8]]]
"""Decodes the image when nobody has its embedding."""


@dataclass(slots=True)
class _SharedEncode:
    """One encode for all who wait for the same image."""

    task: "asyncio.Task[Done[ImageEmbedding]]"
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

    async def embedding(self, image_key: str, load_pixels: LoadPixels) -> Done[ImageEmbedding]:
        """The image's embedding: cached, being made for somebody else, or made now.

        An encode that many wait for is cancelled when the last of them leaves.
        """
        cached = self._cache.get((image_key, self.backbone.name))
        if cached is not None:
            return Done(cached, queue_ms=0.0, launch_ms=0.0, rows=1)
        shared = self._encodes.get(image_key)
        if shared is None:
            task = asyncio.create_task(self._encode(image_key, load_pixels))
            shared = self._encodes[image_key] = _SharedEncode(task)
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
        size: ImageSize,
        turn: int = 0,
    ) -> Done[Prediction]:
        """Decode one prompt, the `turn`-th of its request, batched with whoever waits."""
        prepare = partial(prompt_row, prompt, size, embedding, self.backbone)
        if prompt.mask_input is None:
            row = prepare()
        else:
            row = await asyncio.get_running_loop().run_in_executor(self._pool, prepare)
        job = DecodeJob(self.backbone.name, row, wanted, turn)
        self._worker.submit(job)
        return await asyncio.wrap_future(job.reply)

    async def _encode(self, image_key: str, load_pixels: LoadPixels) -> Done[ImageEmbedding]:
        job = EncodeJob(self.backbone.name, await load_pixels())
        self._worker.submit(job)
        done = await asyncio.wrap_future(job.reply)
        self._cache.put((image_key, self.backbone.name), done.value)
        return done
