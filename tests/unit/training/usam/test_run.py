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
from suresam.training.usam.search import SearchOptions
from suresam.training.usam.split import split_pictures
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
    own = [replace(member, heads="own", calibration=None) for member in family.members]
    assert load_member_heads(own[0], replace(family, members=tuple(own)), "cpu", tmp_path)
    other = replace(own[0], sha256="0" * 64)
    with pytest.raises(ConfigurationError, match="trained on other weights of demo-small"):
        load_member_heads(other, family, "cpu", tmp_path)


def observations(pictures: int = 12) -> dict[str, np.ndarray]:
    """Centre clicks on made-up masks of two members, three of a picture."""
    rng = np.random.default_rng(0)
    count = 3 * pictures
    iou = rng.uniform(0.1, 0.9, (count, 2, 4)).astype(np.float32)
    return {
        "picture": np.repeat(np.arange(pictures), 3),
        "prompt": np.zeros(count, np.uint8),
        "iou_token": rng.normal(size=(count, 2, 3)).astype(np.float32),
        "mask_tokens": np.repeat(iou[..., None], 3, 3),
        "iou": iou,
        "predicted_iou": rng.random((count, 2, 4)).astype(np.float32),
        "single_token": np.zeros((count, 2), np.uint8),
        "dense_iou": iou + 0.05,
        "dense_single_token": np.zeros((count, 2), np.uint8),
    }


def search(trials: int) -> SearchOptions:
    return SearchOptions(trials, epochs=(4, 6), batch=(16, 32))


def searched(folder, members, monkeypatch, observed, trials=3, **changes):
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(module, "_observe", lambda *_: observed)
    fit = FitOptions(hidden=4, epochs=4, batch=16)
    asked = options(folder, fit=fit, search=search(trials), **changes)
    return train_usam(members, [], asked, io.StringIO())


def test_a_search_is_told_and_the_pictures_held_out_decide_nothing(members, tmp_path, monkeypatch):
    observed = observations()
    report = searched(tmp_path / "one", members, monkeypatch, observed)
    state = tmp_path / "one" / "state"
    assert json.loads((state / "report.json").read_text()) == report
    assert report["numbers"]["pictures_held_out"] == 3
    assert report["numbers"]["masks_learned_from"] == 9 * 3 * 2 * 4  # those that judged, too
    assert report["search"]["pictures_judged_by"] == 3
    trials = report["search"]["trials"]
    assert trials[0]["settings"]["learning_rate"] == FitOptions().learning_rate
    best = min((t for t in trials if t["mse"] is not None), key=lambda t: t["mse"])
    assert report["search"]["chosen"] == best["settings"]
    assert best["settings"].items() <= report["fit"].items()
    log = [json.loads(line) for line in (state / "log.jsonl").read_text().splitlines()]
    assert [line for line in log if "trial" in line] == [
        {"trial": number} | trial for number, trial in enumerate(trials, 1)
    ]
    assert [line["epoch"] for line in log if "epoch" in line][-1] == report["fit"]["epochs"]

    split = split_pictures(observed["picture"], 0.25, 0, has_search=True)
    spoilt = observed | {"iou": observed["iou"].copy()}
    spoilt["iou"][split.is_held_out] = 1 - spoilt["iou"][split.is_held_out]
    other = searched(tmp_path / "two", members, monkeypatch, spoilt)
    assert other["search"] == report["search"]
    assert other["out"]["sha256"] == report["out"]["sha256"]
    assert other["figures"]["iou_demo-small"] != report["figures"]["iou_demo-small"]


def test_an_interrupted_search_goes_on(members, tmp_path, monkeypatch):
    observed = observations()
    whole = searched(tmp_path / "whole", members, monkeypatch, observed)
    count = module.ProgressReporter.count

    def stop(self, what, done, total):
        count(self, what, done, total)
        if (what, done) == ("trial 2 of 3, epochs", 1):
            signal.raise_signal(signal.SIGTERM)

    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(module.ProgressReporter, "count", stop)
        assert searched(folder, members, patch, observed) is None
    assert searched(folder, members, monkeypatch, observed) == whole
    lines = (folder / "state" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["trial"] for line in lines if "trial" in line] == [1, 2, 3]


def test_heads_of_one_token_say_so(members, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_observe", lambda *_: observations())
    report = train_usam(members, [], options(tmp_path, tokens="iou"), io.StringIO())
    heads = load_heads(tmp_path / "usam-demo.safetensors")
    assert (heads.info.tokens, report["tokens"]) == ("iou", "iou")
    assert not heads.weights["layers.0.weight"][..., 3:].any()


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
        (["--search", "0"], "--search 0 must be at least 1"),
        (["--search", "3", "--epochs", "2"], "--epochs 2 is the first that --search tries"),
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
