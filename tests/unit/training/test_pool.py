import numpy as np
import pytest

from suresam.errors import ConfigurationError
from suresam.scenes.scene import SCENES_PER_SEED, TRAINING_SEEDS, draw_scene
from suresam.training.pool import ScenePool, draw_pool, training_seed


def test_a_pooled_scene_is_the_scene_of_its_seed(tiny_pool):
    pool = ScenePool(tiny_pool)
    assert (len(pool), pool.size) == (6, 128)
    drawn, kept = draw_scene(4, 128), pool.scene(4)
    for name in ("image", "leaves", "leaf_object", "targets", "levels"):
        assert np.array_equal(getattr(drawn, name), getattr(kept, name)), name


def test_two_processes_draw_the_same_pool_as_one(tiny_pool, tmp_path):
    other = draw_pool(tmp_path / "pool", first_seed=0, count=6, size=128, workers=2)
    assert np.array_equal(other.scene(5).image, ScenePool(tiny_pool).scene(5).image)


def test_a_finished_pool_of_other_scenes_is_refused(tiny_pool):
    with pytest.raises(ConfigurationError, match="holds other scenes"):
        draw_pool(tiny_pool, first_seed=0, count=7, size=128, workers=1)


def test_seeds_of_two_runs_do_not_overlap_and_stay_in_the_training_range():
    assert training_seed(1) - training_seed(0) == SCENES_PER_SEED
    assert training_seed(999) + SCENES_PER_SEED <= TRAINING_SEEDS.stop
    with pytest.raises(ConfigurationError, match="seed 1000"):
        training_seed(1000)
