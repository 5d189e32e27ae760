import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError
from suresam.masks.rle import encode_rle

HEIGHT, WIDTH = 4, 6


def annotation(segmentation: Any, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 7, "segmentation": segmentation, **more}


def write(
    folder: Path, annotations: list[dict[str, Any]], where: str = "images", name: str = "a.png"
) -> str:
    (folder / where).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 9, np.uint8)).save(folder / where / name)
    content = {
        "images": [{"id": 8, "file_name": "bare.png"}, {"id": 7, "file_name": name}],
        "annotations": annotations,
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return str(path)


def columns(first: int, last: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, first:last] = True
    return mask


def test_polygons_and_both_forms_of_run_lengths_are_read(tmp_path):
    square = [[1, 0, 3, 0, 3, 4, 1, 4], [4, 0, 5, 0, 5, 4, 4, 4]]
    runs = {"size": [HEIGHT, WIDTH], "counts": [8, 4, 12]}
    packed = {"size": [HEIGHT, WIDTH], "counts": encode_rle(columns(3, 6)).counts}
    data = open_dataset(
        write(tmp_path, [annotation(square), annotation(runs, 2), annotation(packed, 3)])
    )
    assert (data.name, data.image_ids) == ("instances.json", ["a.png"])
    example = data[0]
    assert example.image.shape == (HEIGHT, WIDTH, 3)
    two_parts = columns(1, 3) | columns(4, 5)
    for mask, truth in zip(example.masks, (two_parts, columns(2, 3), columns(3, 6)), strict=True):
        assert np.array_equal(mask, truth)


def test_crowds_boxes_and_empty_masks_are_left_out(tmp_path):
    empty = {"size": [HEIGHT, WIDTH], "counts": [24]}
    whole = {"size": [HEIGHT, WIDTH], "counts": [0, 24]}
    crowd = annotation(whole, 3, iscrowd=1)
    data = open_dataset(
        write(tmp_path, [annotation(empty), annotation([], 2), crowd, annotation(whole, 4)])
    )
    [mask] = data[0].masks
    assert mask.all()


@pytest.mark.parametrize(
    "nothing", [{"size": [HEIGHT, WIDTH], "counts": [24]}, [[2, 1, 2, 1, 2, 1]]]
)
def test_a_picture_whose_masks_have_no_pixel_is_read_without_masks(tmp_path, nothing):
    example = open_dataset(write(tmp_path, [annotation(nothing)]))[0]
    assert example.image.shape == (HEIGHT, WIDTH, 3)
    assert list(example.masks) == []


SQUARE = [[0, 0, 3, 0, 3, 3, 0, 3]]


@pytest.mark.parametrize("size", [{}, {"width": WIDTH}, {"width": WIDTH, "height": HEIGHT}])
def test_polygons_are_read_where_the_picture_is_as_large_as_the_file_says(tmp_path, size):
    assert open_dataset(resized(tmp_path, size))[0].masks[0].sum() == 9


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"width": HEIGHT, "height": WIDTH}, r"annotation 1 .* of 4 x 6 pixels, .* has 6 x 4"),
        ({"width": 600}, r"of 600 x 4 pixels, .* has 6 x 4"),
    ],
)
def test_polygons_for_a_picture_of_another_size_are_refused(tmp_path, size, message):
    data = open_dataset(resized(tmp_path, size))
    with pytest.raises(ConfigurationError, match=message):
        data[0]


def resized(folder: Path, size: dict[str, int]) -> str:
    path = Path(write(folder, [annotation(SQUARE)]))
    content = json.loads(path.read_text())
    content["images"][1] |= size
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize("where", [".", "images"])
def test_pictures_are_found_beside_the_file(tmp_path, where):
    square = [[0, 0, 3, 0, 3, 3, 0, 3]]
    assert len(open_dataset(write(tmp_path, [annotation(square)], where))) == 1


def test_pictures_may_be_in_a_folder_that_the_user_names(tmp_path):
    file = write(tmp_path, [annotation([[0, 0, 3, 0, 3, 3, 0, 3]])], "elsewhere")
    with pytest.raises(ConfigurationError, match=r"no picture a\.png in .* `--images DIR`"):
        open_dataset(file)
    assert len(open_dataset(file, tmp_path / "elsewhere")[0].masks) == 1
    with pytest.raises(ConfigurationError, match="is no folder"):
        open_dataset(file, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[0, 0, 3, 3]], "a polygon needs an even number of coordinates, at least 6"),
        ([[0, 0, 3, 0, 3, 3, 1]], "even number"),
        ({"size": [6, 4], "counts": [0, 24]}, r"of 4 x 6 pixels, .* has 6 x 4"),
        ({"size": [4], "counts": [0, 24]}, r"of \[4\] pixels, .* has 6 x 4"),
        ({"size": [4, 6], "counts": [0, 23]}, "do not fill a mask of 4 x 6"),
        ({"size": [4, 6], "counts": [0, -1, 25]}, "whole numbers, at least 0"),
        ({"size": [4, 6], "counts": "\x01"}, "annotation 1 of a.png: the run lengths are damaged"),
        ("polygon", "neither polygons nor run lengths"),
    ],
)
def test_a_segmentation_of_another_form_is_refused(tmp_path, segmentation, message):
    data = open_dataset(write(tmp_path, [annotation(segmentation)]))
    with pytest.raises(ConfigurationError, match=message):
        data[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "needs a list 'images'"),
        ('{"images": []}', "needs a list 'annotations'"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 1}]}', "has no masks"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 1, "segmentation": [[1]]}]}',
         "image 1 has no file_name"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_coco_is_refused(tmp_path, text, message):
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        open_dataset(str(tmp_path / "data.json"))
