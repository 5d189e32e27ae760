"""Painting things into a procedural scene, pixels and exact labels together."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.scenes.shapes import Outline
from suresam.scenes.textures import FloatImage, Material, fill, soft_window

Mask = NDArray[np.uint8]

MAX_LEAVES = 200
"""Painted surfaces a scene may hold; splitting at occluders may add some up to 255."""


@dataclass(frozen=True, slots=True)
class Light:
    """Where the light of a scene comes from.

    Attributes:
        x, y: unit vector in the image along which shadows fall.
        shadow: darkness of cast shadows, 0 to 1.
        reach: length of cast shadows in scene sides.
    """

    x: float
    y: float
    shadow: float
    reach: float


@dataclass(frozen=True, slots=True)
class Patch:
    """A filled outline: `mask` (h, w) of 0 and 1, its corner at (`left`, `top`) in pixels."""

    mask: Mask
    left: int
    top: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the scene that the mask covers."""
        h, w = self.mask.shape
        return slice(self.top, self.top + h), slice(self.left, self.left + w)


class Canvas:
    """An unfinished scene: colours, and which surface (leaf) every pixel shows.

    Attributes:
        image: (S, S, 3) float32 RGB, about [0, 1].
        leaves: (S, S) int32, index of the painted surface, -1 before anything is painted.
        leaf_object: object of every leaf.
        object_group: group of every object, -1 for none.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.image: FloatImage = np.zeros((size, size, 3), np.float32)
        self.leaves: NDArray[np.int32] = np.full((size, size), -1, np.int32)
        self.leaf_object: list[int] = []
        self.object_group: list[int] = []
        self._num_groups = 0

    @property
    def is_full(self) -> bool:
        """Whether no more leaves may be added."""
        return len(self.leaf_object) >= MAX_LEAVES

    def new_group(self) -> int:
        """A fresh group id."""
        self._num_groups += 1
        return self._num_groups - 1

    def new_object(self, group: int = -1) -> int:
        """A fresh object id, a member of `group`."""
        self.object_group.append(group)
        return len(self.object_group) - 1

    def new_leaf(self, owner: int) -> int:
        """A fresh leaf id, a part of the object `owner`."""
        self.leaf_object.append(owner)
        return len(self.leaf_object) - 1

    def outline_patch(self, outline: Outline) -> Patch | None:
        """The outline (in scene sides) filled; None if it misses the scene or is a sliver."""
        pixels = outline * self.size
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int), 0, self.size)
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 1, 0, self.size)
        if (high - low).min() < 2:
            return None
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        corners = np.round((pixels - low) * 16).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1, shift=4)
        return Patch(mask, int(low[0]), int(low[1])) if mask.any() else None

    def paint(
        self,
        patch: Patch,
        material: Material,
        leaf: int,
        rng: np.random.Generator,
        relief: float = 0.0,
    ) -> None:
        """Cover the patch with a material and label it.

        Args:
            leaf: label to write; -1 changes the colour only (a pattern, not a part).
            relief: 0 flat; higher darkens towards the border, as on a round body.
        """
        height, width = patch.mask.shape
        colour = fill(material, height, width, self.size, rng)
        if relief > 0:
            kernel = max(3, int(0.35 * min(height, width)) | 1)
            body = cv2.blur(
                patch.mask.astype(np.float32), (kernel, kernel), borderType=cv2.BORDER_CONSTANT
            )
            colour *= (1.0 + relief * (body - 0.85))[..., None]
        inside = patch.mask.astype(bool)
        np.copyto(self.image[patch.window], colour, where=inside[..., None])
        if leaf >= 0:
            self.leaves[patch.window][inside] = leaf

    def cast_shadow(self, patch: Patch, light: Light) -> None:
        """Darken what lies behind a thing, along the light; paint the thing afterwards."""
        if light.shadow <= 0:
            return
        size = self.size
        reach = light.reach * size
        margin = int(reach) + 4
        rows, columns = patch.window
        top, left = max(rows.start - margin, 0), max(columns.start - margin, 0)
        bottom, right = min(rows.stop + margin, size), min(columns.stop + margin, size)
        shadow = np.zeros((bottom - top, right - left), np.float32)
        row, column = rows.start - top, columns.start - left
        shadow[row : row + patch.mask.shape[0], column : column + patch.mask.shape[1]] = patch.mask
        move = np.array([[1, 0, light.x * reach], [0, 1, light.y * reach]])
        shadow = cv2.warpAffine(shadow, move, (shadow.shape[1], shadow.shape[0]))
        kernel = max(3, int(0.4 * reach) | 1)
        shadow = cv2.blur(shadow, (kernel, kernel))
        self.image[top:bottom, left:right] *= (1 - light.shadow * shadow)[..., None]

    def shade(self, patch: Patch, light: Light, strength: float) -> None:
        """Darken the side of a thing that is turned away from the light."""
        height, width = patch.mask.shape
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        slope = 1 - strength * np.clip(0.5 + 0.5 * (x * light.x + y * light.y), 0, 1)
        factor = np.where(patch.mask.astype(bool), slope, 1.0).astype(np.float32)
        self.image[patch.window] *= factor[..., None]

    def fold(self, patch: Patch, strength: float, rng: np.random.Generator) -> None:
        """Lighten and darken bands and hollows of a thing, as folds, muscles and dents do.

        Args:
            strength: depth in e-folds; the bands are soft or have hard edges.
        """
        height, width = patch.mask.shape
        calm = 2.5 * self.size / max(height, width, 8)
        field = soft_window(height, width, self.size, float(rng.uniform(0.3, 1.0)) * calm, rng)
        edge = float(rng.choice([2.0, 6.0, 20.0]))
        bands = np.tanh(edge * (field - 0.5)) / np.tanh(0.5 * edge)
        inside = patch.mask.astype(np.float32)
        self.image[patch.window] *= np.exp(strength * inside * bands)[..., None]


def united(canvas: Canvas, patches: list[Patch]) -> Patch:
    """One patch that covers all of `patches` (at least one)."""
    top = min(p.top for p in patches)
    left = min(p.left for p in patches)
    bottom = max(p.window[0].stop for p in patches)
    right = max(p.window[1].stop for p in patches)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    for p in patches:
        rows, columns = p.window
        mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= (
            p.mask
        )
    return Patch(mask, left, top)


def clipped(patch: Patch, cover: Patch) -> Patch | None:
    """The part of `patch` that lies inside `cover`; None if that is empty."""
    top, left = max(patch.top, cover.top), max(patch.left, cover.left)
    bottom = min(patch.window[0].stop, cover.window[0].stop)
    right = min(patch.window[1].stop, cover.window[1].stop)
    if bottom - top < 2 or right - left < 2:
        return None
    mine = patch.mask[top - patch.top : bottom - patch.top, left - patch.left : right - patch.left]
    other = cover.mask[top - cover.top : bottom - cover.top, left - cover.left : right - cover.left]
    mask = mine & other
    return Patch(mask, left, top) if mask.any() else None
