"""`suresam evaluate usam` as a process: heads of one's own, a few scenes, every file."""

import csv
import json

import pytest
from heads import random_heads
from integration.conftest import run_suresam
from PIL import Image

from suresam.cli import main
from suresam.evaluation.usam.cases import MEASURES
from suresam.segmentation.manifests import load_family
from suresam.uncertainty.heads import save_heads

SCENES = 4


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    family = load_family("demo")
    models = {member.name: f"iou_{member.name}" for member in family.members}
    path = tmp_path_factory.mktemp("heads") / "own.safetensors"
    save_heads(random_heads(family.members[0].architecture.d_model, models=models), path)
    return path


def test_tables_files_and_curves(heads, tmp_path, capsys):
    out = tmp_path / "report"
    second = heads.with_name("second.safetensors")
    second.write_bytes(heads.read_bytes())
    command = (f"scenes:{SCENES}", "--out", str(out), "--heads", str(heads), "--threads", "1",
               "--compare", str(second))  # fmt: skip
    told = run_suresam("evaluate", "usam", *command)
    assert told.returncode == 0, told.stderr
    assert {path.name for path in out.iterdir()} == {
        "tables.txt", "report.json", "tables.csv", "correlations.csv", "curves-known.png",
        "comparison.csv", "curves-truth.png", "observations",
    }  # fmt: skip
    report = json.loads((out / "report.json").read_text())
    assert report["targets"]["pictures"] == SCENES
    measures = {row["measure"] for row in report["tables"]}
    assert measures == set(MEASURES) - {"calibrated"}  # nobody calibrated these heads
    with (out / "tables.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(report["tables"])
    for row in report["tables"]:
        if row["against"] is None and row["value"] is not None:
            assert 0 <= row["value"] <= 1
            assert row["low"] <= row["high"]
    own = {(r["table"], r["view"], r["member"], r["measure"]): r["value"] for r in report["tables"]
           if r["against"] is None}  # fmt: skip
    compared = report["comparison"]["tables"]
    assert [entry["name"] for entry in report["comparison"]["heads"]] == ["own", "second"]
    assert {row["heads"] for row in compared} == {"own", "second"}
    for row in compared:
        if row["against"] is None:
            assert row["value"] == own[row["table"], row["view"], row["member"], row["measure"]]
        else:
            assert (row["heads"], row["against"]) == ("second", "own")
            assert row["value"] in (0, None)
    with (out / "comparison.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(compared)
    assert "heads side by side" in told.stdout
    assert "Delta*" in told.stdout
    assert told.stdout.strip() in (out / "tables.txt").read_text()
    for view in ("known", "truth"):
        with Image.open(out / f"curves-{view}.png") as picture:
            assert picture.width > 1200

    assert main(["evaluate", "usam", *command]) == 0  # everything is observed already
    assert capsys.readouterr().out == told.stdout
