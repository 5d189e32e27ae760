"""`suresam evaluate route` as a process: a few scenes, every file."""

import csv
import json

import pytest
from integration.conftest import run_suresam
from PIL import Image

SCENES = 4


def test_figures_curves_and_a_plot(tmp_path):
    out = tmp_path / "report"
    told = run_suresam("evaluate", "route", f"scenes:{SCENES}", "--out", str(out), "--threads", "1")
    assert told.returncode == 0, told.stderr
    assert {path.name for path in out.iterdir()} == {
        "route.txt", "route.csv", "route.png", "curves.csv", "report.json", "observations",
    }  # fmt: skip
    assert told.stdout == (out / "route.txt").read_text()
    report = json.loads((out / "report.json").read_text())
    assert report["calibration"] == "demo-scenes"
    found = {
        (row["requests"], row["policy"], row["against"], row["measure"]): row["value"]
        for row in report["figures"]
    }
    means = {(row["requests"], row["member"]): row["value"] for row in report["always"]}
    for group in ("points", "boxes", "points and boxes"):
        iou = {name: found[group, name, None, "iou_at_30%"] for name in ("expected_gain", "oracle")}
        assert means[group, "demo-small"] <= iou["oracle"] + 1e-4
        assert iou["expected_gain"] <= iou["oracle"] + 1e-4
        assert found[group, "oracle", None, "area"] == pytest.approx(1)
        assert (group, "expected_gain", "sam_score", "realised_at_30%") in found
        assert (group, "expected_gain", "entropy", "realised_at_30%") in found
    for point in report["operating_points"]:
        assert sum(point["answered"].values()) == pytest.approx(1, abs=1e-3)
        assert point["spent"] == pytest.approx(point["answered"]["demo-large"], abs=1e-3)
    with (out / "route.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(report["figures"])
    with (out / "curves.csv").open(newline="") as file:
        curves = list(csv.DictReader(file))
    ends = [row for row in curves if row["requests"] == "points" and float(row["spent"]) == 1]
    assert len(ends) == 7
    for row in ends:
        assert float(row["mean_iou"]) == pytest.approx(means["points", "demo-large"], abs=2e-4)
    with Image.open(out / "route.png") as picture:
        assert picture.width > 1200
