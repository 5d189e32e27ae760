"""Runs read from packed bits, and what is said of them, are those of the pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suresam.domain import ImageSize, OutputRequest, Prediction
from suresam.masks.encoding import encode_masks
from suresam.masks.rle import decode_rle, encode_rle
from suresam.masks.runs import run_lengths


def encoded(*masks):
    height, width = masks[0].shape
    bits = np.stack([np.packbits(mask.T) for mask in masks])
    number = len(masks)
    prediction = Prediction(
        ImageSize(width, height), tuple(range(number)), bits, (0.5,) * number, (0.5,) * number
    )
    return encode_masks(prediction, OutputRequest())


def assert_same(*masks):
    for mask, found in zip(masks, encoded(*masks), strict=True):
        assert found.area == np.count_nonzero(mask)
        assert found.bbox == tuple(cv2.boundingRect(mask.astype(np.uint8)))
        by_coco = encode_rle(mask)
        assert (found.rle.size, found.rle.counts) == (by_coco.size, by_coco.counts)


def test_runs_begin_with_the_background():
    bits = np.packbits(np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0]], np.bool_), axis=1)
    assert [lengths.tolist() for lengths in run_lengths(bits, 5)] == [[1, 2, 1, 1], [0, 2, 3]]


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_runs_area_and_box_are_those_of_the_pixels(height, width, shares, seed):
    rng = np.random.default_rng(seed)
    assert_same(*(rng.random((height, width)) < share for share in shares))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (8, 1), (3, 3), (8, 8), (480, 640)])
@pytest.mark.parametrize("value", [False, True])
def test_masks_of_one_value(shape, value):
    assert_same(np.full(shape, value), np.full(shape, not value))


def test_one_pixel_in_each_corner():
    for y, x in ((0, 0), (0, 4), (2, 0), (2, 4)):
        mask = np.zeros((3, 5), np.bool_)
        mask[y, x] = True
        assert_same(mask)
        assert encoded(mask)[0].bbox == (x, y, 1, 1)


def test_a_run_from_one_column_into_the_next_is_as_high_as_the_mask():
    mask = np.zeros((4, 3), np.bool_)
    mask[3, 0] = mask[0, 1] = True
    assert encoded(mask)[0].bbox == (0, 0, 2, 4)


def test_long_runs_are_read_back():
    mask = np.zeros((2**20, 2), np.bool_)
    mask[: 2**19, 0] = True
    mask[5, 1] = True
    assert_same(mask)
    assert np.array_equal(decode_rle(encoded(mask)[0].rle), mask)
