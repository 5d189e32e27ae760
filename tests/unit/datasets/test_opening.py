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


@pytest.fixture
def videos(tmp_path, write_frame, write_map):
    """A split of MOSE: a video of three annotated frames and one of one."""
    for name in ("a/00000", "a/00001", "a/00002", "b/00000"):
        write_frame(f"MOSE/train/JPEGImages/{name}.jpg", 9)
        write_map(f"MOSE/train/Annotations/{name}.png", [[1] * 4] * 3)
    return tmp_path / "MOSE"


@pytest.mark.parametrize("text", ["", ":train", "/train", "/train:train"])
def test_the_only_split_need_not_be_named(videos, text):
    assert len(open_dataset(f"{videos}{text}")) == 4


@pytest.mark.parametrize("text", [":1", ":train:1", "/train:1"])
def test_a_number_at_the_end_keeps_so_many_frames_of_every_video(videos, text):
    data = open_dataset(f"{videos}{text}")
    assert (data.name, list(data.image_ids)) == ("MOSE/train:1", ["a/00001", "b/00000"])


@pytest.mark.parametrize("number", ["0", "-1", "1000001"])
def test_a_number_of_frames_must_be_one(videos, number):
    with pytest.raises(ConfigurationError, match="N must be a whole number from 1 to 1000000"):
        open_dataset(f"{videos}:train:{number}")


def test_an_unknown_split_is_told_which_there_are(videos):
    with pytest.raises(
        ConfigurationError, match=r"\(MOSE\) has no split 'val'; choose .*MOSE:train$"
    ):
        open_dataset(f"{videos}:val")


def test_a_split_written_like_a_folder_is_told_how_to_write_it(videos):
    with pytest.raises(ConfigurationError, match=r"no data set .*; is it .*MOSE:train that you me"):
        open_dataset(f"{videos}/val")


def test_the_folder_above_is_told_what_is_in_it(videos):
    with pytest.raises(ConfigurationError, match=r"is no data set: .*is it .*MOSE:train that you"):
        open_dataset(str(videos.parent))


@pytest.mark.parametrize("text", ["nowhere:val", ":val", ":", "nowhere:3", ""])
def test_a_split_of_a_folder_that_is_not_there_is_no_data_set(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="no data set"):
        open_dataset(text)


def test_a_folder_of_another_layout_has_no_splits(tmp_path):
    with pytest.raises(ConfigurationError, match="has no splits or videos, it is not laid out as"):
        open_dataset(f"{tmp_path}:val")


def test_a_colon_in_the_name_of_a_folder_is_no_split(videos):
    renamed = videos.rename(videos.with_name("MOSE:2"))
    assert len(open_dataset(str(renamed))) == 4
    assert len(open_dataset(f"{renamed}:train:1")) == 2
