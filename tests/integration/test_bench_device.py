"""`suresam bench device` as a process."""

import json

import pytest
from integration.conftest import run_suresam


def test_every_launch_is_told_beside_its_floor(tmp_path):
    out = tmp_path / "device.json"
    told = run_suresam(
        "bench", "device", "--models", "demo-small", "--untrained", "--device", "cpu",
        "--repeats", "1",
        "--images", "1,2", "--prompts", "3", "--peak-tflops", "0.5", "--out", str(out),
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "commit" in told.stdout
    assert "0.5 TFLOP/s, float32 (as given)" in told.stdout
    report = json.loads(out.read_text())
    launches = report["launches"]
    assert [(x["stage"], x["rows"]) for x in launches] == [
        ("encode", 1), ("encode", 2), ("decode", 3)
    ]  # fmt: skip
    for launch in launches:
        assert launch["floor_ms"] == pytest.approx(launch["rows"] * launch["row_gflop"] / 0.5)
        assert launch["share_of_peak"] == pytest.approx(launch["floor_ms"] / launch["launch_ms"])
        assert launch["rows_per_s"] == pytest.approx(1000 * launch["rows"] / launch["launch_ms"])
    assert launches[0]["row_gflop"] == launches[1]["row_gflop"] > launches[2]["row_gflop"] > 0
