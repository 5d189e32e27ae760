"""Procedural scenes as a source of pool entries."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from suresam.errors import ConfigurationError
from suresam.scenes.scene import SCENES_PER_SEED, draw_scene
from suresam.scenes.targets import MAX_TARGETS
from suresam.training.pool import PoolEntry


@dataclass(frozen=True, slots=True)
class SceneSource:
    """The scenes of consecutive seeds.

    Attributes:
        first_seed: of the first scene.
        count: how many, 1 to 1,000,000.
        size: their side in pixels.
    """

    first_seed: int
    count: int
    size: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= SCENES_PER_SEED:
            raise ConfigurationError(f"{self.count} scenes asked for; must be 1..{SCENES_PER_SEED}")

    def __len__(self) -> int:
        return self.count

    @property
    def max_targets(self) -> int:
        """Targets of the richest scene."""
        return MAX_TARGETS

    def entry(self, index: int) -> PoolEntry:
        """Draw one scene."""
        scene = draw_scene(self.first_seed + index, self.size)
        return PoolEntry(
            image=scene.image,
            leaves=scene.leaves,
            leaf_object=scene.leaf_object.astype(np.int16),
            targets=scene.targets,
            levels=scene.levels,
        )

    def description(self) -> dict[str, Any]:
        """Kind and seeds."""
        return {"kind": "scenes", "first_seed": self.first_seed}
