import pytest
import torch

from suresam.engine.device_threads import DeviceThreads


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    """A machine of four cores whose torch uses them all, and what it is told to use."""
    told = []
    monkeypatch.setattr("suresam.engine.device_threads.os.cpu_count", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    return told


def launch(threads):
    for stage in ("decode", "encode"):
        threads.set_for(stage)


def test_decodes_leave_a_core_to_the_others_and_encodes_take_all(four_threads):
    launch(DeviceThreads("cpu", None))
    assert four_threads == [3, 4]


def test_the_setting_counts(four_threads):
    launch(DeviceThreads("cpu", 1))
    assert four_threads == [1, 4]


@pytest.mark.parametrize(("cores", "limit", "wanted"), [(1, 1, [1, 1]), (4, 2, [2, 2])])
def test_one_core_and_a_lower_limit_of_torch_are_kept(
    four_threads, monkeypatch, cores, limit, wanted
):
    monkeypatch.setattr("suresam.engine.device_threads.os.cpu_count", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: limit)
    launch(DeviceThreads("cpu", None))
    assert four_threads == wanted


@pytest.mark.parametrize("device", ["cuda:0", "fake"])
def test_other_devices_have_no_threads(four_threads, device):
    launch(DeviceThreads(device, None))
    assert four_threads == []
