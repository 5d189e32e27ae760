import numpy as np
import pytest
from PIL import Image

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError

LEFT = [[1, 1, 0, 0]] * 3
ALL = [[1] * 4] * 3
HIDDEN = [[0] * 4] * 3


@pytest.fixture
def root(tmp_path, write_frame, write_map):
    """Two videos of six frames; of the first two objects overlap, and one comes later."""
    for video in ("sav_000011", "sav_000002"):
        for frame in range(6):
            write_frame(f"SA-V/sav_val/JPEGImages_24fps/{video}/{frame:05d}.jpg", 40 * frame)
    maps = {"sav_000011/000/00000": LEFT, "sav_000011/000/00004": LEFT,
            "sav_000011/001/00004": ALL, "sav_000002/000/00000": HIDDEN}  # fmt: skip
    for name, indices in maps.items():
        write_map(f"SA-V/sav_val/Annotations_6fps/{name}.png", indices)
    (tmp_path / "SA-V/sav_val/sav_val.txt").write_text("sav_000011\nsav_000002\n")
    return tmp_path / "SA-V"


def test_objects_of_a_frame_lie_in_folders_of_their_own_and_may_overlap(root):
    data = open_dataset(f"{root}:sav_val")
    assert data.name == "SA-V/sav_val"
    assert list(data.image_ids) == ["sav_000011/00000", "sav_000011/00004", "sav_000002/00000"]
    example = data[1]
    assert example.image_id == "sav_000011/00004"
    assert (example.image == 160).all()
    for mask, truth in zip(example.masks, (LEFT, ALL), strict=True):
        assert np.array_equal(mask, np.array(truth, bool))
    assert len(data[0].masks) == 1


def test_a_hidden_object_is_no_mask(root):
    assert list(open_dataset(f"{root}:sav_val")[2].masks) == []


@pytest.mark.parametrize("name", [":sav_val", "/sav_val", ""])
def test_a_split_is_named_after_a_colon_or_by_its_folder_or_not_at_all(root, name):
    assert open_dataset(f"{root}{name}").name == "SA-V/sav_val"


def test_the_list_of_videos_may_lie_beside_the_folder_or_be_missing(root):
    videos = root / "sav_val" / "sav_val.txt"
    videos.write_text("sav_000002")
    videos.rename(root / "sav_val.txt")
    assert list(open_dataset(str(root)).image_ids) == ["sav_000002/00000"]
    (root / "sav_val.txt").unlink()
    assert open_dataset(str(root)).image_ids[0] == "sav_000002/00000"
    assert len(open_dataset(str(root))) == 3


def test_masks_of_any_kind_of_png_are_read(root):
    path = root / "sav_val/Annotations_6fps/sav_000002/000/00000.png"
    Image.fromarray(np.array(LEFT, bool)).save(path)
    assert open_dataset(str(root))[2].masks[0].tolist() == np.array(LEFT, bool).tolist()


def test_listing_reads_no_picture_and_no_mask(root):
    for path in root.rglob("*.???"):
        if path.suffix in (".jpg", ".png"):
            path.write_bytes(b"")
    assert len(open_dataset(str(root))) == 3


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("JPEGImages_24fps/sav_000011/00004.jpg",
         r"00004\.png has no picture: there is no .*sav_000011/00004\.jpg$"),
        ("Annotations_6fps/sav_000002", r"cannot read .*6fps/sav_000002: No such file"),
        ("JPEGImages_24fps/sav_000002", r"cannot read .*24fps/sav_000002: No such file"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(root, remove, message):
    (root / "sav_val" / remove).rename(root / "elsewhere")
    with pytest.raises(ConfigurationError, match=message):
        open_dataset(str(root))


def test_a_split_without_a_mask_is_refused(root):
    for path in root.glob("sav_val/Annotations_6fps/*/*/*.png"):
        path.unlink()
    with pytest.raises(ConfigurationError, match=r"has no masks: .*VIDEO/OBJECT/FRAME\.png"):
        open_dataset(str(root))


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (LEFT[:2], r"is 4 x 2 pixels, .* as displayed 4 x 3"),
        (None, r"cannot read .*000/00000\.png"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_when_it_is_read(root, write_map, indices, message):
    path = write_map("SA-V/sav_val/Annotations_6fps/sav_000011/000/00000.png", indices or LEFT)
    if indices is None:
        path.write_bytes(path.read_bytes()[:40])
    data = open_dataset(str(root))
    with pytest.raises(ConfigurationError, match=message):
        data[0]
