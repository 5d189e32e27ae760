import io

import pytest
from PIL import Image

from suresam.benchmarks.serve.pictures import Pictures, parse_sizes
from suresam.errors import ConfigurationError

SIZES = ((64, 48), (50, 80))


def test_every_picture_has_its_own_bytes_and_the_sizes_take_turns():
    pictures = Pictures(SIZES, seed=0)
    made = [pictures.another() for _ in range(10)]
    assert len({picture.data for picture in made}) == 10
    for index, picture in enumerate(made):
        with Image.open(io.BytesIO(picture.data)) as image:
            image.load()
            assert image.size == (picture.width, picture.height) == SIZES[index % 2]


def test_a_second_run_repeats_no_bytes():
    first, second = (Pictures(SIZES, seed=0).another() for _ in range(2))
    assert first.data != second.data


def test_sizes_are_read():
    assert parse_sizes("640x480,20x1000") == ((640, 480), (20, 1000))
    for text in ("", "640", "0x5", "640x480,", "axb", "1x2x3"):
        with pytest.raises(ConfigurationError, match="--sizes"):
            parse_sizes(text)
