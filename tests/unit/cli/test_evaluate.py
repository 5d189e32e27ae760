"""`suresam evaluate segmenter`: what it refuses, on one line and with exit status 2 or 1."""

import subprocess
import sys
from typing import Any

import pytest

from suresam.cli import main
from suresam.errors import ConfigurationError
from suresam.segmentation.box_convention import BoxConvention
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
        (["scenes:2", "--threads", "0"], "--threads=0 must be at least 1"),
        (["scenes:2", "--corners-only"], "--corners-only belongs to --weights"),
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


@pytest.fixture
def work(monkeypatch) -> dict[str, Any]:
    """Stands in for the measuring; what it was called with."""
    called: dict[str, Any] = {}

    def evaluate(dataset: object, contestants: object, choice: object, **_: object) -> None:
        called.update(choice=choice, contestants=contestants)

    monkeypatch.setattr("suresam.evaluation.run.evaluate", evaluate)
    monkeypatch.setattr("suresam.evaluation.table.format_table", lambda _: "the table")
    return called


SMALL = ["--members", "small", "--device", "cpu"]


def test_an_out_that_cannot_be_written_is_told_before_the_work(work, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = ["--out", str(tmp_path / "file" / "report")]
    assert main(["evaluate", "segmenter", "scenes:1", *SMALL, *out]) == 2
    assert "cannot write into" in capsys.readouterr().err
    assert not work


def test_the_table_is_printed_even_if_the_files_cannot_be_written(
    work, tmp_path, monkeypatch, capsys
):
    def fail(*_: object) -> None:
        raise ConfigurationError("the disk is full")

    monkeypatch.setattr("suresam.evaluation.files.write_files", fail)
    out = ["--out", str(tmp_path / "report")]
    assert main(["evaluate", "segmenter", "scenes:1", *SMALL, *out]) == 2
    told = capsys.readouterr()
    assert told.out == "the table\n"
    assert "the disk is full" in told.err
    assert list((tmp_path / "report").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "num_targets"),
    [(["scenes"], 500), (["scenes:300"], None), (["scenes:300", "--targets", "7"], 7)],
)
def test_all_targets_count_of_as_many_scenes_as_are_asked_for(work, arguments, num_targets):
    assert main(["evaluate", "segmenter", *arguments, *SMALL]) == 0
    assert work["choice"].num_targets == num_targets


@pytest.mark.parametrize(("flags", "is_drawn"), [([], True), (["--corners-only"], False)])
def test_boxes_are_drawn_for_weights_unless_they_never_saw_any(work, flags, is_drawn):
    weights = str(require_weights(load_manifest("demo-small")))
    config = ["--config", "demo-small", "--device", "cpu"]
    assert main(["evaluate", "segmenter", "scenes:1", "--weights", weights, *config, *flags]) == 0
    [contestant] = work["contestants"]
    assert contestant.predictor.backbone.box == BoxConvention(
        as_mask_input=is_drawn, by_token_0=True
    )


def test_a_missing_extra_is_one_line_and_exit_2():
    script = (
        "import sys; sys.modules['matplotlib'] = None; from suresam.cli import main; "
        "sys.exit(main(['evaluate', 'segmenter', 'scenes:1']))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=110
    )
    assert told.returncode == 2
    assert told.stderr.startswith("suresam: this command needs matplotlib")
    assert ".venv/bin/pip install -e '.[evaluate]'" in told.stderr
    assert told.stderr.count("\n") == 1
