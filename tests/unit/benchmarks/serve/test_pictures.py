import io

import pytest
from PIL import Image

from suresam.benchmarks.serve.aim import Aim
from suresam.benchmarks.serve.pictures import Picture, PicturePile, Pictures, parse_sizes
from suresam.domain import Point, Rle
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


def test_a_click_falls_where_it_was_drawn():
    assert Picture(200, 100, b"").aim(0.25, 0.5) == Aim(Point(50, 50))


def test_where_meanings_are_known_the_place_draws_one_of_them():
    aims = tuple(Aim(Point(x, 0), Rle((4, 4), "x"), scene=7) for x in range(3))
    picture = Picture(4, 4, b"\xff\xd8rest", aims)
    drawn = [picture.aim(place / 1000, 0.5) for place in range(100, 900)]
    assert {drawn.count(aim) > 200 for aim in aims} == {True}
    assert PicturePile([picture]).another().aims == aims
