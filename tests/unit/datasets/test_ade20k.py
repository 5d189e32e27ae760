import numpy as np
import pytest
from PIL import Image

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError

CLASSES = np.array([[0, 0, 7, 7], [150, 0, 7, 7], [150, 0, 0, 150]], np.uint8)


@pytest.fixture
def root(tmp_path, write_frame):
    """Two pictures for training and one for validation, as the challenge lays them out."""
    folder = tmp_path / "ADEChallengeData2016"
    for number, split in enumerate(
        ("training/ADE_train", "training/ADE_train", "validation/ADE_val")
    ):
        name = f"{split}_{number:08d}"
        write_frame(f"ADEChallengeData2016/images/{name}.jpg", 40 * number)
        path = folder / "annotations" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(CLASSES).save(path)
    (folder / "objectInfo150.txt").write_text("Idx\tRatio\n")
    return folder


def test_each_class_of_a_picture_is_one_mask(root):
    data = open_dataset(f"{root}:validation")
    assert data.name == "ADEChallengeData2016/validation"
    assert data.image_ids == ["ADE_val_00000002"]
    example = data[0]
    assert example.image_id == "ADE_val_00000002"
    assert (example.image == 80).all()
    [seven, last] = example.masks
    assert np.array_equal(seven, CLASSES == 7)
    assert np.array_equal(last, CLASSES == 150)


def test_pictures_are_in_the_order_of_their_names_and_listed_without_being_read(root):
    for path in [*root.glob("images/*/*"), *root.glob("annotations/*/*")]:
        path.write_bytes(b"")
    data = open_dataset(f"{root}:training")
    assert data.image_ids == ["ADE_train_00000000", "ADE_train_00000001"]
    with pytest.raises(ConfigurationError, match=r"ADE_train_00000000\.jpg: the image is empty"):
        data[0]


def test_a_folder_of_several_splits_lists_them(root):
    with pytest.raises(
        ConfigurationError,
        match=r"\(ADE20K\) has several splits; choose .*2016:training or .*2016:validation$",
    ):
        open_dataset(str(root))


def test_a_map_without_a_picture_is_refused(root):
    (root / "images/validation/ADE_val_00000002.jpg").unlink()
    with pytest.raises(ConfigurationError, match=r"00002\.png has no picture: .*00002\.jpg$"):
        open_dataset(f"{root}:validation")


def test_a_split_without_pictures_or_maps_is_refused(root):
    next((root / "annotations/validation").iterdir()).unlink()
    with pytest.raises(ConfigurationError, match=r"validation has no masks: there is no ID\.png"):
        open_dataset(f"{root}:validation")
    (root / "images").rename(root / "pictures")
    with pytest.raises(ConfigurationError, match=r"cannot read .*images/training: No such file"):
        open_dataset(f"{root}:training")


def test_a_map_of_another_size_is_refused_when_it_is_read(root):
    Image.fromarray(CLASSES[:2]).save(root / "annotations/validation/ADE_val_00000002.png")
    data = open_dataset(f"{root}:validation")
    with pytest.raises(ConfigurationError, match=r"is 4 x 2 pixels, .* as displayed 4 x 3"):
        data[0]


def test_pictures_have_no_frames_to_choose_from(root):
    with pytest.raises(ConfigurationError, match="can be taken of videos, and ADE20K has pictures"):
        open_dataset(f"{root}:validation:3")
