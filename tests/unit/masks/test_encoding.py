"""A mask in each encoding, with area and box."""

import numpy as np
import pytest

from suresam.domain import ImageSize, OutputRequest, Prediction
from suresam.masks.encoding import encode_masks
from suresam.masks.png import decode_png
from suresam.masks.rle import decode_rle


@pytest.fixture
def mask():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = True
    mask[8, 1] = True
    return mask


def encoded(mask, **output):
    height, width = mask.shape
    bits = np.packbits(mask.T)[None]
    bits.flags.writeable = False
    prediction = Prediction(ImageSize(width, height), (1,), bits, (0.5,), (0.5,))
    [found] = encode_masks(prediction, OutputRequest(**output))
    return found


def test_rle_has_area_and_box_of_the_mask(mask):
    found = encoded(mask, masks="rle")
    assert (found.area, found.bbox) == (19, (1, 2, 8, 7))
    assert np.array_equal(decode_rle(found.rle), mask)
    assert found.png is None
    assert found.polygons is None


def test_small_regions_go_before_area_and_box_are_taken(mask):
    found = encoded(mask, masks="png", min_region_area=2)
    assert (found.area, found.bbox) == (18, (3, 2, 6, 3))
    assert decode_png(found.png).sum() == 18
    assert found.rle is None


def test_polygons_are_one_for_each_region(mask):
    found = encoded(mask, masks="polygon")
    assert len(found.polygons) == 2


def test_none_gives_only_area_and_box(mask):
    found = encoded(mask, masks="none")
    assert (found.rle, found.png, found.polygons) == (None, None, None)
    assert found.area == 19


@pytest.mark.parametrize("form", ["rle", "png", "polygon", "none"])
def test_an_empty_mask_has_a_box_of_zeros(form):
    found = encoded(np.zeros((4, 3), bool), masks=form, min_region_area=5)
    assert (found.area, found.bbox) == (0, (0, 0, 0, 0))
