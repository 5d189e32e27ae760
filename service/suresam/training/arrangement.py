"""Overlapping masks of one picture cut into the pieces that they divide it into."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask

UNLABELLED = -1
"""The object of a leaf that nobody marked: it may hold many things and is no target."""

MAX_LEAVES = 255
"""Leaves of one picture, the unlabelled one among them."""

LEAST_TARGET = 0.001
"""Smallest mask that can be asked for, as a share of the picture: 8 by 8 pixels of 256 by 256."""

_LEAST_LEAF = 0.0003
"""Smaller pieces are slivers between two outlines that should have met."""

_PART, _OBJECT = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """What masks make of a picture of S x S pixels.

    Attributes:
        leaves: (S, S) uint8, the piece at every pixel; a piece lies in the same masks throughout.
        leaf_object: (256,) int16, the number of the smallest mask that holds each piece and
            is no part of another, so that the loss does not push parts from their whole;
            `UNLABELLED` where there is none.
        targets: (T, 256) bool, for every mask of at least `LEAST_TARGET` the pieces that make it
            up, no two alike, the largest first; T may be 0.
        levels: (T,) int8, 0 for a mask inside another one (a part), 1 for the others.
    """

    leaves: NDArray[np.uint8]
    leaf_object: NDArray[np.int16]
    targets: NDArray[np.bool_]
    levels: NDArray[np.int8]


def arrange(masks: Iterable[Mask], size: int) -> Arrangement:
    """Cut a picture into leaves along the outlines of all its masks.

    Of more than 254 masks the smallest are left out, and all but one of those that are the same
    at this size. Specks, and the smallest of more than 255 pieces, go pixel by pixel to the
    nearest piece that stays.

    Args:
        masks: each (H, W) bool; read once, one at a time.
        size: S, side of the result in pixels; the aspect ratio is not kept.
    """
    packed = _packed(masks, size)
    leaves = np.zeros((size, size), np.int32)
    members: list[frozenset[int]] = [frozenset()]
    for number, bits in enumerate(packed):
        mask = np.unpackbits(bits, count=size * size).reshape(size, size).astype(np.bool_)
        # What lies inside gets a number of its own for every piece that the outline divides.
        divided, inside = np.unique(leaves[mask], return_inverse=True)
        leaves[mask] = len(members) + inside
        members += [members[piece] | {number} for piece in divided]
    leaves = _without_specks(leaves, len(members))
    present, compact = np.unique(leaves, return_inverse=True)
    held = np.zeros((len(packed), 256), np.bool_)
    for leaf, piece in enumerate(present):
        held[list(members[piece]), leaf] = True
    return _described(compact.reshape(size, size).astype(np.uint8), held)


def _packed(masks: Iterable[Mask], size: int) -> list[NDArray[np.uint8]]:
    """The masks at S x S pixels, one bit a pixel, the largest first."""
    found = []
    for mask in masks:
        # Every mask is sampled at the same places, so masks that partition the picture still do.
        small = cv2.resize(
            mask.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST_EXACT
        )
        area = int(np.count_nonzero(small))
        if area:
            found.append((area, np.packbits(small > 0)))
    found.sort(key=lambda entry: -entry[0])
    return [bits for _, bits in found[: MAX_LEAVES - 1]]


def _without_specks(leaves: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    area = np.bincount(leaves.ravel(), minlength=count)
    kept = area >= max(1.0, _LEAST_LEAF * leaves.size)
    kept[np.argsort(-area, kind="stable")[MAX_LEAVES:]] = False
    if not kept.any():
        kept[area.argmax()] = True
    is_speck = ~kept[leaves]
    if not is_speck.any():
        return leaves
    # Labels of the nearest zero pixel, one label for every zero pixel.
    _, nearest = cv2.distanceTransformWithLabels(
        is_speck.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    leaf_of_label = np.zeros(int(nearest.max()) + 1, np.int32)
    leaf_of_label[nearest[~is_speck]] = leaves[~is_speck]
    return np.asarray(leaf_of_label[nearest])


def _described(leaves: NDArray[np.uint8], held: NDArray[np.bool_]) -> Arrangement:
    """Say who holds what, without masks that the merging left empty or alike."""
    areas: NDArray[Any] = held @ np.bincount(leaves.ravel(), minlength=256)
    order = np.argsort(-areas, kind="stable")
    order = order[areas[order] > 0]
    _, first = np.unique(held[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    masks = held[order]
    leaf_object = np.full(256, UNLABELLED, np.int16)
    levels = np.full(len(masks), _OBJECT, np.int8)
    for number, mask in enumerate(masks):
        # No two are alike, so a mask all of whose leaves are in a larger one is its part.
        if any(not (mask & ~larger).any() for larger in masks[:number]):
            levels[number] = _PART
        else:
            leaf_object[mask] = number  # the largest come first: the smaller has the last word
    is_target = areas[order] >= LEAST_TARGET * leaves.size
    return Arrangement(leaves, leaf_object, masks[is_target], levels[is_target])
