from prometheus_client import Metric

from suresam.telemetry import Telemetry, add_up

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
    "uncertainty_score",
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


def of(name: str, metrics: tuple[Metric, ...]) -> list[float]:
    return [sample.value for m in metrics for sample in m.samples if sample.name == name]


def test_what_two_processes_say_of_one_device_is_not_added_up():
    one, other = Telemetry(), Telemetry()
    for telemetry, age_s, depth in ((one, 2.0, 3), (other, 5.0, 4)):
        telemetry.queue_age_seconds.labels("decode", "cpu").set(age_s)
        telemetry.device_memory_bytes.labels("cpu", "free").set(7)
        telemetry.queue_depth.labels("decode", "small").set(depth)
    both = add_up([*one.registry.collect(), *other.registry.collect()])
    assert of("suresam_queue_age_seconds", both) == [5.0]
    assert of("suresam_device_memory_bytes", both) == [7.0]
    assert of("suresam_queue_depth", both) == [7.0]


def test_processes_of_one_kind_are_added_up_and_told_from_the_others():
    server, *engines = telemetries = [Telemetry() for _ in range(3)]
    server.watch_process()
    for engine in engines:
        engine.watch_process("suresam_engine")
    metrics = add_up(m for telemetry in telemetries for m in telemetry.registry.collect())
    [own_bytes] = of("process_resident_memory_bytes", metrics)
    [engines_bytes] = of("suresam_engine_process_resident_memory_bytes", metrics)
    assert 1.5 * own_bytes < engines_bytes < 2.5 * own_bytes  # they are all this very process
    [started] = of("process_start_time_seconds", metrics)  # of either engine
    assert of("suresam_engine_process_start_time_seconds", metrics) == [started]
