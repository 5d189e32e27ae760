"""Uncertainty heads through the real command: a user's own heads for the bundled pair."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from heads import random_heads
from integration.conftest import ROOT, ended_by

from suresam import Segmenter
from suresam.segmentation.manifests import load_family, write_manifest
from suresam.segmentation.weights import file_sha256, require_weights
from suresam.uncertainty.heads import save_heads

COFFEE = ROOT / "docs" / "coffee.jpg"
CUP = (280, 160)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's models folder: the bundled pair, with heads called `own`."""
    folder = tmp_path_factory.mktemp("models")
    family = load_family("demo")
    for member in family.members:
        shutil.copy(require_weights(member), folder)
        write_manifest(replace(member, heads="own", calibration=None), folder)
    models = {member.name: f"iou_{member.name}" for member in family.members}
    heads = random_heads(family.members[0].architecture.d_model, models=models)
    save_heads(heads, folder / "own.safetensors")
    return folder


def test_the_service_and_the_segmenter_say_the_same_and_ctrl_c_ends_it_with_exit_0(folder):
    with ended_by(signal.SIGINT, "--models-dir", str(folder)) as server:
        members = httpx.get(f"{server.url}/v1/models", timeout=30).json()["members"]
        answer = httpx.post(
            f"{server.url}/v1/segment",
            files={"image": COFFEE.read_bytes()},
            data={"request": json.dumps({"prompts": [{"points": [CUP]}]})},
            timeout=60,
        )
    for member in members:
        assert member["heads"] == "own"
        assert member["heads_sha256"] == file_sha256(folder / "own.safetensors")
    assert answer.status_code == 200, answer.text
    [result] = answer.json()["results"]
    local = Segmenter("demo", models_dir=folder).segment(COFFEE, points=[CUP])
    assert len(local.heads) == 3
    for mask, heads in zip(result["masks"], local.heads, strict=True):
        doubt = mask["uncertainty"]
        assert len(doubt["heads"]) == 7 + 3
        assert doubt["heads"] == pytest.approx(dict(heads.values), abs=1e-4)
        assert doubt["task_gap"] == doubt["heads"]["task_gap"]
        assert doubt["source"] == {"method": "usam", "calibration": None}
        assert doubt["in_regime"] is True
