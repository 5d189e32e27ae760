"""Figures of the tables on clicks whose answer is known by construction."""

import numpy as np
import pytest

from suresam.evaluation.usam.cases import Clicks
from suresam.evaluation.usam.correlations import correlate, format_correlations
from suresam.evaluation.usam.tables import format_tables, judge

N = 120


@pytest.fixture(scope="module")
def clicks():
    """Delta* knows the gain of the large member, SamScore its opposite, Entropy nothing."""
    rng = np.random.default_rng(0)
    iou = rng.uniform(0.2, 0.8, (N, 2, 4))
    predicted = np.zeros((N, 2, 4))
    predicted[..., 2] = 0.5  # token 2 answers
    gain = iou[:, 1, 2] - iou[:, 0, 2]
    predicted[:, 0, 2] += 0.1 * gain
    gaps = {name: np.zeros((N, 4)) for name in ("prompt_gap", "task_gap")}
    gaps |= {f"{name}_derived": rng.normal(size=(N, 4)) for name in ("prompt_gap", "task_gap")}
    gaps |= {"model_gap": np.repeat(gain[:, None], 4, 1), "model_gap_derived": np.zeros((N, 4))}
    heads = [{"iou_s": iou[:, 0], "iou_l": iou[:, 1], **gaps}] * 2
    observed = {
        "picture": np.arange(N) // 2,
        "iou": iou,
        "predicted_iou": predicted,
        "entropy": np.full((N, 2, 4), 0.5),
        "dense_iou": iou + 0.1,
        "dense_single_token": np.full((N, 2), 2),
        "h_task": rng.random((N, 2)),
        "h_prompt": rng.random((N, 2, 2)),
        "h_model": rng.random((N, 2)),
        "h_all": rng.random(N),
    }
    return Clicks(observed, heads, [{}, {}], ["iou_s", "iou_l"])


def test_who_knows_the_gain_is_at_100_and_who_knows_nothing_at_50(clicks):
    rows, ends = judge(clicks, ["s", "l"])
    found = {(r.table, r.view, r.member, r.measure, r.against): r.estimate for r in rows}
    assert found["model", "known", "s", "delta_star", None].value == pytest.approx(1.0)
    assert found["model", "known", "s", "sam_score", None].value == pytest.approx(0.0)
    assert found["model", "known", "s", "entropy", None].value == pytest.approx(0.5)
    assert found["model", "known", "s", "delta", None].value == pytest.approx(0.5)
    by_chance = found["model", "known", "s", "h_theta", None]
    assert by_chance.low < 0.5 < by_chance.high
    assert by_chance.num_images == N // 2
    difference = found["model", "known", "s", "delta_star", "entropy"]
    assert difference.value == pytest.approx(0.5)
    assert difference.low == pytest.approx(0.5)
    # Eight clicks add exactly 0.1 everywhere: there is no order to find.
    assert np.isnan(found["prompt", "known", "s", "delta_star", None].value)
    by_place = {(end.table, end.view, end.member): end for end in ends}
    prompt = by_place["prompt", "known", "l"]
    assert prompt.expensive.value - prompt.cheap.value == pytest.approx(0.1)


def test_the_text_has_a_block_for_each_table_and_view(clicks):
    text = format_tables(*judge(clicks, ["s", "l"]))
    assert text.count("mean IoU, cheap") == 6
    lines = [line.split() for line in text.splitlines()]
    assert ["Delta*", "100.0", "[100.0,", "100.0]"] in lines
    assert ["Delta*", "-", "Entropy", "50.0", "[50.0,", "50.0]"] in lines


def test_correlations_by_numpy(clicks):
    rows = correlate(clicks, ["s", "l"], "known", 0)
    value = {(row.first, row.second): row.estimate.value for row in rows}
    assert value["IoU_GT", "IoU_GT"] == pytest.approx(1)
    assert value["IoU_GT", "USAM"] == pytest.approx(1)  # the own head knows it here
    iou = clicks.observed["iou"]
    expected = np.corrcoef(iou[:, 0, 2], iou[:, 1, 2] - iou[:, 0, 2])[0, 1]
    assert value["IoU_GT", "D*_Theta"] == pytest.approx(expected)
    assert np.isnan(value["H_Std", "H_Std"])  # it never changes
    of_large = {row.first for row in correlate(clicks, ["s", "l"], "known", 1)}
    assert "H_Theta" in of_large
    assert "D*_Theta" not in of_large  # nothing is larger
    assert format_correlations(rows).splitlines()[1].startswith("IoU_GT")
