from pathlib import Path

import pytest

from suresam.segmentation.architecture import Architecture
from suresam.segmentation.manifests import ModelManifest
from suresam.training.family_plan import FamilyPlan
from suresam.training.model_card import BEGIN, END, card_text

NAMES = ("a", "b")
QUESTIONS = (
    "click_top", "click_best_of_three", "two_clicks", "three_clicks", "four_clicks", "six_clicks",
    "eight_clicks_at_once", "box", "box_corners_only", "box_and_click", "coarse_mask_and_click",
)  # fmt: skip


def _figures(value):
    estimate = {"value": value, "low": value - 0.02, "high": value + 0.02}
    figures = {question: {"iou": {"all": estimate}} for question in QUESTIONS}
    figures["click_top"] |= {"pearson": {"all": estimate}, "mean_signed_error": {"all": estimate}}
    return figures


REPORT = {
    "dataset": {"name": "somewhere"},
    "targets": {"num_measured": 12, "images_measured": 5, "min_share": 0.01},
    "intervals": {"level": 0.95},
    "models": {"a": {"figures": _figures(0.5)}, "b": {"figures": _figures(0.6)}},
    "differences": {
        "b - a": {
            "cost_ratio": {"encode_ms": 3.94, "encode_gflops": 4.0, "decode_ms": 1.2},
            "figures": _figures(0.1),
        }
    },
    "baselines": {"grabcut": {"figures": {"iou": {"all": {"value": None}}}}},
    "words": {question: question for question in QUESTIONS} | {"grabcut": "GrabCut"},
}


def _manifest(name: str) -> ModelManifest:
    provenance = {
        "num_parameters": 1_400_000, "training_hours": 1.5, "joint_steps": 2000, "seed": 3,
        "data": {"views_seen": 16000, "training_scene_seeds": [3_000_000, 3_005_000]},
        "recipe": {"scenes": 5000}, "machine": "M 1", "device": "cpu", "processes": 2,
        "commit": "abc" * 10,
        "init_from": None if name == "a" else {"file": "x/a.safetensors", "averaged_with_it": True},
    }  # fmt: skip
    return ModelManifest(
        name, "here", "MIT", Architecture(), f"{name}.safetensors", provenance=provenance
    )


@pytest.fixture
def write(tmp_path: Path):
    path = tmp_path / "card.md"
    plan = FamilyPlan.model_validate(
        {
            "name": "pair", "description": "Two models.", "licence": "MIT",
            "members": ({"name": "a", "recipe": "x", "share": 0.5},
                        {"name": "b", "recipe": "x", "share": 0.5}),
        }
    )  # fmt: skip

    def write() -> str:
        before = path.read_text() if path.exists() else None
        manifests = [_manifest(name) for name in NAMES]
        path.write_text(card_text(before, plan, manifests, [REPORT], {"processor": "P 9"}))
        return path.read_text()

    return path, write


def test_a_new_card_tells_training_figures_with_intervals_costs_and_baselines(write):
    _, write_it = write
    text = write_it()
    assert text.startswith("# pair\n")
    assert "Two models." in text
    assert "| training, h | 1.5 | 1.5 |" in text
    assert "| started from | nothing | a, averaged with it |" in text
    assert "| scene seeds | from 3,000,000 to 3,004,999 |" in text
    assert "| box | 0.500 [0.480, 0.520] | 0.600 [0.580, 0.620] | 0.100 [0.080, 0.120] |" in text
    assert "| encode, time | 3.9 |" in text
    assert "| GrabCut | - |" in text
    assert "12 targets of 5 pictures, each at least 1 % of its picture" in text


def test_what_a_person_wrote_round_the_figures_stays(write):
    path, write_it = write
    path.write_text(f"# Ours\n\nA story.\n\n{BEGIN}\nold figures\n{END}\n\n## Log\n\nMuch tried.\n")
    text = write_it()
    assert text.startswith(f"# Ours\n\nA story.\n\n{BEGIN}\nTwo models.")
    assert text.endswith(f"{END}\n\n## Log\n\nMuch tried.\n")
    assert "old figures" not in text
    assert write_it() == text


def test_a_card_without_the_marks_gets_the_figures_at_its_end(write):
    path, write_it = write
    path.write_text("# Ours\n\nA story.\n")
    text = write_it()
    assert text.startswith(f"# Ours\n\nA story.\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n")
