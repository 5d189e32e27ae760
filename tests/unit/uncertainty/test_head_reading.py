import numpy as np
import pytest
from heads import calibration_of, info_of

from suresam.errors import CheckpointError
from suresam.uncertainty.calibration import Curve, Reading
from suresam.uncertainty.head_reading import HeadReading

OF = {"s": "iou_s", "m": "iou_m", "l": "iou_l"}
# iou_s, iou_m, iou_l, iou_dense_prompt, iou_unsupervised, model_gap, prompt_gap, task_gap
VALUES = np.array([[0.5, 0.6, 0.8, 0.9, 0.3, 0.25, 0.125, 0.0625]]) - 0.1 * np.arange(4)[:, None]
DECODER = {
    "predicted_iou": np.array([0.2, 0.4, 0.6, 0.8]),
    "entropy": np.full(4, 0.1),
    "area": np.full(4, 0.1),
    "agreement": np.full(6, 0.5),
}


def read(model: str, largest: str, kind: str = "one_click", targets: str = "best_mask"):
    """The scores of token 0's mask."""
    reading = HeadReading(info_of(models=OF, targets=targets), model, largest)
    [scores] = reading.read(VALUES, DECODER, [0], kind)
    return scores


def test_gaps_are_the_direct_heads_and_derived_ones_stand_beside_them():
    scores = read("s", "l")
    assert (scores.model_gap, scores.prompt_gap, scores.task_gap) == (0.25, 0.125, 0.0625)
    assert {k: v for k, v in scores.values.items() if k.endswith("_derived")} == pytest.approx(
        {"model_gap_derived": 0.3, "prompt_gap_derived": 0.4, "task_gap_derived": 0.2}
    )
    assert list(scores.values.values())[:8] == VALUES[0].tolist()


def test_every_mask_has_the_scores_of_its_own_token():
    reading = HeadReading(info_of(models=OF), "s", "l")
    masks = reading.read(VALUES, DECODER, [1, 2, 3], "box")
    assert [scores.values["iou_s"] for scores in masks] == pytest.approx([0.4, 0.3, 0.2])
    assert [scores.prompt_gap for scores in masks] == pytest.approx([0.025, -0.075, -0.175])
    # Of heads that learned every mask for itself, the best of the three minus this one.
    derived = [scores.values["task_gap_derived"] for scores in masks]
    assert derived == pytest.approx([0.0, 0.1, 0.2])


def test_derived_gaps_start_from_the_models_own_head():
    scores = read("m", "l")
    assert scores.values["model_gap_derived"] == pytest.approx(0.2)
    assert scores.values["prompt_gap_derived"] == pytest.approx(0.3)
    assert scores.values["task_gap_derived"] == pytest.approx(0.3)
    assert read("m", "l", targets="every_mask").values["task_gap_derived"] == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("model", "largest", "direct", "derived"),
    [
        ("s", "l", 0.25, 0.3),
        ("m", "l", None, 0.2),
        ("s", "m", None, 0.1),
        ("l", "l", None, None),
        ("s", "s", None, None),
        ("s", "unknown", None, None),
    ],
)
def test_the_model_gap_is_told_for_the_pair_that_it_was_trained_on(model, largest, direct, derived):
    scores = read(model, largest)
    assert scores.model_gap == direct
    assert scores.values.get("model_gap_derived") == (derived and pytest.approx(derived))


def test_prompts_of_other_kinds_are_out_of_the_regime():
    kinds = ("one_click", "clicks", "box", "box_and_clicks", "mask_input")
    assert [read("s", "l", kind).in_regime for kind in kinds] == [True, False, True, False, False]


def test_heads_of_another_family_are_refused():
    with pytest.raises(CheckpointError, match="not for demo-small: they know s, m, l"):
        HeadReading(info_of(models=OF), "demo-small", "l")


def test_a_calibration_tells_what_scores_are_worth():
    calibration = calibration_of("s", "l")
    reading = HeadReading(info_of(models=OF), "s", "l", calibration)
    first, last = reading.read(VALUES, DECODER, [0, 3], "one_click")
    # Combined: own head 0.5 and half of the predicted IoU 0.2, over 1.5, from 0.1 to 0.9.
    assert first.expected_iou == pytest.approx(0.1 + 0.8 * 0.6 / 1.5)
    assert first.expected_iou_interval == pytest.approx((0.42 - 0.2, 0.42 + 0.3))
    assert last.expected_iou == pytest.approx(0.1 + 0.8 * 0.6 / 1.5)
    assert first.model_gap == pytest.approx(0.125)
    assert first.prompt_gap == pytest.approx(0.2)  # of the derived head, as it proved better
    assert first.task_gap is None  # nothing was fitted for it
    assert first.values["task_gap"] == 0.0625
    assert first.calibration == "fitted"


def test_a_calibrated_model_gap_is_told_where_the_direct_one_would_be():
    calibration = calibration_of("s", "m", "l")
    for model, largest, gap in (("s", "l", 0.125), ("l", "l", None), ("m", "l", None)):
        reading = HeadReading(info_of(models=OF), model, largest, calibration)
        [scores] = reading.read(VALUES, DECODER, [0], "one_click")
        assert scores.model_gap == (gap and pytest.approx(gap))


def test_a_member_between_is_expected_to_gain_its_part_of_the_largest_ones_gain():
    calibration = calibration_of("s", "m", "l")
    reading = HeadReading(info_of(models=OF), "s", "l", calibration, ["m"])
    [scores] = reading.read(VALUES, DECODER, [0], "one_click")
    # Its head says 0.6 where the model's own says 0.5 and the largest one's 0.8.
    assert scores.gain_by_member == pytest.approx({"m": 0.125 / 3, "l": 0.125})
    assert list(scores.gain_by_member) == ["m", "l"]


def test_without_a_calibration_no_member_is_expected_to_gain_anything():
    reading = HeadReading(info_of(models=OF), "s", "l", None, ["m"])
    [scores] = reading.read(VALUES, DECODER, [0], "one_click")
    assert scores.model_gap == 0.25
    assert scores.gain_by_member == {}


def test_a_calibration_of_other_members_is_refused():
    with pytest.raises(CheckpointError, match="fitted is not for s: it knows l"):
        HeadReading(info_of(models=OF), "s", "l", calibration_of("l"))


def test_a_calibration_that_reads_what_nobody_tells_is_refused_at_start():
    for weights, gain, message in (
        ({"iou_s": 1.0, "sharpness": 0.5}, "task_gap", "do not have: sharpness"),
        ({"iou_s": 1.0}, "data_gap", "unknown gains: data_gap"),
    ):
        calibration = calibration_of("s", "l")
        calibration.members["s"].other.gains[gain] = Reading(weights, Curve((0.0,), (0.0,)))
        with pytest.raises(CheckpointError, match=message):
            HeadReading(info_of(models=OF), "s", "l", calibration)
