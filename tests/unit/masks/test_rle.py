"""Run lengths against pycocotools and against masks worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco

from suresam.domain import Rle
from suresam.masks.rle import decode_rle, encode_rle

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12))


@settings(deadline=None)
@given(masks)
def test_decoding_gives_back_the_mask(mask):
    assert np.array_equal(decode_rle(encode_rle(mask)), mask)


def test_runs_go_down_the_columns_and_begin_with_background():
    mask = np.array([[False, True], [False, True], [True, False]])
    # Columns: 0 0 1, 1 1 0: runs of 2, 3, 1.
    runs = coco.frPyObjects({"size": [3, 2], "counts": [2, 3, 1]}, 3, 2)
    assert encode_rle(mask).counts == runs["counts"].decode()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("fill", [False, True])
def test_uniform_masks_survive_in_either_order(order, fill):
    mask = np.full((5, 3), fill, order=order)
    rle = encode_rle(mask)
    assert rle.size == (5, 3)
    assert np.array_equal(decode_rle(rle), mask)


def test_a_view_with_strides_is_encoded_as_what_it_shows():
    mask = np.zeros((6, 8), bool)
    mask[::2, 1::3] = True
    part = mask[::2, ::-1]
    assert np.array_equal(decode_rle(encode_rle(part)), part)


def test_a_mask_in_fortran_order_is_read_where_it_lies(monkeypatch):
    seen = []
    monkeypatch.setattr(coco, "encode", lambda pixels: seen.append(pixels) or {"counts": b"0"})
    mask = np.ones((4, 3), bool, order="F")
    encode_rle(mask)
    assert np.shares_memory(seen[0], mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(deadline=None)
@given(masks)
def test_pycocotools_reads_the_same_mask(mask):
    rle = encode_rle(mask)
    theirs = coco.decode({"size": list(rle.size), "counts": rle.counts.encode()})
    assert np.array_equal(decode_rle(rle), theirs)


def test_long_runs_and_negative_differences_are_read():
    mask = np.zeros((1000, 900), bool)
    mask[10:990, 100] = True
    mask[500, 300] = True
    mask[0, 301:700] = True
    assert np.array_equal(decode_rle(encode_rle(mask)), mask)


@pytest.mark.parametrize("counts", ["P", "0P", "PPPPPPPPP0", "\u00e9", " ", "~"])
def test_damaged_text_is_refused(counts):
    with pytest.raises(ValueError, match="the run lengths are damaged"):
        decode_rle(Rle((3, 4), counts))


@pytest.mark.parametrize("counts", ["", "0", "1", "0000", "=", "00=", "o0"])
def test_runs_that_do_not_fill_the_mask_are_refused(counts):
    with pytest.raises(ValueError, match="do not fill a mask of 3 x 4 pixels"):
        decode_rle(Rle((3, 4), counts))


@settings(deadline=None)
@given(st.text("0123456789:;<=>?@PQRSTUVWXYZ[]^_`abcdefghijklmno", max_size=12))
def test_any_text_decodes_to_a_mask_or_is_refused(counts):
    try:
        mask = decode_rle(Rle((3, 4), counts))
    except ValueError:
        return
    assert mask.shape == (3, 4)
    assert set(np.unique(mask.view(np.uint8))) <= {0, 1}
