"""Which masks of a procedural scene can be asked for: its parts, objects and groups."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from suresam.scenes.painting import Canvas

MAX_TARGETS = 64
MIN_AREA = 0.002
"""Smallest target as a share of the scene."""

_WHOLE = 0.97
"""A target counts as connected if its largest piece is at least this much of it."""

PART, OBJECT, GROUP = 0, 1, 2


def split_at_occluders(canvas: Canvas) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Number the visible surfaces, the separate pieces of one surface apart.

    Returns:
        The leaf of every pixel, (S, S) uint8, and the object of every leaf, (256,) uint8
        (objects renumbered from 0). Specks smaller than the smallest target stay with the
        surface's largest piece.
    """
    size = canvas.size
    smallest = MIN_AREA * size * size
    leaves = np.zeros((size, size), np.uint8)
    leaf_object = np.zeros(256, np.uint8)
    object_number: dict[int, int] = {}
    num_leaves = 0
    for old, (rows, columns) in _windows(canvas.leaves, len(canvas.leaf_object)):
        mask = canvas.leaves[rows, columns] == old
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(
            mask.astype(np.uint8), connectivity=4
        )
        areas = stats[1:, cv2.CC_STAT_AREA]
        order = np.argsort(-areas)
        owner = object_number.setdefault(canvas.leaf_object[old], len(object_number))
        first = num_leaves
        leaves[rows, columns][mask] = first
        leaf_object[first] = owner
        num_leaves += 1
        for piece in order[1:]:
            if areas[piece] < smallest or num_leaves >= 256:
                break
            leaves[rows, columns][pieces == piece + 1] = num_leaves
            leaf_object[num_leaves] = owner
            num_leaves += 1
    canvas.object_group = [canvas.object_group[old] for old in object_number]
    return leaves, leaf_object


def collect_targets(
    leaves: NDArray[np.uint8],
    leaf_object: NDArray[np.uint8],
    object_group: list[int],
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """List the parts, objects and groups that are large enough.

    What an occluder cuts into several pieces is most often offered piece by piece (people
    outline connected regions), one time in five as a whole.

    Returns:
        (T, 256) bool, the leaves of each target, and (T,) int8 levels; no two alike.
    """
    area = np.bincount(leaves.ravel(), minlength=256)
    present = np.flatnonzero(area)
    smallest = MIN_AREA * leaves.size
    found: dict[bytes, tuple[NDArray[np.bool_], int]] = {}

    def offer(members: NDArray[np.intp], level: int) -> None:
        if area[members].sum() < smallest:
            return
        table = np.zeros(256, np.bool_)
        table[members] = True
        found.setdefault(np.packbits(table).tobytes(), (table, level))

    touching = _adjacency(leaves)
    group_of_leaf = np.array([object_group[o] for o in leaf_object[present]])
    for level, owner in ((GROUP, group_of_leaf), (OBJECT, leaf_object[present].astype(int))):
        for number in np.unique(owner[owner >= 0]):
            members = present[owner == number]
            pieces = _pieces(members, touching)
            is_single = level == GROUP and len(np.unique(leaf_object[members])) < 2
            if is_single:
                continue
            largest = max(area[p].sum() for p in pieces)
            if largest >= _WHOLE * area[members].sum() or rng.random() < 0.2:
                offer(members, level)
                continue
            for piece in pieces:
                if level == OBJECT or len(np.unique(leaf_object[piece])) > 1:
                    offer(piece, level)
    for leaf in present:
        offer(np.array([leaf]), PART)
    chosen = sorted(found.values(), key=lambda entry: -area[entry[0]].sum())[:MAX_TARGETS]
    return np.stack([t for t, _ in chosen]), np.array([v for _, v in chosen], np.int8)


def _windows(labels: NDArray[np.int32], count: int) -> list[tuple[int, tuple[slice, slice]]]:
    """The bounding rows and columns of every label that is present."""
    boxes = find_objects(labels + 1, max_label=count)
    return [(i, (box[0], box[1])) for i, box in enumerate(boxes) if box is not None]


def _adjacency(leaves: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which leaves share a border, (256, 256) bool."""
    table = np.zeros((256, 256), np.bool_)
    table[leaves[:, 1:], leaves[:, :-1]] = True
    table[leaves[1:], leaves[:-1]] = True
    return table | table.T


def _pieces(members: NDArray[np.intp], touching: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The members sorted into sets that hang together."""
    rest = set(members.tolist())
    pieces = []
    while rest:
        piece, edge = set(), [rest.pop()]
        while edge:
            leaf = edge.pop()
            piece.add(leaf)
            near = [other for other in rest if touching[leaf, other]]
            rest.difference_update(near)
            edge.extend(near)
        pieces.append(np.array(sorted(piece)))
    return pieces
