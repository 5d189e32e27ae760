"""`suresam evaluate usam`: what it refuses, on one line and before any picture."""

import pytest
from heads import random_heads

from suresam.cli import main
from suresam.segmentation.manifests import load_family
from suresam.uncertainty.heads import save_heads


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Heads for the bundled pair: `own`, and `other` of weights that it does not have."""
    folder = tmp_path_factory.mktemp("heads")
    family = load_family("demo")
    models = {member.name: f"iou_{member.name}" for member in family.members}
    width = family.members[0].architecture.d_model
    save_heads(random_heads(width, models=models), folder / "own.safetensors")
    noted = {family.members[1].name: "7" * 64}
    save_heads(random_heads(width, models=models, trained_on=noted), folder / "other.safetensors")
    save_heads(random_heads(width), folder / "fakes.safetensors")
    return folder


@pytest.mark.parametrize(
    ("heads", "compared", "message"),
    [
        (["--heads", "own"], ["none"], "none.safetensors"),
        (["--heads", "own"], ["other"], "trained on other weights of demo-large"),
        (["--heads", "own"], ["fakes"], "the heads are not for demo-small"),
        (["--heads", "own"], ["own"], "two have one: own, own"),
        (["--models", "sam2.1"], ["own"], "--compare needs heads to compare with, and family sam2"),
    ],
)
def test_heads_that_cannot_be_compared_are_told(folder, tmp_path, capsys, heads, compared, message):
    words = [str(folder / f"{word}.safetensors") if word == "own" else word for word in heads]
    paths = [str(folder / f"{name}.safetensors") for name in compared]
    out = tmp_path / "out"
    command = ["evaluate", "usam", "scenes:2", "--out", str(out), *words, "--compare", *paths]
    assert main(command) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert message in told[-1]
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no data set nowhere"),
        (["scenes:2", "--heads", "no.safetensors"], "no.safetensors"),
        (["scenes:2", "--threads", "0"], "--threads=0"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(tmp_path, capsys, words, message):
    assert main(["evaluate", "usam", *words, "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
