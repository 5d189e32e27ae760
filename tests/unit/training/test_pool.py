import numpy as np
import pytest

from suresam.errors import ConfigurationError
from suresam.scenes.scene import SCENES_PER_SEED, TRAINING_SEEDS, draw_scene
from suresam.training.filling import fill_pool
from suresam.training.pool import PoolEntry, ScenePool, training_seed


class Plain:
    """Entries that are told apart by their colour; one in three has no mask."""

    size, max_targets = 16, 2

    def __init__(self, kind: str, colour: int, count: int) -> None:
        self.kind, self.colour, self.count = kind, colour, count

    def __len__(self) -> int:
        return self.count

    def entry(self, index: int) -> PoolEntry | None:
        if index % 3 == 2:
            return None
        targets = np.zeros((1, 256), np.bool_)
        targets[0, 1] = True
        leaves = np.zeros((16, 16), np.uint8)
        leaves[:4] = 1
        image = np.full((16, 16, 3), self.colour + index, np.uint8)
        return PoolEntry(image, leaves, np.arange(-1, 255, dtype=np.int16), targets,
                         np.ones(1, np.int8))  # fmt: skip

    def description(self) -> dict[str, str]:
        return {"kind": self.kind}


def test_a_pooled_scene_is_the_scene_of_its_seed(tiny_pool):
    pool = ScenePool(tiny_pool)
    assert (len(pool), pool.size) == (6, 128)
    drawn, kept = draw_scene(4, 128), pool.entry(4)
    for name in ("image", "leaves", "leaf_object", "targets", "levels"):
        assert np.array_equal(getattr(drawn, name), getattr(kept, name)), name


def test_what_has_no_mask_is_passed_over_in_the_numbering(tmp_path):
    pool = fill_pool(tmp_path, [Plain("a", 0, 6), Plain("b", 100, 3)], workers=1)
    colours = [pool.entry(i).image[0, 0, 0] for i in range(len(pool))]
    assert colours == [0, 1, 3, 4, 100, 101]
    entry = pool.entry(0)
    assert entry.leaf_object[0] == -1
    assert entry.mask(0).sum() == 4 * 16


def test_scenes_and_pictures_come_equally_often_however_many_there_are(tmp_path):
    sources = [Plain("scenes", 0, 90), Plain("pictures", 100, 3), Plain("pictures", 200, 9)]
    pool = fill_pool(tmp_path, sources, workers=1)
    drawn = pool.draw(2000, np.random.default_rng(0))
    assert (drawn < 60).mean() == pytest.approx(0.5, abs=0.04)
    # Of the pictures, 2 lie in the one data set and 6 in the other.
    assert ((drawn >= 60) & (drawn < 62)).mean() == pytest.approx(0.125, abs=0.03)
    assert drawn.max() == 67


def test_one_kind_is_drawn_evenly(tmp_path):
    pool = fill_pool(tmp_path, [Plain("scenes", 0, 9)], workers=1)
    drawn = pool.draw(600, np.random.default_rng(0))
    assert np.bincount(drawn, minlength=6).min() > 60


def test_seeds_of_two_runs_do_not_overlap_and_stay_in_the_training_range():
    assert training_seed(1) - training_seed(0) == SCENES_PER_SEED
    assert training_seed(999) + SCENES_PER_SEED <= TRAINING_SEEDS.stop
    with pytest.raises(ConfigurationError, match="seed 1000"):
        training_seed(1000)
