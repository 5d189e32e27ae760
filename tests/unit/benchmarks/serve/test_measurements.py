import pytest

from suresam.benchmarks.serve.exchange import Exchange
from suresam.benchmarks.serve.measurements import Percentiles, measure, percentile, percentiles


def exchange(
    kind: str = "click", took_ms: float = 100, code: str = "ok", waited_ms: float = 0, **more
) -> Exchange:
    """One that was to be sent at 2 s, was sent `waited_ms` later and took `took_ms` from then."""
    sent = 2 + waited_ms / 1000
    return Exchange(kind, 2.0, sent, sent + took_ms / 1000, code, **more)


def test_percentiles_are_values_that_occurred():
    assert [percentile(range(1, 101), p) for p in (50, 95, 99)] == [50, 95, 99]
    assert [percentile([10, 20, 30], p) for p in (50, 95, 99)] == [20, 30, 30]
    assert percentile([7], 50) == 7
    assert percentile([], 50) is None
    assert percentiles([]) == Percentiles(0, None, None, None)


def test_goodput_counts_ok_clicks_within_the_goal_of_all_that_were_offered():
    asked = [
        exchange(took_ms=100),
        exchange(took_ms=200),  # just in time
        exchange(took_ms=201),
        exchange(took_ms=50, code="overloaded"),
        exchange(took_ms=0, code="no_session"),
        exchange("cancelled_click", code="hung_up"),
        exchange("upload"),
    ]
    measured = measure(asked, seconds=4.0, goal_ms=200.0001)
    goodput = measured.goodput
    assert (goodput.offered, goodput.answered, goodput.good) == (5, 3, 2)
    assert goodput.share == pytest.approx(0.4)
    assert goodput.per_s == pytest.approx(0.5)
    assert (measured.no_session, measured.hung_up) == (1, 1)


def test_latency_counts_from_the_intended_time():
    # Sent 900 ms late, because its upload was slow: the visitor waited for a second.
    measured = measure([exchange(took_ms=100, waited_ms=900)], seconds=1.0, goal_ms=500)
    assert measured.clicks.p50_ms == pytest.approx(1000)
    assert measured.goodput.good == 0


def test_kinds_are_kept_apart():
    kinds = {"click": 10, "upload": 20, "one_shot": 30, "slow_upload": 5000}
    measured = measure([exchange(kind, ms) for kind, ms in kinds.items()], 1.0, 100)
    assert measured.clicks.p99_ms == pytest.approx(10)
    assert measured.uploads.p99_ms == pytest.approx(20)
    assert measured.one_shots.p99_ms == pytest.approx(30)
    assert [p.count for p in (measured.clicks, measured.uploads, measured.one_shots)] == [1, 1, 1]


def test_errors_are_counted_by_code_with_the_time_they_took_from_sending():
    asked = [
        *(exchange(took_ms=ms, waited_ms=500, code="overloaded", has_retry_after=ms < 4)
          for ms in (2, 3, 4)),
        exchange("upload", took_ms=9, code="http_502"),
    ]  # fmt: skip
    overloaded, bad_gateway = measure(asked, 1.0, 100).errors
    assert (overloaded.code, overloaded.took.count, overloaded.retry_after) == ("overloaded", 3, 2)
    assert overloaded.took.p50_ms == pytest.approx(3)
    assert overloaded.took.p99_ms == pytest.approx(4)
    assert (bad_gateway.code, bad_gateway.retry_after) == ("http_502", 0)


def test_nothing_asked_is_no_share():
    measured = measure([], 1.0, 100)
    assert measured.goodput.share is None
    assert measured.goodput.per_s == 0
    assert measured.errors == ()
