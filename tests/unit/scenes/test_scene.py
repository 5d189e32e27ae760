from itertools import pairwise

import numpy as np
import pytest

from suresam.scenes.scene import (
    CALIBRATION_SEEDS,
    TEST_SEEDS,
    TRAINING_SEEDS,
    draw_scene,
)
from suresam.scenes.targets import GROUP, MIN_AREA, OBJECT, PART
from suresam.scenes.textures import texture_bank


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(seed, 128) for seed in range(12)]


def test_a_seed_always_draws_the_same_scene(scenes):
    again = draw_scene(3, 128)
    assert np.array_equal(again.image, scenes[3].image)
    assert np.array_equal(again.leaves, scenes[3].leaves)
    assert np.array_equal(again.targets, scenes[3].targets)


def test_two_seeds_draw_two_scenes(scenes):
    assert not np.array_equal(scenes[0].image, scenes[1].image)


def test_training_calibration_and_test_share_no_seed():
    ranges = sorted((TRAINING_SEEDS, CALIBRATION_SEEDS, TEST_SEEDS), key=lambda r: r.start)
    for before, after in pairwise(ranges):
        assert before.stop <= after.start


def test_every_pixel_belongs_to_exactly_one_leaf_of_a_known_object(scenes):
    for scene in scenes:
        present = np.unique(scene.leaves)
        assert np.array_equal(present, np.arange(len(present)))
        objects = np.unique(scene.leaf_object[present])
        assert np.array_equal(objects, np.arange(len(objects)))


def test_a_part_lies_within_its_object_and_an_object_within_its_group(scenes):
    nested = 0
    for scene in scenes:
        owner = scene.leaf_object[scene.leaves]
        for index, level in enumerate(scene.levels):
            mask = scene.mask(index)
            if level == PART:
                assert len(np.unique(scene.leaves[mask])) == 1
            if level in (PART, OBJECT):
                assert len(np.unique(owner[mask])) == 1
            if level == GROUP:
                assert len(np.unique(owner[mask])) > 1
            for other in range(len(scene.levels)):
                if scene.levels[other] > level and (mask & scene.mask(other)).any():
                    is_within = not (mask & ~scene.mask(other)).any()
                    nested += is_within
    assert nested > 20


def test_targets_are_distinct_and_large_enough(scenes):
    for scene in scenes:
        assert len(scene.levels) >= 1
        masks = [scene.mask(i) for i in range(len(scene.levels))]
        assert min(mask.mean() for mask in masks) >= MIN_AREA
        assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_scenes_hold_all_three_levels():
    levels = np.concatenate([draw_scene(seed, 128).levels for seed in range(40, 70)])
    assert set(levels.tolist()) == {PART, OBJECT, GROUP}


def test_surfaces_look_as_they_did_when_the_bundled_models_were_trained():
    leaves, strokes = (texture_bank()[index, ::64, ::64] for index in (9, 11))
    assert leaves == pytest.approx(
        np.array(
            [
                [0.273, 0.517, 0.632, 0.306],
                [0.380, 0.233, 0.669, 0.530],
                [0.887, 0.267, 0.642, 0.220],
                [0.280, 0.517, 0.321, 0.277],
            ]
        ),
        abs=1e-3,
    )
    assert strokes == pytest.approx(
        np.array(
            [
                [0.128, 0.539, 0.128, 0.662],
                [0.361, 0.769, 0.396, 0.632],
                [0.137, 0.035, 0.141, 0.510],
                [0.814, 0.128, 0.163, 0.802],
            ]
        ),
        abs=1e-3,
    )
