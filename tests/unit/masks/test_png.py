"""PNG masks, read again by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from suresam.masks.png import decode_png, encode_png


@pytest.mark.parametrize("order", ["C", "F"])
def test_pillow_reads_an_8_bit_grey_picture_of_0_and_255(order):
    mask = np.array(np.random.default_rng(0).random((7, 5)) < 0.5, order=order)
    picture = Image.open(io.BytesIO(encode_png(mask)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (5, 7))
    assert np.array_equal(np.asarray(picture), mask * 255)


@pytest.mark.parametrize("fill", [False, True])
def test_decoding_gives_back_the_mask(fill):
    mask = np.full((1, 3), fill)
    assert np.array_equal(decode_png(encode_png(mask)), mask)


@pytest.mark.parametrize("data", [b"", b"not a picture"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match=f"{len(data)} bytes are not a PNG mask"):
        decode_png(data)
