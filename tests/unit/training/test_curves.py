import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from suresam.errors import ConfigurationError
from suresam.training.curves import draw_curves, read_log

ENCODER = {"stage": "encoder", "loss": 4.0, "fine": 2.0, "coarse": 2.0, "input_size": 128}
JOINT = {"stage": "joint", "loss": 3.0, "best_iou": 0.5, "top_iou": 0.4, "input_size": 256}


def write_log(folder: Path, entries: list[dict]) -> Path:
    lines = [json.dumps(entry) for entry in entries]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def long_log() -> list[dict]:
    encoder = [ENCODER | {"step": k, "minutes": k / 10} for k in range(1, 10)]
    joint = [JOINT | {"step": k, "minutes": 1 + k / 10} for k in range(1, 10)]
    looks = {"stage": "joint", "step": 9, "minutes": 2.0, "held_out_top_iou": 0.3}
    return [*encoder, *joint, looks]


def inked(path: Path) -> np.ndarray:
    """Where something coloured, neither grey nor white, is drawn."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return np.ptp(pixels, axis=2) > 40


@pytest.mark.parametrize("against", ["minutes", "steps"])
def test_all_three_panels_have_curves(tmp_path, against):
    out = tmp_path / "new" / "curves.png"
    draw_curves(long_log(), out, against)
    panels = np.array_split(inked(out), 3)
    assert all(panel.sum() > 60 for panel in panels)
    assert [path.name for path in out.parent.iterdir()] == ["curves.png"]


def test_steps_count_on_through_the_stages(tmp_path):
    from suresam.training.curves import _places

    places = _places(long_log(), "steps")
    assert places == [*range(1, 10), *range(10, 19), 18]


def test_a_log_of_one_line_can_be_drawn(tmp_path):
    draw_curves([ENCODER | {"step": 1, "minutes": 0.0}], tmp_path / "curves.png")
    upper, _, lower = np.array_split(inked(tmp_path / "curves.png"), 3)
    assert upper.any()
    assert not lower.any()


def test_drawing_leaves_pyplot_alone(tmp_path):
    loaded = "matplotlib.pyplot" in sys.modules
    draw_curves(long_log(), tmp_path / "curves.png")
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_steps_that_were_taken_again_after_a_crash_replace_the_first_ones(tmp_path):
    entries = [ENCODER | {"step": k, "minutes": float(k), "loss": 1.0} for k in range(1, 6)]
    again = [ENCODER | {"step": k, "minutes": k - 0.5, "loss": 2.0} for k in range(3, 5)]
    found = read_log(write_log(tmp_path, entries + again))
    assert [(entry["step"], entry["loss"]) for entry in found] == [
        (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0),
    ]  # fmt: skip


def test_a_line_that_a_crash_cut_off_is_passed_over(tmp_path):
    write_log(tmp_path, [ENCODER | {"step": 1, "minutes": 0.0}])
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"stage": "enc')
    assert len(read_log(tmp_path)) == 1


@pytest.mark.parametrize(("text", "message"), [(None, "no training log at"), ("", "is empty")])
def test_without_a_log_there_is_nothing_to_draw(tmp_path, text, message):
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_log(tmp_path)


def test_without_matplotlib_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"pip install -e '\.\[train\]'"):
        draw_curves(long_log(), tmp_path / "curves.png")
