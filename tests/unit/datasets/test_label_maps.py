from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from suresam.datasets import open_dataset
from suresam.datasets.label_maps import read_labels
from suresam.errors import ConfigurationError

LABELS = np.array([[0, 0, 5, 5], [300, 300, 5, 5], [300, 0, 0, 0]], np.uint16)


def write(folder: Path, name: str, pixels: np.ndarray) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def picture(height: int = 3, width: int = 4) -> np.ndarray:
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


def test_every_label_but_zero_is_a_mask(tmp_path):
    write(tmp_path, "images/a.png", picture())
    write(tmp_path, "segments/a.png", LABELS)
    data = open_dataset(str(tmp_path))
    assert len(data) == 1
    example = data[0]
    assert example.image_id == "a"
    assert np.array_equal(example.image, picture())
    assert [mask.tolist() for mask in example.masks] == [
        (LABELS == 5).tolist(),
        (LABELS == 300).tolist(),
    ]


def test_annotators_of_one_picture_share_its_id_in_the_order_of_their_numbers(tmp_path):
    write(tmp_path, "images/a.png", picture())
    for annotator in (10, 2):
        write(tmp_path, f"segments/a_{annotator}.png", np.full((3, 4), annotator, np.uint8))
    data = open_dataset(str(tmp_path))
    assert data.image_ids == ["a", "a"]
    assert [path.name for _, _, path in data.entries] == ["a_2.png", "a_10.png"]
    assert data[1].masks[0].all()


def test_an_id_that_ends_in_a_number_keeps_its_own_map(tmp_path):
    for name in ("a", "a_1"):
        write(tmp_path, f"images/{name}.png", picture())
    for name in ("a_1", "a_2", "a_1_2"):
        write(tmp_path, f"segments/{name}.png", LABELS)
    entries = open_dataset(str(tmp_path)).entries
    assert [(i, path.stem) for i, _, path in entries] == [
        ("a", "a_2"), ("a_1", "a_1"), ("a_1", "a_1_2"),
    ]  # fmt: skip


def test_pictures_are_turned_as_the_service_turns_them(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(4, 3)).save(tmp_path / "images" / "a.png", exif=exif)
    write(tmp_path, "segments/a.png", LABELS)
    assert open_dataset(str(tmp_path))[0].image.shape == (3, 4, 3)


def test_a_palette_map_gives_its_indices(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 2]], np.uint8), mode=None).convert("P")
    image.putdata([0, 1, 2, 2])
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "map.png")
    assert read_labels(tmp_path / "map.png").tolist() == [[0, 1], [2, 2]]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"is no data set: it has no folders images/ and segments/"),
        ({"images/a.png": picture()}, "is no data set"),
        ({"images/a.png": picture(), "segments/b.png": LABELS}, r"b\.png has no picture"),
        ({"images/a.png": picture(), "segments/note.txt.x": None}, "has no masks"),
        ({"images/a.png": picture(), "images/a.bmp": picture(), "segments/a.png": LABELS},
         "have the same id"),
        ({"val/images/a.png": picture(), "val/segments/a.png": LABELS}, r"choose .*val$"),
        ({"data.json": None}, r"is it .*data\.json that you mean"),
    ],
)  # fmt: skip
def test_a_folder_of_another_form_is_refused(tmp_path, files, message):
    for name, pixels in files.items():
        if pixels is None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")
        else:
            write(tmp_path, name, pixels)
    with pytest.raises(ConfigurationError, match=message):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.T.copy(), r"is 3 x 4 pixels, .* as displayed 4 x 3"),
        (picture(), r"has 3 channels \(RGB\); a label map has one"),
    ],
)
def test_a_map_that_does_not_fit_is_refused_when_it_is_read(tmp_path, labels, message):
    write(tmp_path, "images/a.png", picture())
    write(tmp_path, "segments/a.png", labels)
    data = open_dataset(str(tmp_path))
    with pytest.raises(ConfigurationError, match=message):
        data[0]


def test_a_blank_map_is_read_without_masks(tmp_path):
    write(tmp_path, "images/a.png", picture())
    write(tmp_path, "segments/a.png", np.zeros((3, 4), np.uint8))
    example = open_dataset(str(tmp_path))[0]
    assert np.array_equal(example.image, picture())
    assert list(example.masks) == []


def test_maps_may_be_named_in_capitals(tmp_path):
    write(tmp_path, "images/a.png", picture())
    write(tmp_path, "segments/a.png", LABELS).rename(tmp_path / "segments" / "a_1.PNG")
    assert len(open_dataset(str(tmp_path))[0].masks) == 2


@pytest.mark.parametrize("pixels", [LABELS, LABELS.astype(np.uint8), LABELS > 5])
def test_labels_keep_the_files_own_dtype(tmp_path, pixels):
    labels = read_labels(write(tmp_path, "map.png", pixels))
    assert labels.dtype == (np.uint8 if pixels.dtype == bool else pixels.dtype)
    assert np.array_equal(labels, pixels)


@pytest.mark.parametrize("error", [KeyError("chunk"), EOFError("short"), OverflowError("long")])
def test_whatever_pillow_raises_on_a_damaged_map_names_the_file(tmp_path, monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    path = write(tmp_path, "map.png", LABELS)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(ConfigurationError, match=r"cannot read .*map\.png"):
        read_labels(path)


@pytest.mark.parametrize("folder", ["images", "segments"])
def test_a_damaged_file_is_named(tmp_path, folder):
    write(tmp_path, "images/a.png", picture())
    write(tmp_path, "segments/a.png", LABELS)
    damaged = tmp_path / folder / "a.png"
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(ConfigurationError, match=f"{folder}/a.png"):
        open_dataset(str(tmp_path))[0]
