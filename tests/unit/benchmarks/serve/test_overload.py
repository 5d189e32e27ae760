import pytest

from suresam.benchmarks.serve.exchange import Exchange
from suresam.benchmarks.serve.load_test import Phase
from suresam.benchmarks.serve.measurements import measure
from suresam.benchmarks.serve.overload import report_overload


def phase(name: str, exchanges: list[Exchange], resident: int | None = None) -> Phase:
    """Two seconds, goal 200 ms."""
    measured = measure(exchanges, 2.0, 200)
    return Phase(name, None, 2.0, measured, None, resident, 1.0, False, exchanges)


def clicks(number: int, took_s: float, code: str = "ok", **more) -> list[Exchange]:
    return [Exchange("click", 0.1, 0.1, 0.1 + took_s, code, **more) for _ in range(number)]


def test_an_overload_is_measured_against_what_went_well_without_it():
    refused = clicks(6, 0.004, "overloaded", has_retry_after=True)
    report = report_overload(
        3.0,
        [
            phase("capacity", clicks(10, 0.15) + clicks(10, 0.3)),
            phase("before", clicks(16, 0.1), resident=100),
            phase(
                "overload", clicks(12, 0.18) + refused + clicks(2, 30.0, "generator_timeout"), 140
            ),
            phase("recovery", clicks(8, 0.09), resident=120),
        ],
    )
    assert report.capacity_per_s == 10.0  # twenty answers in two seconds, however late
    assert report.peak_per_s == 8.0  # sixteen good ones before beat ten of the people
    assert report.goodput_per_s == 6.0
    assert report.goodput_of_peak == pytest.approx(0.75)
    assert (report.refused_share, report.failed_share) == (pytest.approx(0.3), pytest.approx(0.1))
    assert report.refusals.p99_ms == pytest.approx(4.0)
    assert report.retry_after_share == 1.0
    assert (report.resident_before_bytes, report.resident_after_bytes) == (100, 140)
    assert report.resident_recovered_bytes == 120
    assert report.normal_ms == pytest.approx(100)
    assert report.recovery_s == 0.0


def test_uploads_that_are_answered_in_time_count_beside_the_clicks():
    def uploads(number: int, took_s: float) -> list[Exchange]:
        return [Exchange("upload", 0.1, 0.1, 0.1 + took_s, "ok") for _ in range(number)]

    report = report_overload(
        3.0,
        [
            phase("capacity", clicks(10, 0.15) + uploads(2, 0.1)),
            phase("before", clicks(14, 0.1) + uploads(6, 0.1) + uploads(3, 0.3)),
            phase("overload", clicks(8, 0.18) + uploads(10, 0.19) + uploads(5, 0.21)),
            phase("recovery", clicks(8, 0.09)),
        ],
    )
    assert (report.peak_requests_per_s, report.requests_per_s) == (10.0, 9.0)
    assert report.requests_of_peak == pytest.approx(0.9)
    assert report.goodput_of_peak == pytest.approx(4 / 7)


def test_without_refusals_there_is_no_share_of_retry_after():
    good = [phase(name, clicks(2, 0.1)) for name in ("capacity", "before", "overload", "recovery")]
    report = report_overload(2.0, good)
    assert report.retry_after_share is None
    assert report.refusals.count == 0
    assert report.goodput_of_peak == 1.0


def test_latency_that_stays_high_has_not_recovered():
    phases = [
        phase("capacity", clicks(2, 0.1)),
        phase("before", clicks(2, 0.1)),
        phase("overload", clicks(2, 1.0)),
        phase("recovery", clicks(2, 0.8)),
    ]
    assert report_overload(2.0, phases).recovery_s is None
