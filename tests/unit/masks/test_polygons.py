"""Outlines: filling them again must give back the very mask."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco

from suresam.domain import Rle
from suresam.masks.polygons import encode_polygons
from suresam.masks.rle import decode_rle

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=10))


def fill(polygons, shape):
    """Even-odd fill by pixel centres: every vertical edge flips all pixels to its right."""
    filled = np.zeros(shape, bool)
    for rings in polygons:
        for ring in rings:
            for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
                assert (x0 == x1) != (y0 == y1), "every edge lies along one axis"
                top, bottom = sorted((int(y0), int(y1)))
                filled[top:bottom, int(x0) :] ^= x0 == x1
    return filled


def signed_area(ring):
    x, y = np.array(ring).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2


@settings(deadline=None, max_examples=300)
@given(masks)
def test_filling_the_outlines_gives_back_the_mask(mask):
    assert np.array_equal(fill(encode_polygons(mask), mask.shape), mask)


@settings(deadline=None)
@given(masks)
def test_exteriors_and_holes_turn_opposite_ways_and_their_areas_add_up(mask):
    polygons = encode_polygons(mask)
    for exterior, *holes in polygons:
        assert signed_area(exterior) > 0
        assert all(signed_area(hole) < 0 for hole in holes)
    assert sum(signed_area(ring) for rings in polygons for ring in rings) == mask.sum()


@settings(deadline=None)
@given(masks)
def test_there_is_one_polygon_for_each_edge_connected_region(mask):
    num_labels, _ = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    assert len(encode_polygons(mask)) == num_labels - 1


def test_an_empty_mask_has_no_polygons():
    assert encode_polygons(np.zeros((3, 4), bool)) == ()


def test_a_single_pixel_is_a_unit_square():
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True
    assert encode_polygons(mask) == ((((2.0, 1.0), (3.0, 1.0), (3.0, 2.0), (2.0, 2.0)),),)


def test_a_full_mask_is_the_image_border():
    [[ring]] = encode_polygons(np.ones((3, 4), bool))
    assert ring == ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0))


@pytest.mark.parametrize("mask", [np.eye(2, dtype=bool), np.eye(2, dtype=bool)[::-1]])
def test_pixels_that_touch_diagonally_are_two_squares_sharing_a_corner(mask):
    first, second = encode_polygons(mask)
    assert len(first) == len(second) == 1
    assert set(first[0]) & set(second[0]) == {(1.0, 1.0)}


def test_an_island_in_a_hole_is_a_polygon_of_its_own():
    mask = np.ones((5, 5), bool)
    mask[1:4, 1:4] = False
    mask[2, 2] = True
    outer, inner = encode_polygons(mask)
    assert [len(ring) for ring in outer] == [4, 4]
    assert inner == (((2.0, 2.0), (3.0, 2.0), (3.0, 3.0), (2.0, 3.0)),)


def test_pycocotools_fills_the_outline_of_a_disc_to_the_same_mask():
    mask = cv2.circle(np.zeros((90, 70), np.uint8), (33, 41), 25, 1, -1).astype(bool)
    [[ring]] = encode_polygons(mask)
    flat = [value for corner in ring for value in corner]
    [rle] = coco.frPyObjects([flat], 90, 70)
    assert np.array_equal(decode_rle(Rle((90, 70), rle["counts"].decode())), mask)
