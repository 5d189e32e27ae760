"""`suresam calibrate route`: from records to a calibration, and what it refuses."""

import json
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from unit.evaluation.shadow.records import comparisons

from suresam.cli import main
from suresam.evaluation.shadow.run import NAMES
from suresam.routing.shadow.record import ComparedModels, RecordFile
from suresam.segmentation.manifests import load_family
from suresam.segmentation.weights import file_sha256, find_file
from suresam.uncertainty.calibration import calibration_file, read_calibration

COUNT = 240


@pytest.fixture(scope="module")
def models():
    """The bundled pair's."""
    small, large = load_family("demo").members
    heads = find_file(f"{small.heads}.safetensors", small, None)
    calibration = find_file(calibration_file(small.calibration), small, None)
    return ComparedModels(
        small.name, large.name, small.sha256, large.sha256, file_sha256(heads),
        small.calibration, file_sha256(calibration),
    )  # fmt: skip


@pytest.fixture
def recorded(tmp_path, models):
    """Clicks gain 0.05 more than is expected of them, and of boxes there are too few."""

    def write(models=models, count=COUNT, name="record.jsonl"):
        file = RecordFile(tmp_path / name, 2**24)
        for made in (
            *comparisons(count, gain_of=lambda expected: expected + 0.05, noise=0.01),
            *comparisons(20, "box"),
        ):
            assert file.append(models, made)
        return str(file.path)

    return write


def calibrate(*words):
    return main(["calibrate", "route", *words])


def test_a_record_becomes_a_calibration_and_a_report(recorded, tmp_path, capsys):
    path, out = recorded(), tmp_path / "report"
    with open(path, "a") as file:
        file.write('{"version": 1, "mod')
    assert calibrate(path, "--models-dir", str(tmp_path), "--out", str(out)) == 0
    told = capsys.readouterr()
    assert "one click, 120 held out" in told.out
    assert "other prompts: 20 comparisons are too few (at least 100 are needed)" in told.out
    assert "1 lines are not whole and were passed over" in told.err
    assert "--calibration demo-scenes-shadow` follows it" in told.err

    new = read_calibration(tmp_path / "calibrations" / "demo-scenes-shadow.json")
    small = load_family("demo").members[0]
    old = read_calibration(find_file(calibration_file("demo-scenes"), small, None))
    assert "240 comparisons of shadow mode" in new.dataset
    before, after = (c.members["demo-small"].one_click.gains["model_gap"] for c in (old, new))
    [place] = [x for x, y in zip(before.curve.x, before.curve.y, strict=True) if 0.04 < y < 0.06][
        :1
    ]
    assert after.curve(place) == pytest.approx(before.curve(place) + 0.05, abs=0.02)
    assert new.members["demo-small"].other == old.members["demo-small"].other

    assert sorted(p.name for p in out.iterdir()) == sorted(NAMES)
    content = json.loads((out / "gain.json").read_text())
    assert content["prompts"]["one_click"]["comparisons"] == COUNT
    assert {row["calibration"] for row in content["figures"]} == {
        "served", "refitted", "refitted - served",
    }  # fmt: skip
    assert Image.open(BytesIO((out / "gain.png").read_bytes())).size[0] > 500
    assert (out / "gain.txt").read_text().strip() == told.out.strip()


def test_what_cannot_be_fitted_to_is_told_on_one_line(recorded, models, tmp_path, capsys):
    mine = ("--models-dir", str(tmp_path))
    few = recorded(count=30, name="few.jsonl")
    others = recorded(replace(models, large_sha256="f" * 64), name="others.jsonl")
    older = recorded(replace(models, calibration_sha256="e" * 64), name="older.jsonl")
    (tmp_path / "notes.txt").write_text("nothing of that kind\n")
    for words, message in (
        ((few,), "30 of one click and 20 of other prompts are too few comparisons"),
        ((others,), f"others.jsonl, line 1 was recorded with large_sha256 {'f' * 64}"),
        ((older,), f"was recorded with calibration_sha256 {'e' * 64}"),
        ((str(tmp_path / "notes.txt"),), "the record holds no comparison"),
        ((str(tmp_path / "nowhere"),), "nowhere: No such file"),
        ((few, "--name", "demo-scenes"), "--name demo-scenes is that of the calibration whose"),
        ((few, "--name", "../x"), "--name '../x' may have letters"),
        ((few, "--models", "demo-large"), "was recorded with small demo-small"),
        ((), "arguments are required: RECORD"),
    ):
        assert calibrate(*words, *mine) == 2
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert told.startswith("suresam: ")
        assert message in told
    assert not (tmp_path / "calibrations").exists()


def test_a_data_set_in_a_folder_called_route_is_asked_for_by_its_path(capsys):
    assert main(["calibrate", "./route"]) == 2
    assert "no data set ./route" in capsys.readouterr().err
