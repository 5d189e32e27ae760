"""Runs read from packed bits say the same as the pixels."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suresam.masks.rle import decode_rle, encode_rle
from suresam.masks.runs import packed_runs


def runs_of(mask):
    return packed_runs(np.packbits(mask.T), *mask.shape)


def assert_same(mask):
    runs = runs_of(mask)
    assert runs.area == np.count_nonzero(mask)
    assert runs.bbox == tuple(cv2.boundingRect(mask.astype(np.uint8)))
    by_coco = encode_rle(mask)
    assert runs.rle().counts == by_coco.counts
    assert runs.rle().size == by_coco.size


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_runs_area_and_box_are_those_of_the_pixels(height, width, share, seed):
    assert_same(np.random.default_rng(seed).random((height, width)) < share)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (8, 1), (3, 3), (480, 640)])
@pytest.mark.parametrize("value", [False, True])
def test_a_mask_of_one_value(shape, value):
    assert_same(np.full(shape, value))


def test_one_pixel_in_each_corner():
    for y, x in ((0, 0), (0, 4), (2, 0), (2, 4)):
        mask = np.zeros((3, 5), np.bool_)
        mask[y, x] = True
        assert_same(mask)
        assert runs_of(mask).bbox == (x, y, 1, 1)


def test_a_run_from_one_column_into_the_next_is_as_high_as_the_mask():
    mask = np.zeros((4, 3), np.bool_)
    mask[3, 0] = mask[0, 1] = True
    assert runs_of(mask).bbox == (0, 0, 2, 4)


def test_long_runs_take_as_many_digits_as_they_need():
    # 2**4 is the first number of two digits, 2**9 of three, 2**14 of four, 2**19 of five.
    for length in (15, 16, 511, 512, 2**14 - 1, 2**14, 2**19 - 1, 2**19):
        mask = np.zeros((length + 3, 2), np.bool_)
        mask[:length, 0] = True
        mask[5, 1] = True
        assert_same(mask)
        assert np.array_equal(decode_rle(runs_of(mask).rle()), mask)
