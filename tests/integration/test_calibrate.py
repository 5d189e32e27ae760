"""From pictures to a service that says what it expects: calibrate, then serve."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from heads import random_heads
from integration.conftest import ROOT, run_suresam

from suresam.benchmarks.server_process import ServerProcess
from suresam.cli import main
from suresam.segmentation.manifests import load_family, write_manifest
from suresam.segmentation.weights import require_weights
from suresam.uncertainty.calibration import read_calibration
from suresam.uncertainty.heads import save_heads

COFFEE = ROOT / "docs" / "coffee.jpg"
PICTURES = 44


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A user's models folder: the small one of the bundled pair alone, with heads."""
    folder = tmp_path_factory.mktemp("models")
    member = load_family("demo").members[0]
    shutil.copy(require_weights(member), folder)
    write_manifest(replace(member, heads="own", calibration=None), folder)
    heads = random_heads(member.architecture.d_model, models={member.name: "iou_own"})
    save_heads(heads, folder / "own.safetensors")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Discs of one colour on another, as label maps."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("images", "segments"):
        (folder / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        labels = np.zeros((64, 80), np.uint8)
        centre = (int(rng.integers(20, 60)), int(rng.integers(20, 44)))
        cv2.circle(labels, centre, int(rng.integers(8, 18)), 1, -1)
        colours = rng.integers(0, 255, (2, 3), np.uint8)
        cv2.imwrite(str(folder / "images" / f"p{number:02}.jpg"), colours[labels])
        cv2.imwrite(str(folder / "segments" / f"p{number:02}.png"), labels)
    return folder


def test_a_calibration_of_ones_own_pictures_is_served(folder, pictures, tmp_path):
    told = run_suresam(
        "calibrate", str(pictures), "--models", "demo-small", "--models-dir", str(folder),
        "--name", "discs",
        "--state", str(tmp_path / "state"), "--threads", "1",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "coverage of the interval" in told.stdout
    calibration = read_calibration(folder / "calibrations" / "discs.json")
    assert list(calibration.members) == ["demo-small"]
    assert set(calibration.members["demo-small"].one_click.gains) == {
        "prompt_gap",
        "task_gap",
        "next_click_gain",
    }

    listed = run_suresam("models", "list", "--models-dir", str(folder))
    assert listed.returncode == 0, listed.stderr  # a calibration is no manifest

    options = ["--models", "demo-small", "--models-dir", str(folder), "--calibration", "discs"]
    with ServerProcess(options) as server:
        [member] = httpx.get(f"{server.url}/v1/models", timeout=30).json()["members"]
        answer = httpx.post(
            f"{server.url}/v1/segment",
            files={"image": COFFEE.read_bytes()},
            data={"request": json.dumps({"prompts": [{"points": [[280, 160]]}]})},
            timeout=60,
        )
    assert member["calibration"] == "discs"
    for mask in answer.json()["results"][0]["masks"]:
        doubt = mask["uncertainty"]
        low, high = doubt["expected_iou_interval"]
        assert 0 <= low <= doubt["expected_iou"] <= high <= 1
        assert doubt["score"] == pytest.approx(1 - doubt["expected_iou"])
        assert doubt["model_gap"] is None
        assert doubt["source"] == {"method": "usam", "calibration": "discs"}


def test_wrong_use_is_told_on_one_line(folder, pictures, tmp_path, capsys):
    mine = ("--models", "demo-small", "--models-dir", str(folder))
    state = ("--state", str(tmp_path / "state"))
    for words, message in (
        (("nowhere", *mine), "no data set nowhere"),
        ((str(pictures), *mine, *state, "--limit", "5"), "5 pictures with a usable mask"),
        ((str(pictures), *mine, "--threads", "0"), "--threads=0"),
        ((str(pictures), *mine, "--name", "../x"), "--name '../x' may have letters"),
    ):
        assert main(["calibrate", *words]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_calibration_that_is_not_there_stops_the_start(folder):
    told = run_suresam(
        "serve", "--models", "demo-small", "--models-dir", str(folder), "--calibration", "nobodys",
        "--http-port", "0", "--grpc-port", "0",
    )  # fmt: skip
    assert told.returncode == 2
    assert "no calibration nobodys" in told.stderr
