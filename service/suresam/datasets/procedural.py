"""Procedural scenes that no training has seen, as a data set."""

from collections.abc import Sequence
from dataclasses import dataclass

from suresam.datasets.dataset import Example
from suresam.datasets.lazy_masks import LazyMasks
from suresam.scenes.scene import TEST_SEEDS, draw_scene

NUM_SCENES = 250
SCENE_SIZE = 384
"""The published figures: 250 scenes 384 px wide, whatever the model's input size."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """The first scenes of a range of seeds, drawn when they are asked for.

    Attributes:
        num_scenes: how many.
        size: their side in pixels.
        seeds: where they come from; the test range, unless something is fitted on them.
    """

    num_scenes: int = NUM_SCENES
    size: int = SCENE_SIZE
    seeds: range = TEST_SEEDS

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"scenes:{self.num_scenes}"

    @property
    def image_ids(self) -> Sequence[str]:
        """The seed of every scene."""
        return [str(seed) for seed in self.seeds[: self.num_scenes]]

    def __len__(self) -> int:
        return self.num_scenes

    def __getitem__(self, index: int) -> Example:
        """Draw one scene; its masks are all its parts, objects and groups."""
        seed = self.seeds[: self.num_scenes][index]
        scene = draw_scene(seed, self.size)
        return Example(str(seed), scene.image, LazyMasks(len(scene.targets), scene.mask))
