"""The real command over a few scenes, with the models that ship and with weights of one's own."""

import csv
import json
from pathlib import Path

import pytest
from integration.conftest import ROOT, run_suresam
from PIL import Image

from suresam.cli import main
from suresam.evaluation.measuring import BASELINES
from suresam.evaluation.questions import QUESTIONS
from suresam.segmentation.weights import file_sha256

SCENES = 3


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("evaluation") / "report"
    told = run_suresam(
        "evaluate", "segmenter", f"scenes:{SCENES}", "--out", str(out), "--grabcut", "3",
        "--device", "cpu", "--threads", "2",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return out, told.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_what_its_help_says(run):
    out, _ = run
    assert {path.name for path in out.iterdir()} == {
        "report.json", "figures.csv", "targets.csv", "figures.png",
        "contact-demo-small.png", "contact-demo-large.png",
    }  # fmt: skip
    for path in out.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 400


def test_figures_are_the_means_of_the_targets(run):
    out, table = run
    report = json.loads((out / "report.json").read_text())
    targets = rows(out / "targets.csv")
    assert len(targets) == report["targets"]["num_measured"] == 2 * SCENES
    assert len({target["image_id"] for target in targets}) == SCENES
    figures = {(f["who"], f["question"], f["measure"], f["size"]): f
               for f in rows(out / "figures.csv")}  # fmt: skip

    def mean(column: str) -> float:
        values = [float(target[column]) for target in targets if target[column]]
        return sum(values) / len(values)

    for model in ("demo-small", "demo-large"):
        for question in QUESTIONS:
            for measure, ending in (("iou", ""), ("boundary_f", "_boundary_f")):
                figure = figures[model, question, measure, "all"]
                value = mean(f"{model}.{question}{ending}")
                assert float(figure["value"]) == pytest.approx(value, abs=1e-5)
                assert float(figure["low"]) <= value <= float(figure["high"])
                told = report["models"][model]["figures"][question][measure]["all"]
                assert told["value"] == pytest.approx(value, abs=1e-4)
                if measure == "iou":
                    assert f"{value:.3f} [" in table
        needed = figures[model, "clicks", "clicks_to_iou_0.8", "all"]
        assert float(needed["value"]) == pytest.approx(mean(f"{model}.clicks_to_iou_0.8"), abs=1e-5)
    for baseline in BASELINES:
        figure = figures[baseline, baseline, "iou", "all"]
        assert float(figure["value"]) == pytest.approx(mean(baseline), abs=1e-5)
    asked = [target for target in targets if target["grabcut"]]
    assert int(figures["grabcut", "grabcut", "iou", "all"]["targets"]) == len(asked)
    assert 0 < len(asked) < len(targets)
    beside = figures["demo-small", "box", "iou_where_grabcut", "all"]
    boxes = [float(target["demo-small.box"]) for target in asked]
    assert float(beside["value"]) == pytest.approx(sum(boxes) / len(boxes), abs=1e-5)
    assert "(box of demo-small on these targets)" in table
    pair = figures["demo-large - demo-small", "box", "iou", "all"]
    gain = mean("demo-large.box") - mean("demo-small.box")
    assert float(pair["value"]) == pytest.approx(gain, abs=1e-5)


def test_the_report_says_what_was_measured_where_and_how(run):
    out, _ = run
    report = json.loads((out / "report.json").read_text())
    assert report["command"].startswith(f"suresam evaluate segmenter scenes:{SCENES} --out")
    assert report["dataset"]["name"] == f"scenes:{SCENES}"
    assert report["targets"]["seed"] == report["intervals"]["seed"] == 0
    assert {"processor", "accelerator", "suresam"} <= report["machine"].keys()
    assert {"torch", "sam2", "numpy"} <= report["versions"].keys()
    for model, weights in report["weights"].items():
        file = ROOT / "models" / weights["file"]
        assert weights["sha256"] == file_sha256(file)
        cost = report["models"][model]["cost"]
        assert cost["encode_ms"] > cost["decode_ms"] > 0
        assert cost["encode_gflops"] > cost["decode_gflops"] > 0
    ratio = report["differences"]["demo-large - demo-small"]["cost_ratio"]
    assert ratio["encode_gflops"] > 1


def test_weights_of_a_training_are_measured_as_the_registered_ones_are_by_any_processes(
    run, tmp_path
):
    out, _ = run
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes((ROOT / "models" / "demo-small.safetensors").read_bytes())
    manifest = json.loads((ROOT / "models" / "demo-small.json").read_text())
    config = tmp_path / "mine.json"
    config.write_text(json.dumps(_recipe(manifest["architecture"])))
    again = tmp_path / "again"
    command = [
        "evaluate", "segmenter", f"scenes:{SCENES}", "--weights", str(weights),
        "--config", str(config), "--device", "cpu", "--no-baselines", "--out", str(again),
        "--threads", "1",
    ]  # fmt: skip
    assert main(command) == 0
    before, after = rows(out / "targets.csv"), rows(again / "targets.csv")
    for one, other in zip(before, after, strict=True):
        for question in QUESTIONS:
            assert other[f"mine.{question}"] == one[f"demo-small.{question}"]
    assert "filled_box" not in after[0]


def _recipe(architecture: dict[str, object]) -> dict[str, object]:
    size = architecture["input_size"]
    joint = {"sizes": [[0.0, size]]}
    return {"architecture": architecture, "scene_size": size, "joint": joint}
