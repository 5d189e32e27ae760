from suresam.telemetry import Telemetry

CONTRACT = [
    "requests_total",
    "request_seconds",
    "stage_seconds",
    "queue_depth",
    "batch_size",
    "cache_requests_total",
    "cache_bytes",
    "cache_evictions_total",
    "sessions",
    "queue_cost_seconds",
    "route_total",
    "rejected_total",
    "cancelled_total",
    "engine_up",
    "build_info",
]


def test_every_metric_of_the_contract_is_exposed():
    text = Telemetry().exposition().decode()
    declared = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {f"suresam_{name}" for name in CONTRACT} <= declared


def test_two_services_in_one_process_count_apart():
    one, other = Telemetry(), Telemetry()
    one.rejected.labels("in_flight").inc()
    sample = ("suresam_rejected_total", {"reason": "in_flight"})
    assert one.registry.get_sample_value(*sample) == 1
    assert other.registry.get_sample_value(*sample) is None
