"""A mask in each encoding, with area and box."""

import numpy as np
import pytest

from suresam.domain import OutputRequest
from suresam.masks.encoding import encode_mask
from suresam.masks.png import decode_png
from suresam.masks.rle import decode_rle


@pytest.fixture(params=["C", "F"])
def mask(request):
    mask = np.zeros((10, 12), bool, order=request.param)
    mask[2:5, 3:9] = True
    mask[8, 1] = True
    mask.flags.writeable = False
    return mask


def test_rle_has_area_and_box_of_the_mask(mask):
    encoded = encode_mask(mask, OutputRequest(masks="rle"))
    assert (encoded.area, encoded.bbox) == (19, (1, 2, 8, 7))
    assert np.array_equal(decode_rle(encoded.rle), mask)
    assert encoded.png is None
    assert encoded.polygons is None


def test_small_regions_go_before_area_and_box_are_taken(mask):
    encoded = encode_mask(mask, OutputRequest(masks="png", min_region_area=2))
    assert (encoded.area, encoded.bbox) == (18, (3, 2, 6, 3))
    assert decode_png(encoded.png).sum() == 18
    assert encoded.rle is None


def test_polygons_are_one_for_each_region(mask):
    encoded = encode_mask(mask, OutputRequest(masks="polygon"))
    assert len(encoded.polygons) == 2


def test_none_gives_only_area_and_box(mask):
    encoded = encode_mask(mask, OutputRequest(masks="none"))
    assert (encoded.rle, encoded.png, encoded.polygons) == (None, None, None)
    assert encoded.area == 19


@pytest.mark.parametrize("form", ["rle", "png", "polygon", "none"])
def test_an_empty_mask_has_a_box_of_zeros(form):
    encoded = encode_mask(np.zeros((4, 3), bool), OutputRequest(masks=form, min_region_area=5))
    assert (encoded.area, encoded.bbox) == (0, (0, 0, 0, 0))
