import numpy as np
import pytest

from suresam.domain import ImageSize
from suresam.uncertainty.next_click import next_click

SIZE = ImageSize(640, 480)
NOBODY = np.zeros((0, 2), np.float32)


def logits_of(*boxes):
    """(K, 64, 64): +6 inside each box x1, y1, x2, y2 of low-res pixels, else -6."""
    maps = np.full((len(boxes), 64, 64), -6.0, np.float32)
    for logits, (x1, y1, x2, y2) in zip(maps, boxes, strict=True):
        logits[y1:y2, x1:x2] = 6.0
    return maps


def click(maps, answer, weights=(1, 1, 1), clicks=NOBODY, size=SIZE):
    return next_click(maps, np.array(weights, float), maps[answer], clicks, size)


def test_it_lies_in_the_middle_of_what_the_candidates_disagree_about():
    # Two see a door of 20 x 40 that the answer leaves out.
    maps = logits_of((4, 4, 24, 44), (4, 4, 44, 44), (4, 4, 44, 44))
    advised = click(maps, answer=0)
    x, y = advised.point.x / 10, advised.point.y / 7.5
    assert 24 + 8 < x < 44 - 8
    assert 4 + 8 < y < 44 - 8
    assert advised.label == 1


def test_the_label_is_what_most_of_the_weight_says():
    maps = logits_of((4, 4, 44, 44), (4, 4, 24, 44), (4, 4, 24, 44))
    advised = click(maps, answer=0)
    assert advised.label == 0  # two of three leave the right half out
    assert 24 < advised.point.x / 10 < 44
    assert click(maps, answer=0, weights=(3, 1, 1)).label == 1


def test_it_prefers_width_to_a_certain_sliver():
    # All of a row of single pixels is in doubt, and a wide patch in half as much.
    maps = logits_of((10, 10, 50, 50), (10, 10, 50, 50), (10, 10, 50, 50))
    maps[:, 5, :] = 0.0
    maps[1:, 20:40, 20:40] = -1.0
    advised = click(maps, answer=0)
    assert 24 < advised.point.x / 10 < 36
    assert 24 < advised.point.y / 7.5 < 36


def test_it_never_lies_on_the_border_of_its_region():
    rng = np.random.default_rng(0)
    for _ in range(50):
        x1, y1 = rng.integers(0, 30, 2)
        width, height = rng.integers(5, 34, 2)
        maps = logits_of((0, 0, 64, 64), (0, 0, 64, 64), (0, 0, 64, 64))
        maps[1:, y1 : y1 + height, x1 : x1 + width] = -6
        point = click(maps, answer=0, size=ImageSize(64, 64)).point
        assert x1 + 1 < point.x < x1 + width - 1
        assert y1 + 1 < point.y < y1 + height - 1


def test_a_place_that_was_clicked_is_not_advised_again():
    maps = logits_of((4, 4, 24, 44), (4, 4, 44, 44), (4, 4, 44, 44))
    first = click(maps, answer=0).point
    taken = np.array([[first.x / SIZE.width, first.y / SIZE.height]], np.float32)
    again = click(maps, answer=0, clicks=taken).point
    assert np.hypot(again.x - first.x, again.y - first.y) > 30


def test_no_click_without_doubt():
    maps = logits_of((4, 4, 44, 44), (4, 4, 44, 44), (4, 4, 44, 44))
    assert click(maps, answer=0) is None


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_extreme_logits_are_certain(value):
    maps = np.full((3, 16, 16), value, np.float32)
    assert click(maps, answer=0) is None


def test_candidates_without_weight_count_alike():
    maps = logits_of((4, 4, 24, 44), (4, 4, 44, 44), (4, 4, 44, 44))
    assert click(maps, answer=0, weights=(0, 0, 0)) == click(maps, answer=0)


def test_points_lie_inside_the_image():
    maps = logits_of((0, 0, 1, 1), (0, 0, 64, 64), (0, 0, 64, 64))
    advised = click(maps, answer=0, size=ImageSize(3, 1))
    assert 0 <= advised.point.x < 3
    assert 0 <= advised.point.y < 1
