"""Training batches: views of pooled scenes with prompts and their exact answers."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.evaluation.prompts import choose_targets, loose_box, random_click
from suresam.segmentation.transforms import MEAN, STD
from suresam.training.pool import PoolEntry, ScenePool


@dataclass(frozen=True, slots=True)
class Batch:
    """B views; for each as many clicks and as many boxes, all with their answers.

    Attributes:
        pixels: (B, 3, S, S) float32, normalised.
        leaves: (B, S, S) int64, the leaf at every pixel.
        leaf_object: (B, 256) int64, the object of every leaf, negative if nobody labelled it.
        clicks: (B, C, 2) float32 x, y in input pixels.
        click_truth: (B, C, S/4, S/4) float32, the share of each low-resolution pixel inside.
        boxes: (B, K, 4) float32 xyxy in input pixels.
        box_truth: (B, K, S/4, S/4) float32.
    """

    pixels: Tensor
    leaves: Tensor
    leaf_object: Tensor
    clicks: Tensor
    click_truth: Tensor
    boxes: Tensor
    box_truth: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


def normalise(images: NDArray[np.uint8]) -> Tensor:
    """RGB pictures (B, S, S, 3) uint8 as the encoder takes them: (B, 3, S, S) float32."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return (pixels - mean[:, None, None]) / std[:, None, None]


def draw_batch(
    pool: ScenePool,
    size: int,
    images: int,
    prompts: int,
    rng: np.random.Generator,
    area_power: float = 0.5,
) -> Batch:
    """Draw views of random scenes and prompts on them.

    Args:
        size: side of the views in pixels, at most the pool's; smaller views are a reduced
            scene or a crop in native resolution, half of the time each.
        prompts: prompts a view, the first half clicks, the rest boxes; 0 for none.
        area_power: see `choose_targets`.
    """
    num_clicks = prompts // 2
    views: list[PoolEntry] = []
    clicks: list[tuple[int, int]] = []
    boxes: list[tuple[float, float, float, float]] = []
    click_truth: list[NDArray[Any]] = []
    box_truth: list[NDArray[Any]] = []
    for index in pool.draw(images, rng):
        view = _view(pool.entry(int(index)), size, rng)
        views.append(view)
        if not prompts:
            continue
        area = view.targets @ np.bincount(view.leaves.ravel(), minlength=256)
        for k, target in enumerate(choose_targets(area, size * size, prompts, rng, area_power)):
            mask = view.mask(int(target))
            low_res = cv2.resize(
                mask.astype(np.float32), (size // 4, size // 4), interpolation=cv2.INTER_AREA
            )
            if k < num_clicks:
                clicks.append(random_click(mask, rng))
                click_truth.append(low_res)
            else:
                boxes.append(loose_box(mask, rng))
                box_truth.append(low_res)

    def stacked(values: list[NDArray[Any]], count: int) -> Tensor:
        array = np.array(values, np.float32).reshape(images, count, size // 4, size // 4)
        return torch.from_numpy(array)

    return Batch(
        pixels=normalise(np.stack([v.image for v in views])),
        leaves=torch.from_numpy(np.stack([v.leaves for v in views]).astype(np.int64)),
        leaf_object=torch.from_numpy(np.stack([v.leaf_object for v in views]).astype(np.int64)),
        clicks=torch.tensor(clicks, dtype=torch.float32).reshape(images, num_clicks, 2),
        click_truth=stacked(click_truth, num_clicks),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(images, prompts - num_clicks, 4),
        box_truth=stacked(box_truth, prompts - num_clicks),
    )


def _view(entry: PoolEntry, size: int, rng: np.random.Generator) -> PoolEntry:
    image: NDArray[Any] = entry.image
    leaves: NDArray[Any] = entry.leaves
    full = image.shape[0]
    if size < full:
        if rng.random() < 0.5:
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
            leaves = cv2.resize(leaves, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)
        else:
            top, left = rng.integers(0, full - size + 1, 2)
            image = image[top : top + size, left : left + size]
            leaves = leaves[top : top + size, left : left + size]
        area = entry.targets @ np.bincount(leaves.ravel(), minlength=256)
        if area.max() < 0.0015 * size * size:  # a user need not label every pixel
            window = _window_with_target(entry, size, rng)
            image, leaves = entry.image[window], entry.leaves[window]
    if rng.random() < 0.5:
        image, leaves = image[:, ::-1], leaves[:, ::-1]
    if rng.random() < 0.15:
        image, leaves = image[::-1], leaves[::-1]
    if rng.random() < 0.3:
        image = image[..., rng.permutation(3)]
    if rng.random() < 0.1:
        grey = image.mean(axis=2, keepdims=True).astype(np.uint8)
        image = np.repeat(grey, 3, axis=2)
    return PoolEntry(
        np.ascontiguousarray(image, np.uint8),
        np.ascontiguousarray(leaves),
        entry.leaf_object,
        entry.targets,
        entry.levels,
    )


def _window_with_target(
    entry: PoolEntry, size: int, rng: np.random.Generator
) -> tuple[slice, slice]:
    """A crop round a random pixel of a random target."""
    places = np.flatnonzero(entry.mask(int(rng.integers(len(entry.targets)))))
    middle = divmod(int(rng.choice(places)), entry.leaves.shape[1])
    last = entry.leaves.shape[0] - size
    top, left = (int(np.clip(place - size // 2, 0, last)) for place in middle)
    return slice(top, top + size), slice(left, left + size)
