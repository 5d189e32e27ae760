import numpy as np
from unit.evaluation.conftest import rectangle

from suresam.evaluation.overlap import intersection_over_union


def test_overlap_by_hand():
    # 4 x 10 pixels each, 2 x 10 of them shared: 20 of 60.
    one, other = rectangle(0, 0, 4, 10), rectangle(2, 0, 6, 10)
    assert intersection_over_union(one, other) == 20 / 60


def test_two_empty_masks_agree():
    empty = np.zeros((4, 4), bool)
    assert intersection_over_union(empty, empty) == 1.0
    assert intersection_over_union(~empty, empty) == 0.0
