"""`suresam evaluate calibration`: from a user's folders to a report, and what it refuses."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from heads import calibration_of, random_heads

from suresam.cli import main
from suresam.evaluation.calibration.files import NAMES
from suresam.segmentation.manifests import load_family, write_manifest
from suresam.segmentation.weights import file_sha256, require_weights
from suresam.uncertainty.calibration import calibration_file, write_calibration
from suresam.uncertainty.heads import save_heads

MODEL = "demo-small"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A user's models folder: the small one of the bundled pair, with heads and a calibration."""
    folder = tmp_path_factory.mktemp("models")
    member = load_family("demo").members[0]
    shutil.copy(require_weights(member), folder)
    write_manifest(replace(member, heads="own", calibration=None), folder)
    heads = random_heads(member.architecture.d_model, models={MODEL: f"iou_{MODEL}"})
    save_heads(heads, folder / "own.safetensors")
    sha256 = file_sha256(folder / "own.safetensors")
    for name, changes in {"fitted": {}, "old": {"trained_on": {MODEL: "0" * 64}}}.items():
        calibration = calibration_of(MODEL, name=name, heads_sha256=sha256, **changes)
        write_calibration(calibration, folder / calibration_file(name))
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Two data sets of discs of one colour on another."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part in ("val", "train"):
        for name in ("images", "segments"):
            (root / part / name).mkdir(parents=True)
        for number in range(3):
            labels = np.zeros((48, 64), np.uint8)
            cv2.circle(labels, (20 + 5 * number, 24), int(rng.integers(8, 18)), 1, -1)
            colours = rng.integers(0, 255, (2, 3), np.uint8)
            cv2.imwrite(str(root / part / "images" / f"p{number}.jpg"), colours[labels])
            cv2.imwrite(str(root / part / "segments" / f"p{number}.png"), labels)
    return root


def evaluate(models: Path, *arguments: object) -> int:
    mine = ("--models", MODEL, "--models-dir", models, "--device", "cpu")
    return main(["evaluate", "calibration", *map(str, (*arguments, *mine))])


def test_a_report_of_ones_own_pictures(models, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("suresam.evaluation.calibration.run._LEAST_PICTURES", 2)
    status = evaluate(
        models, pictures / "val", "--out", tmp_path / "out", "--calibration", "fitted",
        "--refit", pictures / "train", "--limit", 2, "--per-image", 1, "--seed", 3,
    )  # fmt: skip
    told = capsys.readouterr()
    assert status == 0, told.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *NAMES, "observations", "refit-observations",
    }  # fmt: skip
    assert told.out == (tmp_path / "out" / "calibration.txt").read_text()
    assert "refitted - served" in told.out
    assert "2 of 2 pictures" in told.err
    report = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert report["calibration"]["name"] == "fitted"
    assert (report["targets"]["pictures"], report["targets"]["seed"]) == (2, 3)
    assert report["refit"]["dataset"].endswith("/train")
    assert {row["member"] for row in report["figures"]} == {MODEL}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no data set nowhere"),
        (["scenes:2", "--refit", "nowhere"], "no data set nowhere"),
        (["scenes:2", "--refit-images", "."], "--refit-images . belongs to --refit"),
        (["scenes:2", "--threads", "0"], "--threads=0 must be at least 1"),
        (["scenes:2", "--per-image", "0"], "at least 1 target"),
        (["scenes:2"], "is served without a calibration"),
        (["scenes:2", "--calibration", "nobodys"], "no calibration nobodys"),
        (["scenes:2", "--calibration", "old"], "made with other weights of demo-small"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(models, arguments, message, tmp_path, capsys):
    assert evaluate(models, *arguments, "--out", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_data_set_is_not_refitted_on_itself(models, pictures, tmp_path, capsys):
    val = pictures / "val"
    both = ("--out", tmp_path, "--calibration", "fitted", "--refit", val)
    assert evaluate(models, val, *both) == 2
    assert "also the data set that is judged" in capsys.readouterr().err
    # The same folder by another path is told by its pictures.
    assert evaluate(models, val / ".." / "val", *both) == 2
    assert "share pictures (p" in capsys.readouterr().err


def test_a_family_without_heads_has_nothing_to_judge(tmp_path, models, capsys):
    bare = tmp_path / "models"
    shutil.copytree(models, bare)
    member = load_family(MODEL, bare).members[0]
    write_manifest(replace(member, heads=None), bare)
    assert evaluate(bare, "scenes:2", "--out", tmp_path / "out") == 2
    assert "has no uncertainty heads that all its members share" in capsys.readouterr().err


def test_the_report_needs_a_folder(models, capsys):
    assert evaluate(models, "scenes:2") == 2
    assert "--out" in capsys.readouterr().err
