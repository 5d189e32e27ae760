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

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import suresam
from suresam.cli import train
from suresam.errors import CheckpointError, ConfigurationError
from suresam.training.pool import USABLE, ScenePool
from suresam.training.segmenter import SegmenterOptions, train_segmenter
from suresam.training.state import load_state

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
        "held_out_scenes": 0,
        "picture_every": 0.0,
    }
    return SegmenterOptions(**{**values, **changes})


def test_it_writes_half_precision_weights_and_a_report(config, tiny_recipe, tmp_path):
    assert train_segmenter(options(config, tmp_path, held_out_scenes=2), io.StringIO())
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
    assert not report["init_from"]["averaged_with_it"]
    # A finished one can be written again, as the mean of both.
    begun, ended = load_file(first), load_file(other / "out.safetensors")
    again = options(config, other, init_from=first, average_start=True, resume=True)
    assert train_segmenter(again, io.StringIO())
    report = json.loads((other / "state" / "report.json").read_text())
    assert report["init_from"]["averaged_with_it"]
    for name, value in load_file(other / "out.safetensors").items():
        mean = (begun[name].float() + ended[name].float()) / 2
        torch.testing.assert_close(value.float(), mean, rtol=2e-3, atol=1e-4)
    name = "sam_mask_decoder.iou_token.weight"
    assert not torch.equal(begun[name], ended[name])


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
        ({"average_start": True}, "--average-start belongs to --init-from"),
        ({"config": "demo-huge"}, "no such training config"),
        ({"picture_every": -1.0}, "--picture-every must be at least 0"),
        ({"images": Path("pictures")}, "--images belongs to a COCO"),
        ({"data": (Path("absent"),)}, "no data at absent"),
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
    told = io.StringIO()
    with pytest.raises(CheckpointError, match=r"damaged\.safetensors cannot be read"):
        train_segmenter(options(config, tmp_path, init_from=damaged), told)
    save_file({"a": torch.zeros(1)}, damaged)
    with pytest.raises(CheckpointError, match=r"does not fit its architecture: .* 1 unknown \(a\)"):
        train_segmenter(options(config, tmp_path, init_from=damaged), told)
    assert told.getvalue() == ""  # no scene was drawn for it


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
    line = (
        "train segmenter --config x/mine.json --out a.safetensors --max-minutes 5 --threads 2 "
        "--data one --data two.json --images pictures --hold-out 0.2 --scenes 50 "
        "--picture-every 3 --plot --init-from b.safetensors --average-start"
    )
    args = parser.parse_args(line.split())
    assert args.run(args) == 0
    assert seen[0].state == Path("runs/mine")
    assert (seen[0].max_minutes, seen[0].threads, seen[0].seed) == (5.0, 2, 0)
    assert seen[0].data == (Path("one"), Path("two.json"))
    assert (seen[0].images, seen[0].hold_out, seen[0].scenes) == (Path("pictures"), 0.2, 50)
    assert (seen[0].picture_every, seen[0].plot) == (3.0, True)
    assert (seen[0].init_from, seen[0].average_start) == (Path("b.safetensors"), True)


def test_sigterm_while_training_saves_exits_0_and_can_be_resumed(tiny_recipe, tmp_path):
    values = tiny_recipe.to_dict()
    values["encoder"]["steps"] = 100_000
    path = tmp_path / "long.json"
    path.write_text(json.dumps(values))
    told = _stopped(_command(str(path), tmp_path, "--picture-every", "0"), "encoder")
    assert told.endswith(f"stopped and saved in {tmp_path / 'state'}; go on with --resume\n")
    out, state = tmp_path / "out.safetensors", tmp_path / "state"
    assert not out.exists()
    saved = load_state(state, torch.device("cpu"))
    assert saved["stage"] == "encoder"
    assert saved["step"] >= 1
    resumed = options(str(path), tmp_path, resume=True, max_minutes=1e-9)
    assert train_segmenter(resumed, io.StringIO())
    assert out.exists()


def test_sigterm_while_drawing_scenes_keeps_them_and_can_be_resumed(config, tmp_path):
    told = _stopped(_command(config, tmp_path, "--scenes", "100"), "scenes drawn 10 of 100")
    assert "stopped while preparing pictures" in told
    kept = int((np.load(tmp_path / "state" / "pool" / "status.npy") == USABLE).sum())
    assert 10 <= kept < 100
    again = io.StringIO()
    assert train_segmenter(options(config, tmp_path, resume=True, scenes=100), again)
    assert "scenes drawn 100 of 100" in again.getvalue()
    assert (tmp_path / "out.safetensors").exists()


def test_a_folder_of_label_maps_is_enough_and_sigterm_while_measuring_can_be_resumed(
    config, label_maps, tmp_path
):
    rng = np.random.default_rng(0)
    maps = {f"p{k}": [np.kron(rng.integers(0, 4, (3, 4)), np.ones((30, 30)))] for k in range(8)}
    folder = label_maps(maps)
    command = _command(config, tmp_path, "--data", str(folder), "--hold-out", "0.25",
                       "--picture-every", "0.00001", "--plot")  # fmt: skip
    told = _stopped(command, "wrote")
    assert "stopped before the figures were measured" in told
    state = tmp_path / "state"
    assert (tmp_path / "out.safetensors").exists()
    assert not (state / "report.json").exists()
    assert (state / "contact.png").stat().st_size > 10_000
    assert (state / "curves.png").stat().st_size > 10_000
    entries = [json.loads(line) for line in (state / "log.jsonl").read_text().splitlines()]
    looks = [entry for entry in entries if "held_out_top_iou" in entry]
    assert looks
    assert all(0 <= entry["held_out_top_iou"] <= 1 for entry in looks)

    resumed = options(config, tmp_path, data=(folder,), hold_out=0.25, resume=True)
    assert train_segmenter(resumed, io.StringIO())
    report = json.loads((state / "report.json").read_text())
    [data_set] = report["pictures"]["data_sets"]
    assert (data_set["pictures"], data_set["held_out"]) == (8, 2)
    assert report["pictures"]["figures"]["num_targets"] > 0
    assert report["recipe"]["scenes"] == 0


def test_a_run_ends_without_usable_held_out_masks_and_does_not_go_on_with_other_pictures(
    config, label_maps, tmp_path
):
    folder = label_maps({f"p{k}": [np.ones((30, 40))] for k in range(4)})
    chosen = options(config, tmp_path, data=(folder,), hold_out=0.5, picture_every=10.0)
    told = io.StringIO()
    assert train_segmenter(chosen, told)
    # Masks that cover all of their picture can be trained on, but nothing is measured by them.
    assert "no pictures of what is held out: held-out pictures: no mask covers" in told.getvalue()
    report = json.loads((chosen.state / "report.json").read_text())
    assert report["pictures"]["figures"] is None
    assert "no mask covers" in report["pictures"]["reason"]
    with pytest.raises(ConfigurationError, match="was made of something else"):
        train_segmenter(replace(chosen, hold_out=0.25, resume=True), io.StringIO())


def test_scenes_can_be_mixed_in(config, label_maps, tmp_path):
    folder = label_maps({f"p{k}": [np.ones((30, 40))] for k in range(4)})
    chosen = options(config, tmp_path, data=(folder,), scenes=3)
    assert train_segmenter(chosen, io.StringIO())
    assert len(ScenePool(chosen.pool)) == 3 + 3  # one of four pictures is held out


def _command(config: str, folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-c", DRIVER, "train", "segmenter", "--config", config,
            "--out", str(folder / "out.safetensors"), "--state", str(folder / "state"),
            "--device", "cpu", *more]  # fmt: skip


def _stopped(command: list[str], line: str) -> str:
    """Run a command, end it by SIGTERM once a line begins as said, and return what it told."""
    with subprocess.Popen(
        command, env=_environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = []
        while (latest := process.stderr.readline()) and not latest.startswith(line):
            told.append(latest)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 0, "".join([*told, latest, rest])
    assert "Traceback" not in rest
    return "".join([*told, latest, rest])


def _environment() -> dict[str, str]:
    source = str(Path(suresam.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
