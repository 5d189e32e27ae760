import numpy as np
import pytest

from suresam.routing.matching import match_masks


def packed(*rows):
    return np.packbits(np.array(rows, np.uint8), axis=1)


LEFT = [1] * 8 + [0] * 8
RIGHT = [0] * 8 + [1] * 8
MIDDLE = [0] * 4 + [1] * 8 + [0] * 4


def test_masks_in_another_order_are_put_back():
    assert match_masks(packed(LEFT, RIGHT, MIDDLE), packed(MIDDLE, LEFT, RIGHT)) == (1, 2, 0)


def test_the_sum_decides_and_not_whoever_comes_first():
    """LEFT would take its best partner, MIDDLE, whom nobody but MIDDLE's own twin needs."""
    nearly_left = [0] * 2 + [1] * 8 + [0] * 6
    order = match_masks(packed(LEFT, MIDDLE), packed(nearly_left, LEFT))
    # LEFT-LEFT 1 + MIDDLE-nearly 10 / 10.. is more than LEFT-nearly 0.6 + MIDDLE-LEFT 1 / 3.
    assert order == (1, 0)


def test_equal_masks_stay_as_they_are():
    assert match_masks(packed(LEFT, LEFT, LEFT), packed(LEFT, LEFT, LEFT)) == (0, 1, 2)


def test_empty_masks_are_each_others_partners():
    empty = [0] * 16
    assert match_masks(packed(empty, LEFT), packed(LEFT, empty)) == (1, 0)


def test_one_mask_has_one_partner():
    assert match_masks(packed(LEFT), packed(RIGHT)) == (0,)


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_what_the_hungarian_method_finds(seed):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(seed)
    masks, others = rng.integers(0, 2, (2, 4, 64))
    ious = [[(m & o).sum() / (m | o).sum() for o in others] for m in masks]
    _, best = optimize.linear_sum_assignment(ious, maximize=True)
    assert match_masks(packed(*masks), packed(*others)) == tuple(best)
