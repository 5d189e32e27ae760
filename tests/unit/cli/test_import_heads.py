"""`suresam models import-heads`: published heads become one file that a server finds."""

import pytest
from heads import write_published

from suresam.cli import main
from suresam.uncertainty.heads import load_heads
from suresam.uncertainty.published_heads import published_info

NAMES = published_info("sam2.1").names


def test_the_family_is_the_folders_name(tmp_path, capsys):
    write_published(tmp_path / "sam2.0", NAMES)
    own = tmp_path / "own" / "models"
    own.mkdir(parents=True)
    command = ["models", "import-heads", str(tmp_path / "sam2.0"), "--models-dir", str(own)]
    assert main(command) == 0
    path = own / "usam-sam2.0.safetensors"
    assert str(path) in capsys.readouterr().out
    assert path.stat().st_mode & 0o044  # others may read it: the server need not be its owner
    assert load_heads(path).info == published_info("sam2.0")


def test_the_family_may_be_named(tmp_path):
    write_published(tmp_path / "mlps", NAMES)
    command = ["models", "import-heads", str(tmp_path / "mlps"), "--models-dir", str(tmp_path)]
    assert main([*command, "--family", "sam2.1"]) == 0
    assert "sam2.1_hiera_tiny" in load_heads(tmp_path / "usam-sam2.1.safetensors").info.models


def test_heads_of_the_other_family_are_not_taken_for_this_one(tmp_path, capsys):
    write_published(tmp_path / "sam2.0", NAMES)
    command = ["models", "import-heads", str(tmp_path / "sam2.0"), "--models-dir", str(tmp_path)]
    assert main([*command, "--family", "sam2.1"]) == 2
    assert "is named for sam2.0, and --family is sam2.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        ("mlps", [], "--family is sam2.0 or sam2.1, and 'mlps' is neither"),
        ("mlps", ["--family", "demo"], "'demo' is neither"),
        ("sam2.1", [], "no folder"),
        (".", ["--family", "sam2.1"], "lacks iou_tiny, iou_small"),
    ],
)
def test_wrong_use_is_told_on_one_line(tmp_path, capsys, folder, options, message):
    (tmp_path / "mlps").mkdir()
    command = ["models", "import-heads", str(tmp_path / folder), "--models-dir", str(tmp_path)]
    assert main([*command, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*.safetensors"))
