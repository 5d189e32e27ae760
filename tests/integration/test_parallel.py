"""Many callers at once get what each would have got alone."""

import asyncio
import io
from functools import cache

import httpx
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from torch.nn.functional import interpolate

from suresam import Segmenter
from suresam.client import AsyncClient
from suresam.domain import Box, Point, Prompt, RouteRequest, SegmentResponse
from suresam.masks.rle import decode_rle
from suresam.segmentation.prompts import prompt_row
from suresam.segmenter import EmbeddedImage

NUM_REQUESTS = 200
NUM_IMAGES = 20


def pictures() -> list[bytes]:
    """Images of several sizes and formats with smooth shapes in them."""
    files = []
    for seed in range(NUM_IMAGES):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        size = (200 + 16 * (seed % 5), 150 + 10 * (seed % 7))
        buffer = io.BytesIO()
        coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, ("PNG", "JPEG")[seed % 2])
        files.append(buffer.getvalue())
    return files


def prompt_of(index: int) -> Prompt:
    """Prompts of several lengths."""
    rng = np.random.default_rng(1000 + index)
    x, y = (float(v) for v in rng.uniform(10, 140, 2))
    kind = index % 4
    if kind == 0:
        return Prompt(points=(Point(x, y), Point(y, x)), labels=(1, 0))
    if kind == 1:
        return Prompt(box=Box(x / 2, y / 2, x / 2 + 60, y / 2 + 50))
    return Prompt(points=(Point(x, y),))


async def ask(client: AsyncClient, files: list[bytes], index: int) -> SegmentResponse:
    mode = "large" if index % 10 == 9 else "small"
    return await client.segment(
        files[index % NUM_IMAGES],
        prompt_of(index),
        route=RouteRequest(mode=mode),
        deadline_ms=100_000,
    )


def largest_batch(url: str, stage: str) -> float:
    """The upper bound of the fullest bucket of launches of a stage."""
    text = httpx.get(f"{url}/metrics").text
    counts = {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "suresam_batch_size_bucket"
        and sample.labels["stage"] == stage
        and sample.labels["model"] == "demo-small"
    }
    total = max(counts.values())
    return min(bound for bound, count in counts.items() if count == total)


def full_size_logits(
    segmenter: Segmenter, embedded: EmbeddedImage, index: int, tokens: list[int]
) -> np.ndarray:
    """(M, H, W) float32 logits of a request, computed alone."""
    backbone = segmenter._backbone
    row = prompt_row(prompt_of(index), embedded.size, embedded.embedding, backbone)
    low = backbone.decode([row]).low_res_logits[:, tokens]
    size = (embedded.size.height, embedded.size.width)
    return interpolate(low, size, mode="bilinear", align_corners=False)[0].numpy()


async def test_parallel_requests_get_the_answers_of_the_same_requests_alone(server):
    files = pictures()
    segmenters = {name: Segmenter("demo", name) for name in ("demo-small", "demo-large")}
    embed = cache(lambda model, place: segmenters[model].embed(files[place]))
    async with AsyncClient(server.url) as client:
        together = await asyncio.gather(*(ask(client, files, i) for i in range(NUM_REQUESTS)))
        assert largest_batch(server.url, "decode") > 1
        assert largest_batch(server.url, "encode") > 1
        for index in range(NUM_REQUESTS):
            shared = together[index].results[0]
            alone = (await ask(client, files, index)).results[0]
            tokens = [mask.token for mask in alone.masks]
            assert [mask.token for mask in shared.masks] == tokens
            model = alone.route.model
            embedded = embed(model, index % NUM_IMAGES)
            logits = full_size_logits(segmenters[model], embedded, index, tokens)
            for mask, lone, values in zip(shared.masks, alone.masks, logits, strict=True):
                assert mask.predicted_iou == pytest.approx(lone.predicted_iou, abs=1e-5)
                entropy = lone.uncertainty.entropy
                assert mask.uncertainty.entropy == pytest.approx(entropy, abs=1e-5)
                differs = decode_rle(mask.rle) != decode_rle(lone.rle)
                assert np.abs(values[differs]).max(initial=0) < 1e-4
