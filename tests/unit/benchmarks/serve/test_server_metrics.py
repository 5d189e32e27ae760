import pytest

from suresam.benchmarks.serve.server_metrics import difference, read_samples
from suresam.telemetry import Telemetry


def read(telemetry: Telemetry):
    return read_samples(telemetry.exposition().decode())


def test_only_what_happened_in_between_counts():
    telemetry = Telemetry()
    telemetry.batch_size.labels("decode", "small").observe(7)
    telemetry.cache_requests.labels("hit", "device", "small").inc(5)
    before = read(telemetry)
    for rows in (1, 3, 3, 5, 500):
        telemetry.batch_size.labels("decode", "small").observe(rows)
    telemetry.batch_size.labels("decode", "large").observe(4)
    telemetry.batch_size.labels("encode", "small").observe(2)
    telemetry.cache_requests.labels("hit", "device", "small").inc(2)
    telemetry.cache_requests.labels("miss", "device", "large").inc()
    telemetry.rejected.labels("in_flight").inc(3)
    telemetry.cancelled.labels("decode").inc()
    told = difference(before, read(telemetry))
    decode = told.batches["decode"]
    assert (decode.launches, decode.rows) == (6, 516)
    assert decode.mean == pytest.approx(86)
    # 5 falls into the bucket of 5 and 6.
    assert decode.by_size == {"1": 1, "3": 2, "4": 1, "6": 1, "+Inf": 1}
    assert told.batches["encode"].mean == 2
    assert told.cache == {"hit": 2, "miss": 1}
    assert told.rejected == {"in_flight": 3}
    assert told.cancelled == {"decode": 1}


def test_a_quiet_server_did_nothing():
    samples = read(Telemetry())
    told = difference(samples, samples)
    assert (told.batches, told.cache, told.rejected, told.cancelled) == ({}, {}, {}, {})


def test_another_service_has_none_of_our_metrics():
    told = difference({}, read_samples("# TYPE up gauge\nup 1\n"))
    assert told.batches == {}
    with pytest.raises(ValueError, match=r"."):
        read_samples("<html>not metrics</html>")
