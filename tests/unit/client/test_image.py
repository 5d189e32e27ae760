"""What may be handed over as an image, and what is uploaded for it."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from suresam.client.image import image_bytes
from suresam.errors import InvalidImage


def test_bytes_and_files_are_uploaded_as_they_are(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"any bytes")
    assert image_bytes(b"any bytes") == image_bytes(path) == image_bytes(str(path)) == b"any bytes"


def test_a_picture_in_memory_is_uploaded_as_png_without_loss():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    uploaded = Image.open(io.BytesIO(image_bytes(Image.fromarray(pixels))))
    assert uploaded.format == "PNG"
    assert np.array_equal(np.asarray(uploaded), pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F"])
def test_every_mode_can_be_uploaded(mode):
    uploaded = Image.open(io.BytesIO(image_bytes(Image.new(mode, (3, 2)))))
    assert uploaded.size == (3, 2)


def test_an_exif_orientation_stays_behind():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, "JPEG", exif=exif)
    picture = Image.open(file)
    assert picture.getexif()[0x0112] == 6
    uploaded = Image.open(io.BytesIO(image_bytes(picture)))
    assert uploaded.size == (3, 2)
    assert 0x0112 not in uploaded.getexif()


def test_a_missing_file_is_an_invalid_image(tmp_path):
    path = tmp_path / "missing.jpg"
    with pytest.raises(InvalidImage) as caught:
        image_bytes(path)
    assert caught.value.message == f"cannot read {path}: {os.strerror(2)}"
