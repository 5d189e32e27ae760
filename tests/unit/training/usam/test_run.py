"""The whole way from pictures to a head file, with the bundled pair and small pictures."""

import io
import json
import signal

import cv2
import numpy as np
import pytest
import torch

from suresam.cli import main
from suresam.datasets import open_dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.contestants import family_contestants
from suresam.segmentation.manifests import load_family
from suresam.training.usam import run as module
from suresam.training.usam.fitting import FitOptions
from suresam.training.usam.run import UsamOptions, train_usam
from suresam.uncertainty.heads import load_heads
from suresam.uncertainty.member_heads import load_member_heads


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Four pictures of two bright rectangles each, as label maps."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("images", "segments"):
        (folder / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        labels = np.zeros((48, 64), np.uint8)
        labels[6:24, 5 : 20 + 4 * number] = 1
        labels[28:44, 30:60] = 2
        colours = rng.integers(0, 255, (3, 3), np.uint8)
        cv2.imwrite(str(folder / "images" / f"p{number}.jpg"), colours[labels])
        cv2.imwrite(str(folder / "segments" / f"p{number}.png"), labels)
    return folder


@pytest.fixture(scope="module")
def members():
    return family_contestants("demo", ["small", "large"], "cpu")


def options(folder, **changes) -> UsamOptions:
    fit = FitOptions(hidden=8, epochs=2, seed=changes.pop("seed", 0))
    values = {"out": folder / "usam-demo.safetensors", "state": folder / "state",
              "per_image": 1, "hold_out": 0.25, "fit": fit}  # fmt: skip
    return UsamOptions(**values | changes)


def test_heads_fit_the_family_and_the_report_is_about_pictures_held_out(
    pictures, members, tmp_path
):
    stream = io.StringIO()
    report = train_usam(members, [open_dataset(str(pictures))], options(tmp_path), stream)
    heads = load_heads(tmp_path / "usam-demo.safetensors")
    assert heads.info.pairing == "maker"
    assert list(heads.info.models) == ["demo-small", "demo-large"]
    assert heads.info.trained_on == {m.manifest.name: m.sha256 for m in members}
    assert report["numbers"] == {
        "pictures": 4, "prompts": 28, "masks_learned_from": 3 * 7 * 2 * 4,
        "pictures_held_out": 1, "masks_held_out": 7 * 2 * 4,
    }  # fmt: skip
    assert set(report["figures"]["task_gap"]["box"]) >= {"l1", "mse", "within_0.05"}
    assert json.loads((tmp_path / "state" / "report.json").read_text()) == report
    assert "iou_demo-small" in stream.getvalue()
    log = (tmp_path / "state" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [1, 2]


@pytest.mark.parametrize("stop_at", [("pictures", 2), ("epochs", 1)])
def test_stopped_it_goes_on_and_ends_the_same(pictures, members, tmp_path, monkeypatch, stop_at):
    dataset = open_dataset(str(pictures))
    whole = tmp_path / "whole"
    stopped = tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    train_usam(members, [dataset], options(whole), io.StringIO())

    count = module.ProgressReporter.count

    def stop(self, what, done, total):
        count(self, what, done, total)
        if (what, done) == stop_at:
            signal.raise_signal(signal.SIGTERM)

    stream = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(module.ProgressReporter, "count", stop)
        assert train_usam(members, [dataset], options(stopped), stream) is None
    assert "the same command goes on" in stream.getvalue()
    assert not (stopped / "usam-demo.safetensors").exists()
    train_usam(members, [dataset], options(stopped), io.StringIO())
    first, second = (load_heads(f / "usam-demo.safetensors") for f in (whole, stopped))
    for name, weight in first.weights.items():
        assert torch.equal(weight, second.weights[name])


def test_several_processes_observe_and_end_the_same(pictures, members, tmp_path):
    datasets = [open_dataset(str(pictures))]
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        folder.mkdir()
        train_usam(members, datasets, options(folder, threads=threads), io.StringIO())
    arrays = [
        sorted((tmp_path / str(n) / "state" / "observations-0").glob("*.npy")) for n in (1, 2)
    ]
    assert len(arrays[0]) > 10
    for one, two in zip(*arrays, strict=True):
        np.testing.assert_array_equal(np.load(one), np.load(two), err_msg=one.name)
    first, second = (load_heads(tmp_path / str(n) / "usam-demo.safetensors") for n in (1, 2))
    for name, weight in first.weights.items():
        assert torch.equal(weight, second.weights[name])


def test_heads_for_other_weights_of_the_same_model_are_refused(pictures, tmp_path):
    from dataclasses import replace

    command = ["train", "usam", str(pictures), "--out", str(tmp_path / "own.safetensors"),
               "--state", str(tmp_path / "s"), "--epochs", "1", "--per-image", "1",
               "--pictures", "2", "--hidden", "4"]  # fmt: skip
    assert main(command) == 0
    family = load_family("demo")
    own = [replace(member, heads="own") for member in family.members]
    assert load_member_heads(own[0], replace(family, members=tuple(own)), "cpu", tmp_path)
    other = replace(own[0], sha256="0" * 64)
    with pytest.raises(ConfigurationError, match="trained on other weights of demo-small"):
        load_member_heads(other, family, "cpu", tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no data set nowhere"),
        (["--out", "heads.pt"], "must end with .safetensors"),
        (["--out", "file/h.safetensors"], "cannot write into file"),
        (["--state", "file"], "cannot write into file"),
        (["scenes:4", "scenes:5"], "named twice"),
        (["--hold-out", "0"], "--hold-out 0 must lie in (0, 0.5]"),
        (["--epochs", "0"], "--epochs 0 must be at least 1"),
        (["--threads", "0"], "--threads 0 must be at least 1"),
        (["--models", "nobody"], "no family 'nobody'"),
    ],
)
def test_wrong_use_is_told_on_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["train", "usam", "--out", "h.safetensors", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
