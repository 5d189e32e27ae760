"""Heads laid out as upstream publishes them, made in the test."""

import os
import re
import shutil

import pytest
import torch
from heads import write_published

from suresam.errors import CheckpointError
from suresam.uncertainty.heads import PARAMETERS
from suresam.uncertainty.published_heads import published_info, read_published_heads

NAMES = published_info("sam2.1").names


@pytest.fixture
def folder(tmp_path):
    write_published(tmp_path, NAMES)
    return tmp_path


def test_nine_heads_are_stacked_in_the_order_of_their_names(folder):
    heads = read_published_heads(folder, "sam2.1")
    assert len(NAMES) == 9
    assert heads.info.pairing == "one_before"
    assert heads.info.prompts == ("one_click",)
    assert heads.info.models["sam2.1_hiera_tiny"] == "iou_tiny"
    for index, name in enumerate(NAMES):
        one = torch.load(folder / name / "model.pth", weights_only=True)
        for parameter in PARAMETERS:
            assert torch.equal(heads.weights[parameter][index], one[parameter])


def test_the_two_families_differ_in_the_checkpoints_that_they_are_for():
    assert set(published_info("sam2.0").models) == {
        f"sam2_hiera_{size}" for size in ("tiny", "small", "base_plus", "large")
    }
    assert published_info("sam2.0").names == NAMES
    with pytest.raises(CheckpointError, match=r"family 'demo', only for sam2\.0 and sam2\.1"):
        published_info("demo")


def test_missing_and_unknown_heads_are_named(folder):
    shutil.rmtree(folder / "task_gap")
    (folder / "iou_large" / "model.pth").unlink()
    shutil.move(folder / "iou_tiny", folder / "unsupervised_iou")
    message = "lacks iou_tiny, iou_large, task_gap and holds unknown unsupervised_iou"
    with pytest.raises(CheckpointError, match=message):
        read_published_heads(folder, "sam2.1")


def test_the_head_of_another_shape_is_named(folder):
    shutil.rmtree(folder / "prompt_gap")
    write_published(folder, ("prompt_gap",), width=4)
    message = re.escape("differ in shape: prompt_gap (8, 8), the others (8, 6)")
    with pytest.raises(CheckpointError, match=message):
        read_published_heads(folder, "sam2.1")


def test_the_parameter_that_differs_is_named(folder):
    path = folder / "iou_tiny" / "model.pth"
    head = torch.load(path, weights_only=True)
    torch.save(head | {"layers.2.weight": torch.zeros(1, 9)}, path)
    message = re.escape("layers.2.weight of the heads")
    with pytest.raises(CheckpointError, match=message + r".*iou_tiny \(1, 9\)"):
        read_published_heads(folder, "sam2.1")


class Harm:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("content", [{"layers.0.weight": torch.zeros(2, 2)}, [1, 2], Harm()])
def test_a_file_that_is_no_head_is_named(folder, content):
    torch.save(content, folder / "iou_small" / "model.pth")
    with pytest.raises(CheckpointError, match=r"iou_small.model\.pth"):
        read_published_heads(folder, "sam2.1")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        read_published_heads(tmp_path / "nowhere", "sam2.1")
