"""Small islands go, small holes close, and what counts as connected."""

import numpy as np
import pytest

from suresam.masks.regions import remove_small_regions


def mask_of(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def test_islands_below_the_area_go_and_equal_ones_stay():
    mask = mask_of("#..##", ".....", "..#..")
    assert np.array_equal(remove_small_regions(mask, 2), mask_of("...##", ".....", "....."))


def test_islands_hang_together_by_corners():
    mask = mask_of("#..", ".#.", "..#")
    assert np.array_equal(remove_small_regions(mask, 3), mask)


def test_small_holes_close_and_holes_do_not_hang_together_by_corners():
    mask = mask_of("####", "#.##", "##.#", "####")
    assert remove_small_regions(mask, 2).all()


def test_a_hole_of_the_area_stays():
    mask = mask_of("#####", "#...#", "#####")
    assert np.array_equal(remove_small_regions(mask, 3), mask)
    assert remove_small_regions(mask, 4).all()


def test_background_at_the_border_is_no_hole():
    mask = mask_of(".###", "####", "##.#")
    assert np.array_equal(remove_small_regions(mask, 5), mask)


def test_a_thin_ring_is_kept_by_the_area_it_encloses():
    mask = mask_of("###", "#.#", "###")
    assert remove_small_regions(mask, 9).all()


def test_nothing_is_left_if_every_island_is_small():
    assert not remove_small_regions(mask_of("##", "..", ".#"), 5).any()


@pytest.mark.parametrize("min_area", [0, 1])
def test_areas_of_up_to_one_pixel_change_nothing(min_area):
    mask = mask_of("#.", "..")
    assert remove_small_regions(mask, min_area) is mask


def test_the_given_mask_is_not_changed():
    mask = mask_of("#.##", "....")
    mask.flags.writeable = False
    assert not remove_small_regions(mask, 9).any()
    assert mask.sum() == 3


def test_without_an_area_nobody_looks_at_the_pixels():
    # Masks come with columns contiguous, which OpenCV copies: a millisecond for a click's three.
    unreadable = np.zeros((4, 4), np.bool_).view(_Unreadable)
    assert remove_small_regions(unreadable, 0) is unreadable
    assert remove_small_regions(unreadable, 1) is unreadable


class _Unreadable(np.ndarray):
    def view(self, *_):
        raise AssertionError("the pixels were looked at")
