import numpy as np
import pytest
from unit.evaluation.conftest import Examples, Scripted, rectangle

from suresam.datasets import Example
from suresam.evaluation.figures import compute_figures
from suresam.evaluation.measuring import BASELINES, gather, measure_picture
from suresam.evaluation.questions import QUESTIONS
from suresam.evaluation.run import Evaluation, flat_figures
from suresam.evaluation.targets import TargetChoice, chosen_pictures

TRUTHS = [rectangle(4, 6, 15, 17), rectangle(0, 0, 8, 8), rectangle(4, 6, 15, 12)]
CHOICE = TargetChoice()


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    image = np.zeros((20, 20, 3), np.uint8)
    data = Examples([Example(str(i), image, [truth]) for i, truth in enumerate(TRUTHS)])
    predictor = Scripted([TRUTHS[0]] * 3, [0.5, 0.6, 0.7])
    measured = gather(
        measure_picture([predictor], picture, grabcut_share=0.0)
        for picture in chosen_pictures(data, CHOICE)
    )
    return Evaluation(data, CHOICE, measured, compute_figures(measured), {})


def test_manifests_keep_means_and_what_one_clicks_score_is_worth(evaluation):
    flat = flat_figures(evaluation, "scripted")
    asked = {*QUESTIONS, *BASELINES} - {"grabcut"}
    assert set(flat) == {
        *asked, *(f"{name}_boundary_f" for name in asked),
        "num_targets", "num_images", "click_top_mean_signed_error",
    }  # fmt: skip
    assert (flat["num_targets"], flat["num_images"]) == (3, 3)
    assert flat["filled_box"] == 1.0
    # The other two share 4 x 2 and 11 x 6 of 121 pixels with the answer.
    ious = [1, 8 / (121 + 64 - 8), 66 / 121]
    assert flat["click_top"] == pytest.approx(np.mean(ious), abs=1e-4)
    assert flat["click_top_mean_signed_error"] == pytest.approx(0.7 - np.mean(ious), abs=1e-4)
