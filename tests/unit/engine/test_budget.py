import pytest

from suresam.engine.budget import (
    default_cache_bytes,
    default_host_cache_bytes,
    free_host_bytes,
    total_host_bytes,
)

GIB = 2**30


@pytest.fixture
def machine(tmp_path):
    """A machine with so much available, and a container's limit and use, in bytes."""

    def files(available, limit="max", used=0):
        meminfo = tmp_path / "meminfo"
        meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable:  {available // 1024} kB\n")
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
        return free_host_bytes(meminfo, tmp_path)

    return files


def test_a_machine_lends_what_it_has(machine):
    assert machine(3 * GIB) == 3 * GIB
    assert machine(64 * GIB) == 64 * GIB


def test_a_container_lends_what_its_limit_leaves(machine):
    assert machine(64 * GIB, limit=4 * GIB, used=3 * GIB) == GIB
    assert machine(64 * GIB, limit=4 * GIB, used=5 * GIB) == 0
    assert machine(2 * GIB, limit=4 * GIB) == 2 * GIB


def test_files_that_a_container_has_in_memory_make_room(machine, tmp_path):
    (tmp_path / "memory.stat").write_text(f"anon {GIB}\ninactive_file {GIB}\nactive_file {GIB}\n")
    assert machine(64 * GIB, limit=4 * GIB, used=3 * GIB) == 3 * GIB


def test_a_system_that_does_not_tell_gets_the_largest_default(tmp_path):
    assert free_host_bytes(tmp_path / "none", tmp_path) == 8 * GIB


def test_the_default_on_a_cpu_is_a_quarter_of_what_is_free_and_at_most_two_gib(monkeypatch):
    for free, wanted in ((3 * GIB, 0.75 * GIB), (64 * GIB, 2 * GIB), (0, 0)):
        monkeypatch.setattr("suresam.engine.budget.free_host_bytes", lambda free=free: free)
        assert default_cache_bytes("cpu") == wanted


def test_behind_a_gpu_stands_a_quarter_of_what_is_free_and_at_most_eight_gib(monkeypatch):
    for free, wanted in ((3 * GIB, 0.75 * GIB), (64 * GIB, 8 * GIB), (0, 0)):
        monkeypatch.setattr("suresam.engine.budget.free_host_bytes", lambda free=free: free)
        assert default_host_cache_bytes("cuda:0") == wanted
        assert default_host_cache_bytes("cpu") == default_host_cache_bytes("fake") == 0


def test_all_that_there_may_be_is_the_machines_or_the_containers(machine, tmp_path):
    machine(GIB)  # of which "MemTotal: 1 kB"
    assert total_host_bytes(tmp_path / "meminfo", tmp_path) == 1024
    (tmp_path / "memory.max").write_text("512\n")
    assert total_host_bytes(tmp_path / "meminfo", tmp_path) == 512
    assert total_host_bytes(tmp_path / "none", tmp_path) is None
