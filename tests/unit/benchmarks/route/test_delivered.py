"""What came back, added up by hand."""

import numpy as np
import pytest

from suresam.benchmarks.route.clicks import routed_clicks
from suresam.benchmarks.route.delivered import add, deliver, errors_of
from suresam.benchmarks.route.report import added_table, delivered_table, reason_table, verdict
from suresam.benchmarks.serve.aim import Aim
from suresam.benchmarks.serve.exchange import Exchange, Receipt
from suresam.domain import Point
from suresam.masks.rle import encode_rle

LEFT, ALL = np.zeros((2, 4), bool), np.ones((2, 4), bool)
LEFT[:, :2] = True
TRUTH = encode_rle(ALL)
KEPT = Receipt("demo-small", False, "gain_below_threshold", 10.0)
BUSY = Receipt("demo-small", False, "overload", 10.0)
ASKED = Receipt("demo-large", True, "expected_gain", 100.0)
SMALL = Receipt("demo-small", False, "requested", 10.0)


def click(at_s=0.0, took_ms=100.0, receipt=KEPT, mask=ALL, code="ok", scene=0):
    """A click on all of a picture, answered with a mask."""
    aim = Aim(Point(1, 1), TRUTH, scene)
    answer = None if mask is None else encode_rle(mask)
    done_s = at_s + took_ms / 1000
    return Exchange("click", at_s, at_s, done_s, code, receipt=receipt, aim=aim, mask=answer)


def refusal(at_s=0.0, code="overloaded"):
    return click(at_s, 5.0, receipt=None, mask=None, code=code)


def delivered(exchanges, mode="auto", load="2 x", lags_ms=(1.0,), max_lag_ms=20.0):
    clicks = routed_clicks(exchanges, 0)
    return deliver(load, mode, 10.0, 2.0, clicks, ["ok", "overloaded"], lags_ms, max_lag_ms)


def test_a_click_is_worth_its_best_masks_iou_with_what_was_meant():
    upload = Exchange("upload", 0, 0, 1, "ok")
    later, sooner, refused = routed_clicks(
        [refusal(0.3), click(0.2, 80, ASKED, LEFT), upload, click(0.1)], 4
    )[::-1]
    assert [c.intended_s for c in (sooner, refused, later)] == [0.2, 0.1, 0.3]
    assert (sooner.iou, refused.iou, later.iou) == (0.5, 1.0, None)
    assert (sooner.round, sooner.receipt, later.code) == (4, ASKED, "overloaded")
    assert sooner.latency_ms == pytest.approx(80)


def test_a_mask_of_another_size_is_no_answer_to_compare():
    with pytest.raises(ValueError, match=r"\(3, 3\) where the picture has \(2, 4\)"):
        routed_clicks([click(mask=np.ones((3, 3), bool))], 0)


def test_answers_refusals_and_failures_are_counted_apart():
    found = delivered(
        [click(), click(0.1, 300, ASKED), click(0.2, 50, BUSY, LEFT), refusal(0.3),
         refusal(0.4, "generator_timeout"), refusal(0.5, "no_session")]
    )  # fmt: skip
    assert (found.offered, found.answered, found.refused) == (6, 3, 1)
    assert (found.not_sent, found.failed, found.uploads) == (1, 1, {"overloaded": 1})
    assert found.reasons == {"gain_below_threshold": 1, "expected_gain": 1, "overload": 1}
    assert (found.escalated, found.escalated_share) == (1, pytest.approx(1 / 3))
    assert found.latency.p50_ms == pytest.approx(100)
    assert (found.stayed.count, found.larger.p50_ms) == (2, pytest.approx(300))
    assert found.spent_ms == pytest.approx(40)
    assert found.iou.value == pytest.approx(2.5 / 3)


def test_errors_are_told_by_code():
    clicks = routed_clicks([click(), refusal(), refusal(0.1), refusal(0.2, "no_session")], 0)
    assert errors_of(clicks) == {"overloaded": 2, "no_session": 1}


def test_nothing_answered_has_no_mean():
    found = delivered([refusal()], lags_ms=(None,))
    assert (found.escalated_share, found.spent_ms, found.latency.p50_ms) == (None, None, None)
    assert np.isnan(found.iou.value)
    assert not found.is_void


def test_a_round_that_lagged_voids_all():
    assert delivered([click()], lags_ms=(1.0, 25.0)).is_void
    assert delivered([click()], lags_ms=(1.0, 25.0)).lag_p99_ms == 25.0
    assert not delivered([click()], lags_ms=(20.0,)).is_void


def added(small, auto):
    clicks = [routed_clicks(exchanges, 0) for exchanges in (small, auto)]
    return add(delivered(small, "small"), delivered(auto), *clicks)


def test_the_same_clicks_are_compared_pair_by_pair():
    small = [click(0.0, 100, SMALL, LEFT), click(0.1, 100, SMALL, LEFT), click(0.2, 100, SMALL)]
    auto = [click(0.0, 103, KEPT, LEFT), click(0.1, 250, ASKED, ALL), refusal(0.2)]
    found = added(small, auto)
    assert (found.stayed.count, found.stayed.median_ms) == (1, pytest.approx(3))
    assert (found.larger.count, found.larger.median_ms) == (1, pytest.approx(150))
    assert found.p99_ms == pytest.approx(150)
    assert found.spent_ms == pytest.approx(55 - 10)
    assert found.iou.value == pytest.approx(0.75 - 2 / 3)


def test_a_click_on_another_scene_is_no_twin():
    found = added([click(scene=0)], [click(scene=1)])
    assert (found.stayed.count, found.stayed.median_ms) == (0, None)


def test_tables_and_verdict_tell_it():
    small = [click(0.0, 100, SMALL, LEFT, scene=s) for s in range(3)]
    auto = [click(0.0, 90, BUSY, LEFT, scene=0), click(0.0, 120, BUSY, scene=1),
            click(0.0, 300, ASKED, scene=2), refusal()]  # fmt: skip
    overloaded = delivered(auto)
    table = delivered_table([delivered(small, "small"), overloaded])
    assert table[1].split()[:6] == ["small,", "2", "x", "1.5", "1.5", "0"]
    assert table[2].split()[3:9] == ["2.0", "1.5", "1", "0", "0", "33.3%"]
    assert [line.split() for line in reason_table([overloaded])[1:]] == [
        ["overload", "66.7%"],
        ["expected_gain", "33.3%"],
    ]
    assert added_table([added(small, auto)])[-1].split()[:3] == ["mean", "IoU", "+0.333"]
    assert verdict(overloaded) == (
        "at 2 x overload kept 66.7% of the answers with the small member, and 33.3% were escalated"
    )
