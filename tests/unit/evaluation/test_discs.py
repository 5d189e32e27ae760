import numpy as np
import pytest

from suresam.evaluation.discs import disc_figures, disc_ious
from suresam.training import discs


def test_disc_iou_by_hand(monkeypatch):
    # In a picture of 10 px, a radius of 0.1 reaches the four direct neighbours: 5 pixels.
    monkeypatch.setattr(discs, "RADII", np.array([0.05, 0.1]))
    mask = np.zeros((10, 10), bool)
    mask[4:7, 4:7] = True
    ious = disc_ious(mask, (5, 5))
    assert ious.tolist() == pytest.approx([1 / 9, 5 / 9])
    mask[5, 5] = False
    assert disc_ious(mask, (5, 5))[1] == pytest.approx(4 / 9)


def test_figures_choose_the_radii_that_serve_best(monkeypatch):
    monkeypatch.setattr(discs, "RADII", np.array([0.1, 0.2, 0.3, 0.4]))
    ious = np.array([[0.9, 0.5, 0.1, 0.0], [0.1, 0.5, 0.2, 0.8], [0.0, 0.5, 0.7, 0.1]])
    found = disc_figures(ious)
    assert (found.one_radius, found.radius) == (pytest.approx(0.5), 0.2)
    assert found.best_of_three == pytest.approx((0.9 + 0.8 + 0.7) / 3)
    assert found.three_radii == (0.1, 0.3, 0.4)
