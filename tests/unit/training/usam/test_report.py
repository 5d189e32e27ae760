import numpy as np
import pytest

from suresam.evaluation.observations.plan import PROMPTS
from suresam.training.usam.report import format_report, judge_heads

TRUTH = np.array([[[[0.0]]], [[[0.5]]], [[[1.0]]]], np.float32)
SAID = np.array([[[[0.0]]], [[[0.25]]], [[[0.96]]]], np.float32)
BOX = PROMPTS.index("box")


def test_errors_by_hand():
    report = judge_heads(["h"], SAID, TRUTH, np.array([0, BOX, BOX], np.uint8))["h"]
    assert report["all"] == pytest.approx(
        {
            "count": 3, "l1": 0.29 / 3, "mse": (0.0625 + 0.0016) / 3,
            "r2": 1 - (0.0625 + 0.0016) / 0.5,
            "within_0.1": 2 / 3, "within_0.05": 2 / 3, "within_0.01": 1 / 3,
        },
        abs=1e-6,
    )  # fmt: skip
    assert set(report) == {"all", "centre_click", "box"}
    assert report["box"]["count"] == 2
    assert "r2" not in report["centre_click"]  # one target has no spread


def test_what_a_head_cannot_learn_is_left_out():
    truth = TRUTH.copy()
    truth[1:] = np.nan
    report = judge_heads(["h"], SAID, truth, np.array([0, BOX, BOX], np.uint8))["h"]
    assert report["all"]["count"] == 1
    assert set(report) == {"all", "centre_click"}
    assert judge_heads(["h"], SAID, truth * np.nan, np.zeros(3, np.uint8)) == {"h": {}}


def test_the_table_has_a_row_for_each_head():
    report = judge_heads(["h"], SAID, TRUTH, np.array([0, BOX, BOX], np.uint8))
    lines = format_report(report | {"none": {}}).splitlines()
    assert lines[0].split() == [
        "head", "L1", "MSE", "R2", "within", "0.1", "R2", "centre_click", "R2", "box",
    ]  # fmt: skip
    assert lines[1].split()[:5] == ["h", "0.097", "0.0214", "0.87", "67%"]
    assert len(lines) == 2
