"""What knowing how far to trust a mask costs, beside what it costs to make it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from suresam.domain import ImageSize, Point, Prompt
from suresam.prediction import Wanted, predict
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.segmentation.prompts import prompt_row
from suresam.uncertainty.member_heads import MemberHeads

PLAIN = "plain"
"""Masks and predicted IoUs alone, which everything else is compared with."""

_JPEG, _NOISE_VARIANCE, _BLUR = (10, 30), 5000.0, 5
"""UncertainSAM's image augmentations: two JPEG qualities, Gaussian noise, a blur of so many px."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one way to answer a click.

    Attributes:
        name: the way.
        first_ms: median of encoding an image and answering a click.
        next_ms: median of a click on an embedded image; None for ways that need more encodes.
        first_ratio, next_ratio: medians over rounds of the time beside `PLAIN`'s in that round.
    """

    name: str
    first_ms: float
    next_ms: float | None
    first_ratio: float
    next_ratio: float | None


def measure_uncertainty(
    backbone: Backbone, heads: MemberHeads | None, image: NDArray[np.uint8], rounds: int
) -> list[Cost]:
    """Time every way in every round, in turn, so that a slow moment meets them all.

    Args:
        backbone: on its device.
        heads: that belong to it, or None.
        image: (H, W, 3) RGB.
        rounds: how often, after one that is not counted.
    """
    ways = _ways(backbone, heads, image)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    names = list(ways)
    for number in tqdm(range(rounds + 1), desc=backbone.name, leave=False, disable=None):
        # Whoever comes first finds the caches as the last one left them.
        start = number % len(names)
        for name in names[start:] + names[:start]:
            taken[name].append(_timed(backbone, ways[name]))
    rows = {name: np.array(runs[1:]) for name, runs in taken.items()}
    plain = rows[PLAIN]
    return [
        Cost(
            name,
            float(np.median(runs.sum(1))),
            float(np.median(runs[:, 1])) if has_cache else None,
            float(np.median(runs.sum(1) / plain.sum(1))),
            float(np.median(runs[:, 1] / plain[:, 1])) if has_cache else None,
        )
        for name, runs in rows.items()
        for has_cache in (len(ways[name].images) == 1,)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """Images to encode, and clicks to answer on each."""

    images: Sequence[NDArray[np.uint8]]
    clicks: Sequence[Point]
    wanted: Wanted
    heads: MemberHeads | None = None


def _ways(
    backbone: Backbone, heads: MemberHeads | None, image: NDArray[np.uint8]
) -> dict[str, _Way]:
    size = ImageSize(image.shape[1], image.shape[0])
    middle = Point(size.width / 2, size.height / 2)
    rng = np.random.default_rng(0)
    extent = (size.width, size.height)
    others = [Point(*(0.25 + 0.5 * rng.random(2)) * extent) for _ in range(7)]
    plain, entropy = Wanted(size), Wanted(size, entropy=True)
    ways = {
        PLAIN: _Way([image], [middle], plain),
        "+ entropy": _Way([image], [middle], entropy),
    }
    if heads is not None:
        with_heads = Wanted(size, heads=True, advice=True)
        both = Wanted(size, entropy=True, heads=True, advice=True)
        ways["+ all heads"] = _Way([image], [middle], with_heads, heads)
        ways["+ entropy and heads"] = _Way([image], [middle], both, heads)
    ways["8 prompts"] = _Way([image], [middle, *others], entropy)
    ways["5 image augmentations"] = _Way(_augmented(image, rng), [middle], entropy)
    return ways


def _augmented(image: NDArray[np.uint8], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """The image and four variants of it; making them is not timed."""
    coded = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, q])[1] for q in _JPEG]
    noise = rng.normal(0, _NOISE_VARIANCE**0.5, image.shape)
    variants = [
        *(cv2.imdecode(code, cv2.IMREAD_COLOR) for code in coded),
        (image + noise).clip(0, 255),
        cv2.GaussianBlur(image, (_BLUR, _BLUR), 0),
    ]
    return [image, *(np.ascontiguousarray(v, np.uint8) for v in variants)]


def _timed(backbone: Backbone, way: _Way) -> tuple[float, float]:
    """Milliseconds of encoding and of answering."""
    embeddings: list[ImageEmbedding] = []
    encode_ms = _elapsed_ms(
        backbone, lambda: embeddings.extend(e for i in way.images for e in backbone.encode([i]))
    )
    size = way.wanted.size

    def answer() -> None:
        rows = [
            prompt_row(Prompt(points=(click,)), size, embedding, backbone)
            for embedding in embeddings
            for click in way.clicks
        ]
        predict(backbone, rows, [way.wanted] * len(rows), way.heads)

    return encode_ms, _elapsed_ms(backbone, answer)


def _elapsed_ms(backbone: Backbone, run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    if backbone.device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - started) * 1000
