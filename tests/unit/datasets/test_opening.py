from itertools import pairwise

import numpy as np
import pytest

from suresam.datasets import open_dataset
from suresam.datasets.procedural import Scenes
from suresam.errors import ConfigurationError
from suresam.scenes.scene import (
    CALIBRATION_SEEDS,
    HEAD_SEEDS,
    TEST_SEEDS,
    TRAINING_SEEDS,
    draw_scene,
)


def test_scenes_come_from_the_test_seeds():
    assert len(open_dataset("scenes")) == 250
    data = open_dataset("scenes:2")
    assert data.image_ids == [str(TEST_SEEDS[0]), str(TEST_SEEDS[1])]
    with pytest.raises(IndexError):
        data[2]


def test_scenes_of_another_split_are_other_scenes():
    heads = open_dataset("scenes:3", seeds=HEAD_SEEDS)
    assert heads.image_ids == [str(seed) for seed in HEAD_SEEDS[:3]]
    ranges = (TRAINING_SEEDS, CALIBRATION_SEEDS, TEST_SEEDS, HEAD_SEEDS)
    for first, second in pairwise(sorted(ranges, key=lambda seeds: seeds.start)):
        assert first.stop <= second.start


def test_a_scene_offers_all_its_targets():
    example = Scenes(3, size=96)[1]
    scene = draw_scene(TEST_SEEDS[1], 96)
    assert np.array_equal(example.image, scene.image)
    assert len(example.masks) == len(scene.targets)
    assert np.array_equal(example.masks[-1], scene.mask(len(scene.targets) - 1))
    assert [m.sum() for m in example.masks[:2]] == [scene.mask(i).sum() for i in (0, 1)]


@pytest.mark.parametrize("text", ["scenes:", "scenes:0", "scenes:-1", "scenes:x", "scenes:1.5"])
def test_a_number_of_scenes_must_be_a_number(text):
    with pytest.raises(ConfigurationError, match="whole number from 1"):
        open_dataset(text)


def test_what_is_no_data_set_is_told_what_could_be():
    with pytest.raises(ConfigurationError, match=r"neither `scenes\[:N\]`, a folder"):
        open_dataset("no/such/thing")


def test_only_coco_takes_a_folder_of_pictures(tmp_path):
    with pytest.raises(ConfigurationError, match="belongs to a COCO"):
        open_dataset("scenes", tmp_path)
