import math

import pytest
import torch

from suresam.engine.device_memory import report_memory


def kinds(telemetry):
    [metric] = telemetry.device_memory_bytes.collect()
    return {sample.labels["kind"]: sample.value for sample in metric.samples}


def test_models_on_a_cpu_use_the_machines_memory(telemetry, monkeypatch):
    monkeypatch.setattr("suresam.engine.device_memory.total_host_bytes", lambda: 100)
    free = iter((60, 40))
    monkeypatch.setattr("suresam.engine.device_memory.free_host_bytes", lambda: next(free))
    report_memory(telemetry, "cpu")
    assert kinds(telemetry) == {"total": 100, "free": 60}
    assert kinds(telemetry) == {"total": 100, "free": 40}


def test_a_system_that_tells_nothing_is_told_nothing_of(telemetry, monkeypatch):
    monkeypatch.setattr("suresam.engine.device_memory.total_host_bytes", lambda: None)
    report_memory(telemetry, "cpu")
    assert kinds(telemetry) == {}


def test_a_lost_gpu_takes_no_other_metric_along(telemetry, monkeypatch):
    def fail(device):
        raise RuntimeError("CUDA error: the device is lost")

    monkeypatch.setattr(torch.cuda, "mem_get_info", fail)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 3)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 5)
    report_memory(telemetry, "cuda:0")
    told = kinds(telemetry)
    assert math.isnan(told.pop("total"))
    assert math.isnan(told.pop("free"))
    assert told == {"allocated": 3, "reserved": 5}


@pytest.mark.gpu
def test_a_gpu_tells_of_itself(telemetry):
    held = torch.zeros(2**20, device="cuda:0")
    report_memory(telemetry, "cuda:0")
    told = kinds(telemetry)
    assert held.nbytes <= told["allocated"] <= told["reserved"] <= told["total"] - told["free"]
