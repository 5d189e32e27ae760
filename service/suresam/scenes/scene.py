"""Procedural scenes: pictures of layered things with exact masks of parts, objects and groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.scenes.backdrop import draw_backdrop
from suresam.scenes.painting import Canvas, Light
from suresam.scenes.photography import photograph
from suresam.scenes.targets import collect_targets, split_at_occluders
from suresam.scenes.textures import random_palette
from suresam.scenes.things import (
    Setting,
    draw_cluster,
    draw_clutter,
    draw_giant,
    draw_lookalikes,
    draw_single,
)

TRAINING_SEEDS = range(0, 1_000_000_000)
CALIBRATION_SEEDS = range(1_000_000_000, 2_000_000_000)
TEST_SEEDS = range(2_000_000_000, 3_000_000_000)
HEAD_SEEDS = range(3_000_000_000, 4_000_000_000)
"""A scene is drawn from one seed alone, so disjoint ranges share no scene.

Models learn on the first range, uncertainty heads on the last one, what they say is calibrated on
the second, and every published figure comes from the third.
"""

SCENES_PER_SEED = 1_000_000
"""Scene seeds that belong to one run's `--seed`; the training range holds 1000 such runs."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and everything in it.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        leaves: (S, S) uint8, the smallest labelled surface at every pixel.
        leaf_object: (256,) uint8, the object that every leaf belongs to.
        targets: (T, 256) bool, for every target the leaves that make it up.
        levels: (T,) int8: 0 part of an object, 1 object, 2 group of touching objects.
    """

    image: NDArray[np.uint8]
    leaves: NDArray[np.uint8]
    leaf_object: NDArray[np.uint8]
    targets: NDArray[np.bool_]
    levels: NDArray[np.int8]

    def mask(self, target: int) -> NDArray[np.bool_]:
        """The exact visible mask of one target, (S, S) bool."""
        return np.asarray(self.targets[target][self.leaves])


def draw_scene(seed: int, size: int) -> Scene:
    """Draw the scene of a seed. The same seed at another size may be another scene.

    Args:
        seed: within one of the ranges above.
        size: side in pixels.

    Returns:
        A scene with at least one target.
    """
    rng = np.random.default_rng(seed)
    canvas = Canvas(size)
    setting = Setting(canvas, random_palette(rng), _random_light(rng), rng)
    draw_backdrop(setting)
    events = (draw_single, draw_cluster, draw_lookalikes, draw_clutter, draw_giant)
    number = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.14, 0.22, 0.24, 0.2, 0.12, 0.08]))
    kinds = rng.choice(len(events), number, p=[0.36, 0.2, 0.14, 0.06, 0.24])
    # The large first, so that they are more often behind.
    for kind in sorted(kinds, key=lambda k: (events[k] is not draw_giant, rng.random())):
        events[kind](setting)
    leaves, leaf_object = split_at_occluders(canvas)
    targets, levels = collect_targets(leaves, leaf_object, canvas.object_group, rng)
    image = photograph(canvas.image, setting.light, rng)
    return Scene(image, leaves, leaf_object, targets, levels)


def _random_light(rng: np.random.Generator) -> Light:
    angle = rng.uniform(0, 2 * np.pi)
    shadow = float(rng.uniform(0.2, 0.75)) if rng.random() < 0.65 else 0.0
    return Light(float(np.cos(angle)), float(np.sin(angle)), shadow, float(rng.uniform(0.01, 0.12)))
