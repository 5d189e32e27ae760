import numpy as np

from suresam.evaluation.prompts import (
    central_click,
    choose_targets,
    correction,
    loose_box,
    random_click,
    tight_box,
)


def rectangle(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    mask = np.zeros((20, 20), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def test_central_click_is_farthest_from_the_border():
    assert central_click(rectangle(4, 6, 9, 11)) == (6, 8)


def test_central_click_counts_the_rim_of_the_picture_as_border():
    assert central_click(rectangle(0, 0, 5, 5)) == (2, 2)


def test_tight_box_of_a_full_mask_is_the_picture():
    assert tight_box(np.ones((20, 20), bool)) == (0.0, 0.0, 20.0, 20.0)


def test_random_click_and_loose_box_stay_with_the_mask():
    mask = rectangle(3, 5, 15, 9)
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = random_click(mask, rng)
        assert mask[y, x]
        x1, y1, x2, y2 = loose_box(mask, rng)
        assert abs(x1 - 3) <= 1.2
        assert abs(x2 - 15) <= 1.2
        assert abs(y1 - 5) <= 0.4
        assert abs(y2 - 9) <= 0.4


def test_a_mask_of_one_pixel_can_be_clicked():
    mask = rectangle(7, 8, 8, 9)
    assert random_click(mask, np.random.default_rng(0)) == (7, 8)


def test_correction_adds_what_is_missing_and_removes_what_is_wrong():
    truth = rectangle(2, 2, 18, 12)
    assert correction(rectangle(2, 2, 9, 12), truth) == (13, 6, 1)
    too_much = truth | rectangle(0, 13, 5, 18)
    assert correction(too_much, truth) == (2, 15, 0)
    x, y, label = correction(truth, truth)
    assert truth[y, x]
    assert label == 1


def test_targets_are_drawn_without_repeats_while_there_are_enough():
    area = np.array([100, 1, 400, 900, 100])
    chosen = choose_targets(area, 1000, 4, np.random.default_rng(0))
    assert sorted(chosen.tolist()) == [0, 2, 3, 4]
    more = choose_targets(area, 1000, 6, np.random.default_rng(0))
    assert set(more.tolist()) == {0, 2, 3, 4}
    assert len(more) == 6


def test_a_scene_that_is_all_one_thing_still_gives_a_target():
    assert choose_targets(np.array([1000]), 1000, 2, np.random.default_rng(0)).tolist() == [0, 0]
