import numpy as np
import pytest
from unit.evaluation.conftest import rectangle

from suresam.evaluation import baselines
from suresam.evaluation.baselines import (
    choose_settings,
    discs,
    filled_box,
    flood_fills,
    smoothed,
)
from suresam.evaluation.grabcut import grabcut
from suresam.evaluation.overlap import intersection_over_union


def test_discs_by_hand(monkeypatch):
    # On 5 x 20 pixels, as many as a square of side 10 has, a radius of 0.1 is one pixel.
    monkeypatch.setattr(baselines, "RADII", (0.05, 0.1))
    dot, cross = discs((5, 20), (7, 2))
    assert np.argwhere(dot).tolist() == [[2, 7]]
    assert np.argwhere(cross).tolist() == [[1, 7], [2, 6], [2, 7], [2, 8], [3, 7]]


def test_flood_fill_takes_what_is_connected_and_of_one_colour(monkeypatch):
    monkeypatch.setattr(baselines, "TOLERANCES", (5, 40, 255))
    image = np.full((60, 60, 3), 200, np.uint8)
    image[10:30, 10:30] = (100, 100, 100)
    image[30:50, 10:30] = (100, 120, 100)  # touches it, 20 away in one channel
    image[10:30, 40:55] = (100, 100, 100)  # the same colour elsewhere
    smooth = smoothed(image)
    before = smooth.copy()
    close, wide, everything = flood_fills(smooth, (20, 20))
    # The median rounds the corners off.
    assert intersection_over_union(close, rectangle(10, 10, 30, 30, (60, 60))) > 0.9
    assert intersection_over_union(wide, rectangle(10, 10, 30, 50, (60, 60))) > 0.9
    assert everything.all()
    assert np.array_equal(smooth, before)


def test_a_filled_box_is_the_mask_of_a_rectangle():
    assert np.array_equal(filled_box((20, 20), (3.0, 4.0, 9.0, 11.0)), rectangle(3, 4, 9, 11))


def test_settings_are_chosen_that_serve_best():
    ious = np.array([[0.9, 0.5, 0.1, 0.0], [0.1, 0.5, 0.2, 0.8], [0.0, 0.5, 0.7, 0.1]])
    chosen = choose_settings(ious)
    assert chosen.one == 1
    assert chosen.three == (0, 2, 3)


def test_grabcut_finds_a_thing_of_another_colour_in_its_box():
    rng = np.random.default_rng(0)
    truth = np.hypot(*np.mgrid[-30:50, -40:80]) < 18
    image = rng.integers(0, 40, (80, 120, 3)).astype(np.uint8)
    image[truth] += np.array([180, 60, 20], np.uint8)
    found = grabcut(image, (22.0, 12.0, 59.0, 49.0))
    assert intersection_over_union(found, truth) > 0.95
    assert np.array_equal(found, grabcut(image, (22.0, 12.0, 59.0, 49.0)))


def test_grabcut_of_a_large_picture_is_made_smaller_and_large_again(monkeypatch):
    monkeypatch.setattr("suresam.evaluation.grabcut.LONGEST_SIDE", 60)
    rng = np.random.default_rng(0)
    truth = rectangle(30, 20, 90, 60, (80, 120))
    image = rng.integers(0, 40, (80, 120, 3)).astype(np.uint8)
    image[truth] += np.array([180, 60, 20], np.uint8)
    assert intersection_over_union(grabcut(image, (26.0, 16.0, 94.0, 64.0)), truth) > 0.9


@pytest.mark.parametrize("box", [(0.0, 0.0, 30.0, 20.0), (4.0, 4.0, 6.0, 6.0)])
def test_grabcut_without_an_inside_or_an_outside_is_the_box(box):
    image = np.zeros((20, 30, 3), np.uint8)
    assert np.array_equal(grabcut(image, box), filled_box((20, 30), box))
