"""The annotated picture: what is drawn where, and that extremes draw at all."""

import numpy as np
import pytest

from suresam.domain import Box, Point
from suresam.masks.overlay import draw_overlay


@pytest.fixture
def image():
    image = np.full((700, 900, 3), 128, np.uint8)
    image.flags.writeable = False
    return image


def square(top, left, side):
    mask = np.zeros((700, 900), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_only_the_best_mask_is_filled(image):
    picture = np.asarray(
        draw_overlay(image, [square(100, 100, 200), square(400, 500, 200)], best=1)
    )
    assert np.array_equal(picture[200, 200], image[200, 200])
    assert picture[500, 600, 2] > 150
    assert np.array_equal(picture[650, 50], image[650, 50])


def test_clicks_differ_by_sign_and_colour(image):
    picture = np.asarray(draw_overlay(image, [], [Point(200, 200), Point(600, 200)], [1, 0]))
    plus, minus = picture[190:211, 190:211], picture[190:211, 590:611]
    assert (plus[7, 10] == 255).all(), "the upright of the plus"
    assert not (minus[7, 10] == 255).all()
    assert plus[6, 6, 1] > plus[6, 6, 0], "green"
    assert minus[6, 6, 0] > minus[6, 6, 1], "vermilion"


def test_the_legend_keeps_away_from_the_best_mask(image):
    mask = square(0, 0, 300)
    plain = np.asarray(draw_overlay(image, [mask]))
    labelled = np.asarray(draw_overlay(image, [mask], captions=["0  predicted IoU 0.90"]))
    assert np.array_equal(plain[:300, :300], labelled[:300, :300])
    assert not np.array_equal(plain, labelled)


def test_a_small_image_is_enlarged_by_a_whole_factor():
    image = np.zeros((50, 100, 3), np.uint8)
    mask = np.ones((50, 100), bool)
    picture = draw_overlay(image, [mask], [Point(1, 1)], [1], Box(0, 0, 100, 50), ["x"])
    assert picture.size == (600, 300)


def test_the_given_image_is_not_changed(image):
    draw_overlay(image, [np.asfortranarray(square(0, 0, 50))])
    assert (image == 128).all()


def test_a_single_pixel_with_nothing_to_show_is_drawn():
    assert draw_overlay(np.zeros((1, 1, 3), np.uint8), []).size == (640, 640)


def test_an_advised_click_is_an_empty_ring(image):
    picture = np.asarray(draw_overlay(image, [], advised=Point(400, 300)))
    assert (picture[300, 400] == 128).all(), "what lies under it stays to be seen"
    ring = picture[300, 400 + 8]
    assert (ring == 255).all()
    assert np.array_equal(picture[300, 500], image[300, 500])
