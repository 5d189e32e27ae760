"""Scenes as files: pictures, label maps and a contact sheet for people to look at."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from suresam.scenes.scene import Scene, draw_scene

Picture = NDArray[np.uint8]

_SHOWN = 24
_BORDER_PX = 2
_GAP_PX = 6


def write_album(folder: Path, seeds: Sequence[int], size: int) -> Iterator[int]:
    """Draw scenes and write them in the layout of a label-map data set.

    `images/SEED.png` is the picture, `segments/SEED_1.png` numbers its parts and
    `segments/SEED_2.png` its objects, from 1 (16 bit), as two annotators of one picture would.
    `contact.png` shows the first scenes.

    Args:
        folder: made if absent; files of the same names are replaced.
        size: side in pixels.

    Yields:
        The number of scenes written so far.
    """
    for name in ("images", "segments"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shown: list[Scene] = []
    for done, seed in enumerate(seeds, start=1):
        scene = draw_scene(seed, size)
        Image.fromarray(scene.image).save(folder / "images" / f"{seed}.png")
        parts = scene.leaves.astype(np.uint16) + 1
        objects = scene.leaf_object[scene.leaves].astype(np.uint16) + 1
        Image.fromarray(parts).save(folder / "segments" / f"{seed}_1.png")
        Image.fromarray(objects).save(folder / "segments" / f"{seed}_2.png")
        if len(shown) < _SHOWN:
            shown.append(scene)
        yield done
    Image.fromarray(contact_sheet(shown)).save(folder / "contact.png")


def contact_sheet(scenes: Sequence[Scene], columns: int = 6) -> Picture:
    """Every scene as it is, and below it the same with its objects tinted and parts outlined.

    Args:
        scenes: at least one, all of one size.
        columns: scenes in a row.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    gap = ((0, _GAP_PX), (0, _GAP_PX), (0, 0))
    cells = [
        np.pad(np.concatenate([scene.image, _explained(scene)]), gap, constant_values=255)
        for scene in scenes
    ]
    columns = min(columns, len(cells))
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)


def _explained(scene: Scene) -> Picture:
    """Objects in colours of their own; borders of objects white, of parts within them black."""
    owner = scene.leaf_object[scene.leaves]
    hues = (np.arange(256) * 67 % 180).astype(np.uint8)  # neighbours in number far apart in hue
    wheel = np.stack([hues, np.full(256, 200, np.uint8), np.full(256, 235, np.uint8)], axis=1)
    colours = cv2.cvtColor(wheel[None], cv2.COLOR_HSV2RGB)[0]
    grey = scene.image.mean(axis=2, keepdims=True)
    picture = np.asarray(0.45 * grey + 0.55 * colours[owner], np.uint8)
    for labels, colour in ((scene.leaves, 0), (owner, 255)):
        picture[_borders(labels)] = colour
    return picture


def _borders(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    kernel = np.ones((_BORDER_PX, _BORDER_PX), np.uint8)
    return np.asarray(cv2.dilate(labels, kernel) != cv2.erode(labels, kernel))
