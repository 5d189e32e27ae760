import numpy as np
import pytest
from unit.evaluation.conftest import rectangle

from suresam.evaluation import boundary
from suresam.evaluation.boundary import boundary_f

SHAPE = (30, 40)
"""Its diagonal is 50 pixels, so a tolerance of 0.02 is one pixel."""


def half(columns: int) -> np.ndarray:
    return rectangle(0, 0, columns, 30, SHAPE)


def test_a_border_counts_within_the_tolerance_and_not_beyond_it():
    truth = half(20)
    assert boundary_f(half(20), truth, 0.02) == 1.0
    assert boundary_f(half(21), truth, 0.02) == 1.0
    assert boundary_f(half(22), truth, 0.02) == 0.0
    assert boundary_f(half(22), truth, 0.04) == 1.0


def test_precision_and_recall_by_hand():
    # The truth's border is a column of 30 pixels. The answer has it and one 11 columns away: half
    # of the answer's border is right, all of the truth's is found.
    answer = half(20) | rectangle(32, 0, 40, 30, SHAPE)
    assert boundary_f(answer, half(20), 0.02) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert boundary_f(half(20), answer, 0.02) == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_masks_without_a_border_agree_with_each_other_alone():
    empty = np.zeros(SHAPE, bool)
    assert boundary_f(empty, empty) == 1.0
    assert boundary_f(~empty, ~empty) == 1.0
    assert boundary_f(empty, half(20)) == 0.0
    assert boundary_f(half(20), ~empty) == 0.0


@pytest.mark.parametrize("tolerance", [0.02, 0.05, 0.11, 0.2])
def test_growing_by_a_disc_and_measuring_distances_agree(tolerance, monkeypatch):
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 20, (6, 2))
    one, other = half(13).copy(), half(17).copy()
    for x, y in corners:
        one[y : y + 5, x : x + 7] ^= True
        other[y + 2 : y + 5, x + 3 : x + 9] ^= True
    grown = boundary_f(one, other, tolerance)
    monkeypatch.setattr(boundary, "_WIDEST_DISC", 0.0)
    assert boundary_f(one, other, tolerance) == grown
