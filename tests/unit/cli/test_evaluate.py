"""`suresam evaluate segmenter`: what it refuses, on one line and with exit status 2 or 1."""

import subprocess
import sys

import pytest

from suresam.cli import main
from suresam.segmentation.manifests import load_manifest
from suresam.segmentation.weights import require_weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no data set nowhere"),
        (["scenes:0"], "whole number from 1"),
        (["scenes:2", "--images", "."], "--images belongs to a COCO"),
        (["scenes:2", "--grabcut", "-1"], "--grabcut=-1 must be at least 0"),
        (["scenes:2", "--targets", "0"], "at least 1 target"),
        (["scenes:2", "--min-area", "96"], "smallest share of the picture 0.96"),
        (["scenes:2", "--models", "nobody"], "no family 'nobody'"),
        (["scenes:2", "--weights", "m.safetensors"], "--weights and --config belong together"),
        (["scenes:2", "--config", "demo-small"], "--weights and --config belong together"),
        (["scenes:2", "--weights", "m.safetensors", "--config", "demo-small"], "no weights at"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments, message, capsys):
    assert main(["evaluate", "segmenter", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_an_unknown_member_is_told(capsys):
    assert main(["evaluate", "segmenter", "scenes:2", "--members", "medium"]) == 1
    assert "no model 'medium'" in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(tmp_path, capsys):
    weights = tmp_path / "demo-small.safetensors"
    weights.write_bytes(require_weights(load_manifest("demo-small")).read_bytes())
    both = ["--members", "small", "--weights", str(weights), "--config", "demo-small"]
    assert main(["evaluate", "segmenter", "scenes:1", *both]) == 2
    assert "two models have one name: demo-small, demo-small" in capsys.readouterr().err


def test_a_missing_extra_is_one_line_and_exit_2():
    script = (
        "import sys; sys.modules['matplotlib'] = None; from suresam.cli import main; "
        "sys.exit(main(['evaluate', 'segmenter', 'scenes:1']))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 2
    assert told.stderr.startswith("suresam: this command needs matplotlib")
    assert "pip install 'suresam[evaluate]'" in told.stderr
    assert told.stderr.count("\n") == 1
