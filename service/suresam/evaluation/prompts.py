"""Prompts made from exact masks: which target, where to click, which box, what to correct."""

import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Mask
from suresam.masks.regions import border_distance


def choose_targets(
    area: NDArray[np.int64],
    num_pixels: int,
    count: int,
    rng: np.random.Generator,
    power: float = 0.5,
) -> NDArray[np.int64]:
    """Draw targets, large ones more often.

    Args:
        area: (T,) visible pixels of each target.
        num_pixels: pixels of the whole view.
        count: how many to draw; repeats only if there are fewer targets.
        power: a target's chance goes as its area to this power; 0 treats all alike.

    Returns:
        (count,) indices of targets that cover 0.15 % to 95 % of the view; of all visible
        ones if none does.
    """
    usable = np.flatnonzero((area >= 0.0015 * num_pixels) & (area <= 0.95 * num_pixels))
    if len(usable) == 0:
        usable = np.flatnonzero(area > 0)
    weight = area[usable].astype(np.float64) ** power
    weight /= weight.sum()
    if len(usable) >= count:
        return np.asarray(rng.choice(usable, count, replace=False, p=weight))
    rest = rng.choice(usable, count - len(usable), p=weight)
    return np.concatenate([usable, rest])


def central_click(mask: Mask) -> tuple[int, int]:
    """The pixel (x, y) farthest from the mask's border: what an annotator would click."""
    y, x = np.unravel_index(int(border_distance(mask).argmax()), mask.shape)
    return int(x), int(y)


def random_click(mask: Mask, rng: np.random.Generator) -> tuple[int, int]:
    """A pixel (x, y) of the mask: half of the time deep inside, else anywhere off the border."""
    distance = border_distance(mask)
    deepest = float(distance.max())
    least = 0.6 * deepest if rng.random() < 0.5 else min(2.0, deepest)
    places = np.flatnonzero(distance >= least)
    y, x = divmod(int(places[rng.integers(len(places))]), mask.shape[1])
    return x, y


def scattered_clicks(mask: Mask, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """So many pixels (x, y) of the mask, each as likely as any other; none twice if there are
    enough.
    """
    places = np.flatnonzero(mask)
    drawn = rng.choice(places, count, replace=len(places) < count)
    return [(int(place % mask.shape[1]), int(place // mask.shape[1])) for place in drawn]


def tight_box(mask: Mask) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 in pixels, the far sides exclusive, so that a full mask gives its size."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def loose_box(mask: Mask, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A box as a hand would draw it: half of the time each side is off by up to a tenth."""
    x1, y1, x2, y2 = tight_box(mask)
    if rng.random() < 0.5:
        height, width = mask.shape
        dx, dy = 0.1 * (x2 - x1), 0.1 * (y2 - y1)
        x1, x2 = (float(np.clip(v + rng.uniform(-dx, dx), 0, width)) for v in (x1, x2))
        y1, y2 = (float(np.clip(v + rng.uniform(-dy, dy), 0, height)) for v in (y1, y2))
    return x1, y1, max(x2, x1 + 1.0), max(y2, y1 + 1.0)


def correction(predicted: Mask, truth: Mask) -> tuple[int, int, int]:
    """The next click of a user who corrects a mask.

    Returns:
        x, y of the pixel deepest inside the errors, and its label: 1 if it was missed, 0 if
        it was covered wrongly. Without an error, the middle of the truth with label 1.
    """
    missed = border_distance(truth & ~predicted)
    wrong = border_distance(predicted & ~truth)
    if missed.max() <= 0 and wrong.max() <= 0:
        x, y = central_click(truth)
        return x, y, 1
    label = int(missed.max() >= wrong.max())
    x, y = central_click(truth & ~predicted if label else predicted & ~truth)
    return x, y, label
