import numpy as np
from unit.evaluation.conftest import Examples, Scripted, rectangle

from suresam.datasets import Example
from suresam.evaluation.measuring import gather, measure_picture
from suresam.evaluation.pictures import best_median_worst, overlaid
from suresam.evaluation.targets import TargetChoice, chosen_pictures


def test_a_small_picture_keeps_its_shape_and_shows_mask_and_click():
    image = np.zeros((20, 40, 3), np.uint8)
    mask = rectangle(20, 0, 40, 20, (20, 40))
    cell = overlaid(image, mask, (0, 200, 0), (10, 10), "", 80)
    assert cell.shape == (80, 80, 3)
    assert cell[40, 60].tolist() == [0, 90, 0]  # 45 % of the tint
    assert cell[40, 5].tolist() == [0, 0, 0]
    assert (cell[10] == cell[10, 0]).all()  # above the picture
    assert cell[41, 21].tolist() == [230, 0, 0]


def test_best_middle_and_worst_answers_are_shown():
    truths = [rectangle(0, 0, 4 + 2 * i, 10) for i in range(5)]
    data = Examples(
        [Example(str(i), np.full((20, 20, 3), 40 * i, np.uint8), [truths[i]]) for i in range(5)]
    )
    predictor = Scripted([truths[4]] * 3, [0.5] * 3)
    measured = gather(
        measure_picture([predictor], picture, with_baselines=False)
        for picture in chosen_pictures(data, TargetChoice())
    )
    sheet = best_median_worst(data, measured, "scripted", columns=2, side=50)
    width, band = 2 * 54, 30 + 2 * 50 + 4
    assert sheet.shape == (3 * band, width, 3)
    # Grey values tell the pictures: the answer is the last one's truth.
    greys = [
        int(sheet[row * band + 30 + 45, column * 54 + 45, 0]) // 40
        for row in range(3)
        for column in range(2)
    ]
    assert greys == [4, 3, 3, 2, 0, 1]
