import numpy as np
import pytest

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError

OBJECTS = [[0, 1, 1, 0], [0, 1, 255, 255], [2, 2, 255, 255]]
NOTHING = [[0] * 4] * 3


@pytest.fixture
def root(tmp_path, write_frame, write_map):
    """Three videos: two frames annotated, the first of two annotated, and none annotated."""
    annotated = {"dog": 2, "bear": 2, "car-race": 1, "orchid": 0}
    for video, count in annotated.items():
        for frame in range(2):
            write_frame(f"DAVIS/JPEGImages/480p/{video}/{frame:05d}.jpg", 100 * frame)
            if frame < count:
                write_map(f"DAVIS/Annotations/480p/{video}/{frame:05d}.png", OBJECTS)
    lists = {"train": "dog\nbear\n", "val": "bear\n\n", "test-dev": "car-race\norchid"}
    for split, videos in lists.items():
        path = tmp_path / "DAVIS" / "ImageSets" / "2017" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(videos)
    return tmp_path / "DAVIS"


def test_every_index_of_the_palette_but_zero_is_an_object(root):
    data = open_dataset(f"{root}:val")
    assert data.name == "DAVIS/480p/val"
    assert list(data.image_ids) == ["bear/00000", "bear/00001"]
    example = data[1]
    assert example.image_id == "bear/00001"
    assert (example.image == 100).all()
    indices = np.array(OBJECTS)
    for mask, index in zip(example.masks, (1, 2, 255), strict=True):
        assert np.array_equal(mask, indices == index)


def test_videos_keep_the_order_of_their_list(root):
    assert list(open_dataset(f"{root}:train").image_ids) == [
        "dog/00000", "dog/00001", "bear/00000", "bear/00001",
    ]  # fmt: skip


def test_of_the_test_split_only_annotated_frames_are_listed(root):
    assert list(open_dataset(f"{root}:test-dev").image_ids) == ["car-race/00000"]


def test_listing_reads_no_picture_and_no_map(root):
    for path in [*root.glob("*/480p/*/*")]:
        path.write_bytes(b"")
    data = open_dataset(f"{root}:val")
    assert len(data) == 2
    with pytest.raises(ConfigurationError, match=r"480p/bear/00000\.jpg: the image is empty"):
        data[0]


def test_a_frame_without_objects_has_no_masks(root, write_map):
    write_map("DAVIS/Annotations/480p/bear/00000.png", NOTHING)
    assert list(open_dataset(f"{root}:val")[0].masks) == []


def test_where_both_resolutions_are_there_one_is_chosen(root, write_frame, write_map):
    write_frame("DAVIS/JPEGImages/Full-Resolution/bear/00000.jpg", 7)
    write_map("DAVIS/Annotations/Full-Resolution/bear/00000.png", OBJECTS)
    with pytest.raises(ConfigurationError, match=r"no split 'val'; choose .*DAVIS:480p/test-dev"):
        open_dataset(f"{root}:val")
    full = open_dataset(f"{root}:Full-Resolution/val")
    assert (full.name, list(full.image_ids)) == ("DAVIS/Full-Resolution/val", ["bear/00000"])
    assert (full[0].image == 7).all()
    assert len(open_dataset(f"{root}:480p/val")) == 2


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("ImageSets/2017/*.txt", r"laid out like DAVIS, but .*2017 has no SPLIT\.txt"),
        ("JPEGImages/480p/bear/00001.jpg", r"bear/00001\.png has no picture: .*bear/00001\.jpg$"),
        ("*/480p/bear", r"val\.txt lists bear, but there is neither .*JPEG.* nor .*Annot.*bear$"),
        ("JPEGImages/480p/bear", r"cannot read .*JPEGImages/480p/bear: No such file"),
        ("Annotations/480p/bear", r"val\.txt has no masks: there is no VIDEO/FRAME\.png in"),
    ],
)
def test_what_is_missing_is_named(root, remove, message):
    found = list(root.glob(remove))
    assert found
    for path in found:
        path.rename(root / f"elsewhere-{path.parts[-3]}-{path.name}")
    with pytest.raises(ConfigurationError, match=message):
        open_dataset(f"{root}:val")


def test_a_damaged_list_is_named(root):
    (root / "ImageSets/2017/val.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match=r"val\.txt is no text file"):
        open_dataset(f"{root}:val")


def test_a_damaged_map_is_named(root):
    path = root / "Annotations/480p/bear/00000.png"
    path.write_bytes(path.read_bytes()[:40])
    data = open_dataset(f"{root}:val")
    with pytest.raises(ConfigurationError, match=r"cannot read .*Annotations/480p/bear/00000\.png"):
        data[0]
