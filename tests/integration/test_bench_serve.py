"""`suresam bench serve` as a process: structure and counts of every mode, never speed."""

import json
from pathlib import Path

from integration.conftest import run_suresam
from PIL import Image

from suresam.benchmarks.server_process import ServerProcess

QUICK = ("--sizes", "96x64,64x80", "--think", "0.2", "--clicks", "3", "--max-lag-ms", "60000")


def report_of(folder: Path, *arguments: str) -> dict:
    told = run_suresam("bench", "serve", *QUICK, "--out", str(folder), *arguments)
    assert told.returncode == 0, told.stderr
    with Image.open(folder / "load.png") as plot:
        assert plot.width > 500
    report = json.loads((folder / "report.json").read_text())
    for phase in report["phases"]:
        assert f"\n{phase['name']} " in told.stdout
        check_phase(phase)
    return report | {"stdout": told.stdout}


def check_phase(phase: dict) -> None:
    measured = phase["measured"]
    goodput, clicks = measured["goodput"], measured["clicks"]
    assert goodput["offered"] >= goodput["answered"] >= goodput["good"]
    assert goodput["answered"] == clicks["count"] > 0
    assert clicks["p50_ms"] <= clicks["p95_ms"] <= clicks["p99_ms"]
    assert phase["server"]["batches"]["decode"]["rows"] > 0
    assert not phase["is_void"]


def test_rates_are_offered_one_after_the_other_by_visitors_of_every_kind(
    server: ServerProcess, tmp_path: Path
):
    report = report_of(
        tmp_path, "--url", server.url, "--rates", "8,16", "--seconds", "4", "--goal-ms", "60000",
        "--bulk", "0.15", "--cancel", "0.15", "--stall", "0.1",
    )  # fmt: skip
    assert [phase["name"] for phase in report["phases"]] == ["8/s", "16/s"]
    assert report["peak"] in ("8/s", "16/s")
    few, many = (phase["measured"]["goodput"]["offered"] for phase in report["phases"])
    assert 8 < few < many < 160
    for phase in report["phases"]:
        measured = phase["measured"]
        assert measured["errors"] == []
        assert measured["goodput"]["share"] == 1.0
        assert measured["uploads"]["count"] > 0
        # Every session is another image: looked up once before it is embedded, and never again.
        assert phase["server"]["cache"]["miss"] > 0
        assert phase["lag_p99_ms"] >= 0
    assert sum(p["measured"]["one_shots"]["count"] for p in report["phases"]) > 0
    assert "peak goodput" in report["stdout"]


def test_people_click_on_cached_pictures(server: ServerProcess, tmp_path: Path):
    report = report_of(tmp_path, "--url", server.url, "--people", "3", "--seconds", "2")
    [phase] = report["phases"]
    assert phase["rate"] is None
    assert phase["measured"]["uploads"]["count"] == 0
    assert set(phase["server"]["cache"]) == {"hit"}
    assert "people: " in report["stdout"]


def test_clicks_go_over_grpc(server: ServerProcess, tmp_path: Path):
    report = report_of(
        tmp_path, "--url", server.url, "--grpc", server.address, "--rates", "8", "--seconds", "3",
        "--member", "small",
    )  # fmt: skip
    [phase] = report["phases"]
    assert phase["measured"]["errors"] == []


def test_an_overload_is_refused_with_its_time_and_followed_by_a_recovery(tmp_path: Path):
    report = report_of(
        tmp_path, "--overload", "4", "--people", "4", "--seconds", "3",
        "--", "--models", "demo-small", "--max-in-flight", "2",
    )  # fmt: skip
    names = [phase["name"] for phase in report["phases"]]
    assert names == ["capacity", "before", "overload", "recovery"]
    verdict, during = report["overload"], report["phases"][2]
    assert verdict["factor"] == 4
    assert verdict["capacity_per_s"] > 0
    [overloaded] = [e for e in during["measured"]["errors"] if e["code"] == "overloaded"]
    assert overloaded["took"]["count"] == verdict["refusals"]["count"] > 0
    assert overloaded["retry_after"] == overloaded["took"]["count"]
    assert verdict["retry_after_share"] == 1.0
    assert 0 < verdict["refused_share"] < 1
    assert sum(during["server"]["rejected"].values()) > 0
    for when in ("before", "after", "recovered"):
        assert verdict[f"resident_{when}_bytes"] > 50 * 2**20
    assert verdict["recovery_s"] is None or 0 <= verdict["recovery_s"] <= 3
    assert "server's resident memory" in report["stdout"]
