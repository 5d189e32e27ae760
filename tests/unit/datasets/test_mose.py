import numpy as np
import pytest

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError

OBJECTS = [[0, 3, 3, 0], [0, 0, 9, 9], [0, 0, 9, 9]]


@pytest.fixture
def root(tmp_path, write_frame, write_map):
    """A video for training, annotated throughout, and two for validation, only in frame 0."""
    for name, count in {"train/b0c1": 3, "valid/7f": 1, "valid/0a": 1}.items():
        split, video = name.split("/")
        for frame in range(3):
            write_frame(f"MOSE/{split}/JPEGImages/{video}/{frame:05d}.jpg", 50 * frame)
            if frame < count:
                write_map(f"MOSE/{split}/Annotations/{video}/{frame:05d}.png", OBJECTS)
        (tmp_path / "MOSE" / f"meta_{split}.json").write_text("{}")
    return tmp_path / "MOSE"


def test_every_annotated_frame_of_a_video_is_an_example(root):
    data = open_dataset(f"{root}:train")
    assert data.name == "MOSE/train"
    assert list(data.image_ids) == ["b0c1/00000", "b0c1/00001", "b0c1/00002"]
    example = data[2]
    assert example.image_id == "b0c1/00002"
    assert (example.image == 100).all()
    indices = np.array(OBJECTS)
    for mask, index in zip(example.masks, (3, 9), strict=True):
        assert np.array_equal(mask, indices == index)


def test_of_validation_only_the_first_frames_are_listed(root):
    assert list(open_dataset(f"{root}:valid").image_ids) == ["0a/00000", "7f/00000"]


@pytest.mark.parametrize("name", ["valid", "valid:valid"])
def test_a_split_can_be_named_by_its_own_folder(root, name):
    data = open_dataset(f"{root}/{name}")
    assert (data.name, len(data)) == ("MOSE/valid", 2)


def test_hidden_files_of_an_archive_are_no_frames(root):
    (root / "valid/Annotations/0a/._00000.png").write_bytes(b"")
    (root / "valid/Annotations/.cache").mkdir()
    assert len(open_dataset(f"{root}:valid")) == 2


def test_a_map_without_a_frame_is_refused(root):
    (root / "valid/JPEGImages/7f/00000.jpg").unlink()
    with pytest.raises(ConfigurationError, match=r"7f/00000\.png has no picture"):
        open_dataset(f"{root}:valid")


def test_a_split_without_a_map_is_refused(root):
    for path in root.glob("valid/Annotations/*/*"):
        path.unlink()
    with pytest.raises(ConfigurationError, match=r"MOSE/valid has no masks"):
        open_dataset(f"{root}:valid")


def test_a_map_of_another_size_is_refused_when_it_is_read(root, write_map):
    write_map("MOSE/valid/Annotations/0a/00000.png", OBJECTS[:2])
    data = open_dataset(f"{root}:valid")
    with pytest.raises(ConfigurationError, match=r"is 4 x 2 pixels, .* as displayed 4 x 3"):
        data[0]
