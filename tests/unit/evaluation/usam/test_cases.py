"""Which answers stand against each other, and what is read beforehand, by hand."""

import numpy as np
import pytest
from heads import calibration_of, random_heads

from suresam.evaluation.observations.head_scores import score_observed
from suresam.evaluation.usam.cases import Clicks, cases_of, own_scores, read_clicks
from suresam.evaluation.usam.tables import each_table
from suresam.uncertainty.answer_scores import DECODER
from suresam.uncertainty.calibration import Curve, Reading
from suresam.uncertainty.head_reading import HeadReading

# One click, two members, tokens 0 to 3. Small believes in token 3, and token 2 is best; large
# believes in token 1, and token 3 is best.
OBSERVED = {
    "picture": np.array([7]),
    "iou": np.array([[[0.1, 0.2, 0.6, 0.4], [0.5, 0.7, 0.3, 0.9]]]),
    "predicted_iou": np.array([[[0.9, 0.1, 0.2, 0.3], [0.9, 0.8, 0.1, 0.2]]]),
    "entropy": np.array([[[0.0, 0.01, 0.02, 0.03], [0.0, 0.11, 0.12, 0.13]]]),
    "dense_iou": np.array([[[0.15, 0.3, 0.65, 0.45], [0.55, 0.8, 0.35, 0.95]]]),
    "dense_single_token": np.array([[1, 0]], np.uint8),
    "h_task": np.array([[0.21, 0.22]]),
    "h_prompt": np.array([[[0.31, 0.32], [0.33, 0.34]]]),
    "h_model": np.array([[0.41, 0.42]]),
    "h_all": np.array([0.5]),
}
HEADS = [
    {
        f"{prefix}{name}": np.array([[0.0, 1.0, 2.0, 3.0]]) + 10 * member + offset
        for name, offset in (
            ("iou_t", 0.9), ("iou_l", 0.2), ("iou_s", 0.1), ("model_gap", 0.3), ("prompt_gap", 0.4),
            ("task_gap", 0.5), ("model_gap_derived", 0.6), ("prompt_gap_derived", 0.7),
            ("task_gap_derived", 0.8),
        )
        for prefix in ("",)
    }
    for member in range(2)
]  # fmt: skip
GAINS = [{"task_gap": HEADS[member]["task_gap"] / 10} for member in range(2)]
CLICKS = Clicks(OBSERVED, HEADS, GAINS, ["iou_s", "iou_l"])


@pytest.mark.parametrize(
    ("table", "view", "member", "cheap", "expensive"),
    [
        ("model", "known", 0, 0.4, 0.7),
        ("model", "truth", 0, 0.6, 0.9),
        ("prompt", "known", 0, 0.4, 0.3),
        ("prompt", "known", 1, 0.7, 0.55),
        ("prompt", "truth", 1, 0.9, 0.95),
        ("task", "known", 0, 0.4, 0.6),
        ("task", "truth", 0, 0.4, 0.6),
        ("task", "known", 1, 0.7, 0.9),
    ],
)
def test_the_cheap_and_the_expensive_answer(table, view, member, cheap, expensive):
    cases = cases_of(CLICKS, table, view, member)
    assert cases.cheap == pytest.approx([cheap])
    assert cases.expensive == pytest.approx([expensive])
    assert cases.gain == pytest.approx([expensive - cheap])
    assert cases.picture.tolist() == [7]


def test_scores_are_those_of_the_mask_that_the_view_looks_at():
    known, truth = (cases_of(CLICKS, "prompt", view, 0).scores for view in ("known", "truth"))
    assert {name: float(score[0]) for name, score in known.items()} == pytest.approx(
        {"sam_score": -0.3, "entropy": 0.03, "h_y": 0.5, "h_xp": 0.31, "delta": 3.7,
         "delta_star": 3.4}
    )  # fmt: skip
    assert {name: float(score[0]) for name, score in truth.items()} == pytest.approx(
        {"sam_score": -0.2, "entropy": 0.02, "h_y": 0.5, "h_xp": 0.32, "delta": 2.7,
         "delta_star": 2.4}
    )  # fmt: skip
    assert "h_theta" in cases_of(CLICKS, "model", "known", 0).scores
    task = cases_of(CLICKS, "task", "known", 1).scores
    assert float(task["h_a"][0]) == 0.22
    assert float(task["delta_star"][0]) == pytest.approx(11.5)
    assert float(task["calibrated"][0]) == pytest.approx(1.15)
    assert "calibrated" not in known  # nothing was fitted for the prompt


def test_a_members_own_head_is_its_own():
    for member, token, iou in ((0, 3, 0.4), (1, 1, 0.7)):
        truth, own = own_scores(CLICKS, "known", member)
        assert truth == pytest.approx([iou])
        head = 0.1 if member == 0 else 0.2
        assert own == pytest.approx([10 * member + token + head])
    assert own_scores(Clicks(OBSERVED, [], [], []), "known", 0)[1] is None


def test_without_heads_their_rows_are_missing():
    scores = cases_of(Clicks(OBSERVED, [], [], []), "task", "known", 0).scores
    assert set(scores) == {"sam_score", "entropy", "h_y", "h_a"}


def test_the_model_table_is_seen_from_the_first_member_only():
    seen = [(table, view, member) for table, view, member, _ in each_table(CLICKS, ["s", "l"])]
    assert [place for place in seen if place[0] == "model"] == [
        ("model", "known", 0),
        ("model", "truth", 0),
    ]
    assert len(seen) == 2 + 4 + 4


def test_only_centre_clicks_are_kept():
    prompt = np.array([0, 1, 4, 0], np.uint8)
    clicks = read_clicks({"prompt": prompt, "picture": np.arange(4)}, None, [])
    assert clicks.observed["picture"].tolist() == [0, 3]


def test_calibrated_gains_are_what_the_service_tells():
    rng = np.random.default_rng(0)
    observed = {
        "prompt": np.zeros(3, np.uint8),
        "picture": np.arange(3),
        "iou_token": rng.normal(size=(3, 1, 1)).astype(np.float32),
        "mask_tokens": rng.normal(size=(3, 1, 4, 1)).astype(np.float32),
        "predicted_iou": rng.uniform(size=(3, 1, 4)).astype(np.float32),
        "entropy": rng.uniform(size=(3, 1, 4)).astype(np.float32),
        "area": rng.uniform(size=(3, 1, 4)).astype(np.float32),
        "agreement": rng.uniform(size=(3, 1, 6)).astype(np.float32),
    }
    heads = random_heads()
    calibration = calibration_of("fake-small")
    mix = {"task_gap": 1.0, "agreement_with_next": -0.5, "entropy_of_third": 0.3}
    told = calibration.members["fake-small"].one_click.gains
    told["task_gap"] = Reading(mix, Curve((-1, 1), (-0.5, 0.5)))
    reading = HeadReading(heads.info, "fake-small", "fake-large", calibration)
    [gains] = read_clicks(observed, heads, [reading]).gains
    said = score_observed(heads, observed, 0)
    for row in range(3):
        decoder = {name: observed[name][row, 0] for name in DECODER}
        told = reading.read(said[row], decoder, [0, 1, 2, 3], "one_click")
        assert gains["task_gap"][row].tolist() == pytest.approx([mask.task_gap for mask in told])
        assert gains["model_gap"][row].tolist() == pytest.approx([mask.model_gap for mask in told])
