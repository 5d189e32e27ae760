import argparse
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import suresam
from suresam.cli import train
from suresam.errors import CheckpointError, ConfigurationError
from suresam.training.segmenter import SegmenterOptions, train_segmenter

DRIVER = """
import argparse, sys
from suresam.cli import train
parser = argparse.ArgumentParser()
train.add_parser(parser.add_subparsers())
args = parser.parse_args()
sys.exit(args.run(args))
"""


@pytest.fixture
def config(tiny_recipe, tmp_path) -> str:
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(tiny_recipe.to_dict()))
    return str(path)


def options(config: str, folder: Path, **changes) -> SegmenterOptions:
    values = {
        "config": config,
        "out": folder / "out.safetensors",
        "state": folder / "state",
        "device": "cpu",
        "held_out_scenes": 2,
    }
    return SegmenterOptions(**{**values, **changes})


def test_it_writes_half_precision_weights_and_a_report(config, tiny_recipe, tmp_path):
    assert train_segmenter(options(config, tmp_path), io.StringIO())
    weights = load_file(tmp_path / "out.safetensors")
    model = tiny_recipe.architecture.build()
    assert weights.keys() == model.state_dict().keys()
    assert {value.dtype for value in weights.values()} == {torch.float16}
    report = json.loads((tmp_path / "state" / "report.json").read_text())
    content = (tmp_path / "out.safetensors").read_bytes()
    assert report["weights"]["sha256"] == sha256(content).hexdigest()
    assert report["weights"]["size_bytes"] == len(content)
    assert report["data"]["training_scene_seeds"] == [0, 6]
    assert report["figures"]["num_targets"] == 4
    assert report["seed"] == 0
    assert (tmp_path / "state" / "contact.png").stat().st_size > 0


def test_a_second_model_starts_from_the_first_ones_weights(config, tmp_path):
    train_segmenter(options(config, tmp_path), io.StringIO())
    first = tmp_path / "out.safetensors"
    other = tmp_path / "other"
    assert train_segmenter(options(config, other, init_from=first), io.StringIO())
    report = json.loads((other / "state" / "report.json").read_text())
    assert report["init_from"]["sha256"] == sha256(first.read_bytes()).hexdigest()
    assert report["joint_steps"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": Path("weights.pt")}, r"--out must end with \.safetensors"),
        ({"max_minutes": 0.0}, "--max-minutes must be positive"),
        ({"threads": 0}, "--threads must be at least 1"),
        ({"seed": -1}, r"seed -1 lies outside 0\.\.999"),
        ({"scenes": 0}, "0 scenes asked for"),
        ({"resume": True}, "no training state to resume"),
        ({"init_from": Path("absent.safetensors")}, "no weights to start from"),
        ({"config": "demo-huge"}, "no such training config"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(config, tmp_path, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        train_segmenter(replace(options(config, tmp_path), **changes), io.StringIO())


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_an_absent_device_is_refused(config, tmp_path):
    with pytest.raises(ConfigurationError, match="no CUDA device"):
        train_segmenter(options(config, tmp_path, device="cuda"), io.StringIO())


def test_a_finished_state_is_not_trained_over(config, tmp_path):
    train_segmenter(options(config, tmp_path), io.StringIO())
    with pytest.raises(ConfigurationError, match="add --resume"):
        train_segmenter(options(config, tmp_path), io.StringIO())


def test_damaged_weights_are_a_checkpoint_error(config, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="cannot start from"):
        train_segmenter(options(config, tmp_path, init_from=damaged), io.StringIO())


def test_the_command_knows_its_options_without_importing_torch():
    code = (
        "import argparse, sys; from suresam.cli import train;"
        "p = argparse.ArgumentParser(); train.add_parser(p.add_subparsers());"
        "p.parse_args(['train', 'segmenter', '--config', 'demo-small', '--out', 'a.safetensors']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=_environment()).returncode == 0


def test_the_command_passes_its_options_on(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "suresam.training.segmenter.train_segmenter", lambda options, stream: seen.append(options)
    )
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    line = "train segmenter --config x/mine.json --out a.safetensors --max-minutes 5 --threads 2"
    args = parser.parse_args(line.split())
    assert args.run(args) == 0
    assert seen[0].state == Path("runs/mine")
    assert (seen[0].max_minutes, seen[0].threads, seen[0].seed) == (5.0, 2, 0)


def test_sigterm_saves_exits_0_and_can_be_resumed(tiny_recipe, tmp_path):
    values = tiny_recipe.to_dict()
    values["encoder"]["steps"] = 100_000
    path = tmp_path / "long.json"
    path.write_text(json.dumps(values))
    out, state = tmp_path / "out.safetensors", tmp_path / "state"
    line = [sys.executable, "-c", DRIVER, "train", "segmenter", "--config", str(path),
            "--out", str(out), "--state", str(state), "--device", "cpu"]  # fmt: skip
    process = subprocess.Popen(line, env=_environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while (told := process.stderr.readline()) and not told.startswith("encoder"):
        pass
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[0], process.returncode
    assert rest[1] == 0
    assert not out.exists()
    saved = torch.load(state / "state.pt", weights_only=True)
    assert saved["stage"] == "encoder"
    assert saved["step"] >= 1
    resumed = options(str(path), tmp_path, resume=True, max_minutes=1e-9)
    assert train_segmenter(resumed, io.StringIO())
    assert out.exists()


def _environment() -> dict[str, str]:
    source = str(Path(suresam.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
