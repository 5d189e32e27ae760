from dataclasses import replace

import numpy as np
import pytest

from suresam.evaluation.figures import CANDIDATES_TOGETHER, clicks_needed, compute_figures
from suresam.evaluation.measuring import Measurements, TargetRecord
from suresam.evaluation.questions import CANDIDATES, CLICKS, QUESTIONS


def scores(ious: list[float], predicted: float | list[float] = 0.5) -> np.ndarray:
    columns = np.broadcast_arrays(ious, 0.1, predicted)
    return np.stack(columns, axis=1).astype(np.float64)


def measurements(**models: dict[str, np.ndarray]) -> Measurements:
    """Three targets of two pictures; what a model's figures do not say is IoU 0.5."""
    shares = (0.01, 0.03, 0.5)
    records = [
        TargetRecord("ab"[i // 2], i, 0, share, (0, 0), (0, 0, 1, 1))
        for i, share in enumerate(shares)
    ]
    even = {name: scores([0.5] * 3) for name in (*QUESTIONS, *CANDIDATES)}
    asked = {name: even | own for name, own in models.items()}
    baselines = {"filled_box": scores([0.1, 0.2, 0.6]), "grabcut": scores([0.1, np.nan, 0.3])}
    return Measurements(records, asked, baselines, {}, {})


def test_means_are_over_targets_and_differences_are_paired():
    small, large = {"box": scores([0.1, 0.2, 0.9])}, {"box": scores([0.3, 0.3, 0.9])}
    figures = compute_figures(measurements(small=small, large=large))
    assert figures.find("small", "box").value == pytest.approx(0.4)
    assert figures.find("large", "box").value == pytest.approx(0.5)
    gain = figures.find("large - small", "box")
    assert gain.value == pytest.approx(0.1)
    # By picture: one gains 0.15 on average, the other nothing.
    assert (gain.low, gain.high) == pytest.approx((0.0, 0.15))
    assert figures.find("large", "box", "boundary_f").value == pytest.approx(0.1)
    assert figures.find("filled_box", "filled_box").value == pytest.approx(0.3)
    grabcut = figures.find("grabcut", "grabcut")
    assert (grabcut.value, grabcut.num_targets) == (pytest.approx(0.2), 2)


def test_boxes_are_also_judged_where_grabcut_was():
    figures = compute_figures(measurements(one={"box": scores([0.1, 0.2, 0.9])}))
    beside = figures.find("one", "box", "iou_where_grabcut")
    assert (beside.value, beside.num_targets) == (pytest.approx(0.5), 2)
    assert figures.find("one", "box", "boundary_f_where_grabcut").value == pytest.approx(0.1)
    # Of the one target of 3 to 10 % GrabCut was not asked.
    assert figures.find("one", "box", "iou_where_grabcut", "3 to 10 %") is None
    without = measurements(one={})
    without.baselines.clear()
    assert compute_figures(without).find("one", "box", "iou_where_grabcut") is None


def test_sizes_hold_their_lower_end():
    figures = compute_figures(measurements(one={"box": scores([0.1, 0.2, 0.9])}))
    by_size = {
        size: figures.find("one", "box", size=size)
        for size in ("under 3 %", "3 to 10 %", "10 to 30 %", "over 30 %")
    }
    assert [found and found.value for found in by_size.values()] == pytest.approx(
        [0.1, 0.2, None, 0.9]
    )


def test_clicks_to_eighty_percent_count_seven_where_six_do_not_reach_it():
    rising = [[0.8, 0.1, 0.1], [0.1, 0.7, 0.1], [0.9, 0.85, 0.1], [0.9, 0.7, 0.1]]
    asked = {q: scores(ious) for q, ious in zip(CLICKS[:4], rising, strict=True)}
    asked |= {q: scores([0.9, 0.9, 0.79]) for q in CLICKS[4:]}
    assert clicks_needed(asked).tolist() == [1, 3, 7]
    figures = compute_figures(measurements(one=asked))
    assert figures.find("one", "clicks", "clicks_to_iou_0.8").value == pytest.approx(11 / 3)
    assert figures.find("one", "clicks", "reached_iou_0.8").value == pytest.approx(2 / 3)


def test_clicks_rise_only_if_every_one_raises_the_mean():
    values = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    rising = {q: scores([v] * 3) for q, v in zip(CLICKS, values, strict=True)}
    stalling = rising | {"five_clicks": scores([0.6] * 3)}
    figures = compute_figures(measurements(rising=rising, stalling=stalling))
    assert figures.rises_with_clicks("rising")
    assert not figures.rises_with_clicks("stalling")


def test_predicted_iou_is_compared_with_the_true_one():
    box = scores([0.2, 0.4, 0.9], [0.4, 0.5, 0.9])
    candidates = {name: scores([0.5] * 3, 0.5 + i / 10) for i, name in enumerate(CANDIDATES)}
    figures = compute_figures(measurements(one={"box": box, **candidates}))
    assert figures.find("one", "box", "mean_absolute_error").value == pytest.approx(0.1)
    assert figures.find("one", "box", "mean_signed_error").value == pytest.approx(0.1)
    assert figures.find("one", "box", "spearman").value == pytest.approx(1)
    together = figures.find("one", CANDIDATES_TOGETHER, "mean_signed_error")
    assert (together.value, together.num_targets) == (pytest.approx(0.1), 9)


def test_frames_of_one_video_are_resampled_as_one():
    measured = measurements(small={"box": scores([0.1, 0.2, 0.9])})
    measured.targets[:] = [replace(target, origin="video") for target in measured.targets]
    box = compute_figures(measured).find("small", "box")
    assert np.isnan([box.low, box.high]).all()
