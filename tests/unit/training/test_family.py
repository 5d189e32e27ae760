import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from suresam import Segmenter
from suresam.errors import CheckpointError, ConfigurationError
from suresam.segmentation.manifests import load_family, load_manifest
from suresam.segmentation.weights import file_sha256
from suresam.training.family import FamilyOptions, train_family
from suresam.training.segmenter import REPORT_FILE
from suresam.uncertainty.advice import ACTIONS


@pytest.fixture
def options(tmp_path: Path, tiny_recipe) -> FamilyOptions:
    for name, size in (("little", 128), ("big", 256)):
        values = tiny_recipe.to_dict()
        values["scene_size"] = values["architecture"]["input_size"] = size
        values["joint"]["sizes"] = [[0.0, size]]
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    plan = {
        "name": "pair",
        "description": "Two models that know nothing yet.",
        "licence": "MIT",
        "members": [
            {"name": "pair-little", "recipe": str(tmp_path / "little.json"), "share": 0.5},
            {"name": "pair-big", "recipe": str(tmp_path / "big.json"), "share": 0.5,
             "init_from": "pair-little"},
        ],
        "heads": {"name": "usam-pair", "scenes": 3, "judged_scenes": 3,
                  "calibration": "pair-scenes", "calibration_scenes": 40},
    }  # fmt: skip
    path = tmp_path / "pair.json"
    path.write_text(json.dumps(plan))
    return FamilyOptions(
        plan=str(path),
        hours=0.001,
        out=tmp_path / "models",
        card=tmp_path / "card.md",
        state=tmp_path / "state",
        device="cpu",
        targets=4,
    )


def test_one_command_trains_measures_installs_and_the_result_serves(options):
    assert train_family(options, io.StringIO())
    family = load_family(str(options.out / "families" / "pair.json"))
    little, big = family.members
    assert (little.name, big.name) == ("pair-little", "pair-big")
    assert big.provenance["init_from"]["sha256"] == little.sha256
    assert little.provenance["seed"] + 1 == big.provenance["seed"]
    figures = big.provenance["figures"]["scenes:250"]
    assert figures["num_targets"] == 4
    assert 0 <= figures["click_top"] <= figures["click_best_of_three"] <= 1
    card = options.card.read_text()
    assert "Two models that know nothing yet." in card
    assert "| started from | nothing | pair-little |" in card
    assert f"{figures['box']:.3f} [" in card
    evaluated = json.loads((options.state / "evaluations/scenes:250/report.json").read_text())
    assert evaluated["weights"]["pair-big"]["sha256"] == big.sha256
    segmenter = Segmenter(str(options.out / "families" / "pair.json"), "large", device="cpu")
    answer = segmenter.segment(np.zeros((40, 50, 3), np.uint8), points=[(20, 20)])
    assert answer.masks.shape == (3, 40, 50)
    assert "| SamScore |" in card
    assert "| Delta* - Entropy |" in card
    assert len(answer.heads) == 3
    assert set(answer.heads[0].values) >= {"iou_pair-little", "task_gap", "task_gap_derived"}
    assert answer.heads[0].in_regime
    assert answer.heads[0].calibration == little.calibration == "pair-scenes"
    assert 0 <= answer.heads[0].expected_iou <= 1
    assert "| coverage of the interval |" in card
    assert "## Calibration pair-scenes on scenes:3" in card
    assert "| following the advice |" in card
    assert answer.advice.action in ACTIONS


def test_nothing_is_installed_before_all_is_measured_and_what_is_done_is_not_done_again(
    options, monkeypatch
):
    _without_heads(options)

    def fail(*args: object, **more: object) -> None:
        raise RuntimeError("the machine went away")

    with monkeypatch.context() as patch:
        patch.setattr("suresam.training.family.evaluate", fail)
        with pytest.raises(RuntimeError, match="went away"):
            train_family(options, io.StringIO())
    assert [path for path in options.out.rglob("*") if path.is_file()] == []
    assert not options.card.exists()
    weights = options.state / "pair-big.safetensors"
    before = weights.stat().st_mtime_ns
    told = io.StringIO()
    assert train_family(options, told)
    assert weights.stat().st_mtime_ns == before
    assert "training" not in told.getvalue()
    with pytest.raises(CheckpointError, match="holds a training with another hours"):
        train_family(replace(options, hours=0.002), told)
    with pytest.raises(CheckpointError, match="holds a training with another recipe"):
        train_family(replace(options, scenes=7), told)


def test_weights_can_be_kept_while_all_that_rests_on_them_is_made_anew(options):
    _without_heads(options)
    assert train_family(options, io.StringIO())
    before = load_manifest("pair-big", options.out)
    state = options.state.with_name("anew")
    anew = replace(options, hours=None, keep_weights=True, targets=3, state=state)
    # A member that was trained further takes its place in the state folder.
    told = state / "pair-little" / REPORT_FILE
    told.parent.mkdir(parents=True)
    weights = load_file(options.state / "pair-little.safetensors")
    save_file(
        {name: value + 1 for name, value in weights.items()}, state / "pair-little.safetensors"
    )
    report = json.loads((options.state / "pair-little" / REPORT_FILE).read_text())
    mine = (state / "pair-little.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=r"is kept only with .*report\.json"):
        train_family(anew, io.StringIO())
    assert (state / "pair-little.safetensors").read_bytes() == mine
    told.write_text(json.dumps(report))
    with pytest.raises(CheckpointError, match=r"is not about .*pair-little\.safetensors"):
        train_family(anew, io.StringIO())
    report["weights"]["sha256"] = file_sha256(state / "pair-little.safetensors")
    report["training_hours"] = 12.0
    told.write_text(json.dumps(report))
    assert train_family(anew, io.StringIO())
    little, big = (load_manifest(name, options.out) for name in ("pair-little", "pair-big"))
    assert little.sha256 == report["weights"]["sha256"]
    assert little.provenance["training_hours"] == 12.0
    assert big.sha256 == before.sha256
    assert big.provenance["figures"]["scenes:250"]["num_targets"] == 3
    assert before.provenance["figures"]["scenes:250"]["num_targets"] == 4
    assert "| training, h | 12" in options.card.read_text()


def _without_heads(options: FamilyOptions) -> None:
    plan = json.loads(Path(options.plan).read_text())
    del plan["heads"]
    Path(options.plan).write_text(json.dumps(plan))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hours": None}, "give either --hours of training or --keep-weights, not both"),
        ({"keep_weights": True}, "give either --hours of training or --keep-weights, not both"),
        ({"hours": None, "keep_weights": True, "scenes": 5}, "--keep-weights trains no member"),
        ({"hours": None, "keep_weights": True}, "no weights of pair-little to keep: neither"),
        ({"refit": "scenes:10"}, "at least 40"),
        ({"hours": 0.0}, "--hours must be positive, got 0"),
        ({"datasets": ("nowhere",)}, "nowhere"),
        ({"plan": "nobody"}, "no such family plan: nobody"),
        ({"seed": 999}, "seed 1000 lies outside 0..999"),
        ({"targets": 0}, "at least 1 target"),
    ],
)
def test_a_mistake_is_told_before_the_training(options, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        train_family(replace(options, **changes), io.StringIO())
    assert not list(options.state.rglob("*.safetensors"))
