"""The ground of a procedural scene: regions divided by horizons, cells or level lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.scenes.painting import Patch
from suresam.scenes.textures import Material, soft_window
from suresam.scenes.things import Setting

Regions = NDArray[np.int64]


def draw_backdrop(setting: Setting) -> None:
    """Cover the canvas with one to eight regions, each an object of one leaf.

    Neighbours often differ in the direction or scale of their texture only, or faintly in
    colour.
    """
    canvas, rng = setting.canvas, setting.rng
    makers = (_plain, _horizons, _cells, _levels)
    regions = makers[rng.choice(4, p=[0.15, 0.35, 0.25, 0.25])](canvas.size, rng)
    common = setting.material()
    for region in range(int(regions.max()) + 1):
        mask = (regions == region).astype(np.uint8)
        if mask.any():
            leaf = canvas.new_leaf(canvas.new_object())
            patch = Patch(mask, 0, 0)
            canvas.paint(patch, _region_material(setting, common, region), leaf, rng)
    if rng.random() < 0.3:  # out of focus, and what stands before it is not
        canvas.image[:] = cv2.GaussianBlur(
            canvas.image, (0, 0), rng.uniform(0.8, 5) * canvas.size / 256
        )


def _region_material(setting: Setting, common: Material, region: int) -> Material:
    if region == 0:
        return common
    kind = setting.rng.random()
    if kind < 0.65:
        return setting.material()
    return common.turned(setting.rng) if kind < 0.83 else common.tinted(setting.rng, 0.12)


def _wavy(size: int, rng: np.random.Generator, zoom: float) -> NDArray[np.float64]:
    """A smooth random field over the scene, about [-1, 1]; `zoom` below 1 makes it calmer."""
    return np.asarray(soft_window(size, size, size, zoom, rng) * 2.0 - 1.0, np.float64)


def _plain(size: int, rng: np.random.Generator) -> Regions:
    return np.zeros((size, size), np.int64)


def _horizons(size: int, rng: np.random.Generator) -> Regions:
    y, x = np.mgrid[:size, :size] / size
    regions = np.zeros((size, size), np.int64)
    for height in np.sort(rng.uniform(0.1, 0.95, int(rng.integers(1, 5)))):
        tilt = rng.normal(0, 0.15)
        rough = rng.choice([0.01, 0.06, 0.25])
        border = height + tilt * (x - 0.5) + rough * _wavy(size, rng, 0.5)
        regions += y > border
    return regions


def _cells(size: int, rng: np.random.Generator) -> Regions:
    y, x = np.mgrid[:size, :size] / size
    bend = rng.choice([0.0, 0.08, 0.25])
    x = x + bend * _wavy(size, rng, 0.5)
    y = y + bend * _wavy(size, rng, 0.5)
    centres = rng.uniform(0, 1, (int(rng.integers(2, 9)), 2))
    nearest = [(x - cx) ** 2 + (y - cy) ** 2 for cx, cy in centres]
    return np.asarray(np.argmin(np.stack(nearest), axis=0))


def _levels(size: int, rng: np.random.Generator) -> Regions:
    field = _wavy(size, rng, rng.uniform(0.3, 0.9))
    cuts = np.sort(rng.uniform(-0.6, 0.6, int(rng.integers(1, 4))))
    return np.asarray(np.digitize(field, cuts))
