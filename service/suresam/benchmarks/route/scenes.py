"""Pictures to upload whose clicks have a known meaning."""

import numpy as np

from suresam.benchmarks.serve.aim import Aim
from suresam.benchmarks.serve.pictures import Picture, jpeg
from suresam.domain import Point
from suresam.evaluation.prompts import central_click, choose_targets, random_click
from suresam.masks.rle import encode_rle
from suresam.scenes.scene import TEST_SEEDS, draw_scene

_TARGETS = 6
"""Things of a scene that are clicked on, each in its centre and anywhere in it."""

_QUALITY = 95


def draw_true_pictures(number: int, size: int, seed: int) -> list[Picture]:
    """Scenes that no model has learned from, as files, with clicks on things in them.

    Half of the clicks of a scene are at the centre of a thing and half anywhere in it, as in the
    points of `suresam evaluate route`.

    Args:
        number: of scenes.
        size: their side in pixels.
        seed: of the first of them, and of the choice of things.
    """
    return [_picture(TEST_SEEDS[seed + place], size) for place in range(number)]


def _picture(seed: int, size: int) -> Picture:
    scene = draw_scene(seed, size)
    rng = np.random.default_rng(seed)
    areas = np.bincount(scene.leaves.ravel(), minlength=256)
    things = choose_targets(scene.targets @ areas, size * size, _TARGETS, rng)
    aims: list[Aim] = []
    for thing in things:
        truth = scene.mask(int(thing))
        for click in (central_click(truth), random_click(truth, rng)):
            aims.append(Aim(Point(*click), encode_rle(truth), seed))
    return Picture(size, size, jpeg(scene.image, _QUALITY), tuple(aims))
