"""Arrays on the wire: byte order, sizes and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from suresam.wire import float16


@settings(deadline=None)
@given(arrays(np.float16, array_shapes(min_dims=2, max_dims=2)))
def test_every_value_survives_bit_for_bit(values):
    read = float16.from_base64(float16.to_base64(values), values.shape)
    assert read.dtype == np.float16
    assert read.tobytes() == values.tobytes()


def test_bytes_are_little_endian_and_row_by_row():
    # float16: 1 is 0x3c00, 2 is 0x4000, -2 is 0xc000.
    values = np.asfortranarray([[1.0, 2.0], [-2.0, 0.0]])
    assert float16.to_bytes(values) == bytes.fromhex("003c 0040 00c0 0000")


def test_values_beyond_the_range_become_infinite_without_a_warning():
    assert float16.from_bytes(float16.to_bytes(np.array([[1e6]])), (1, 1)) == np.inf


def test_the_largest_array_is_read_and_one_more_row_is_not():
    data = bytes(2 * 1024 * 1024)
    assert float16.from_bytes(data, (1024, 1024)).shape == (1024, 1024)
    with pytest.raises(ValueError, match=r"shape \[1025, 1024\].* at most 1048576 values"):
        float16.from_bytes(data, (1025, 1024))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (-1, -4)])
def test_sides_below_one_are_refused(shape):
    with pytest.raises(ValueError, match="sides must be at least 1"):
        float16.from_bytes(b"", shape)


@pytest.mark.parametrize("num_bytes", [0, 7, 9])
def test_another_length_is_refused_with_expected_and_actual_bytes(num_bytes):
    message = rf"has {num_bytes} bytes; shape \[2, 2\] of float16 takes 8 bytes"
    with pytest.raises(ValueError, match=message):
        float16.from_bytes(bytes(num_bytes), (2, 2))


@pytest.mark.parametrize(
    "text", ["AAAAAAAAAA=", "AAAA\nAAAAAAA=", "AAAA AAAAAAA=", "-_AAAAAAAAA=", "é"]
)
def test_anything_but_strict_base64_is_refused(text):
    with pytest.raises(ValueError, match="not base64"):
        float16.from_base64(text, (2, 2))
