"""How good a segmenter is on scenes it has not seen, beside what a disc or a box would reach."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suresam.evaluation.discs import disc_figures, disc_ious
from suresam.evaluation.prompts import central_click, choose_targets, correction, tight_box
from suresam.scenes.scene import TEST_SEEDS, draw_scene
from suresam.training.predictor import Answer, Predictor

NUM_SCENES = 250
SCENE_SIZE = 384
TARGETS_PER_SCENE = 2
"""The published figures: 500 clicks on scenes 384 px wide, whatever the model's input size."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Example:
    """A picture (S, S, 3) uint8 RGB and the exact masks (S, S) that are asked for."""

    image: NDArray[np.uint8]
    masks: list[Mask]


def held_out_examples(
    num_scenes: int = NUM_SCENES,
    size: int = SCENE_SIZE,
    per_scene: int = TARGETS_PER_SCENE,
    seeds: range = TEST_SEEDS,
) -> Iterator[Example]:
    """The first scenes of a seed range, each with some of its targets, always the same ones."""
    for seed in seeds[:num_scenes]:
        scene = draw_scene(seed, size)
        area = scene.targets @ np.bincount(scene.leaves.ravel(), minlength=256)
        rng = np.random.default_rng([seed, 1])
        chosen = choose_targets(area, size * size, per_scene, rng)
        yield Example(scene.image, [scene.mask(int(target)) for target in chosen])


def intersection_over_union(predicted: Mask, truth: Mask) -> float:
    """IoU of two bool masks of one shape; 1 if both are empty."""
    either = int((predicted | truth).sum())
    return float((predicted & truth).sum() / either) if either else 1.0


def measure(predictor: Predictor, examples: Iterator[Example] | Sequence[Example]) -> "Measured":
    """Ask for every target of every example in five ways and compare with the truth.

    A click is the pixel farthest from the target's border. Boxes are tight. Corrections
    follow the error, and the earlier logits are given back with them.
    """
    rows: list[dict[str, float]] = []
    discs: list[NDArray[np.float64]] = []
    for number, example in enumerate(examples):
        predictor.look(example.image)
        for truth in example.masks:
            row = {"scene": float(number), "area": float(truth.mean())}
            row |= _clicks(predictor, truth) | _boxes(predictor, truth)
            rows.append(row)
            discs.append(disc_ious(truth, central_click(truth)))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Measured(columns, np.stack(discs))


@dataclass(frozen=True, slots=True)
class Measured:
    """The raw outcome: one value a target in every column, and (N, radii) IoUs of discs."""

    columns: dict[str, NDArray[np.float64]]
    discs: NDArray[np.float64]

    def figures(self) -> dict[str, Any]:
        """Means over the targets, and the baselines chosen on the same targets."""
        columns = self.columns
        disc = disc_figures(self.discs)
        top, predicted = columns["click_top"], columns["click_top_predicted"]
        is_constant = top.std() == 0 or predicted.std() == 0
        correlation = float("nan") if is_constant else float(np.corrcoef(top, predicted)[0, 1])
        means = {
            name: round(float(values.mean()), 4)
            for name, values in columns.items()
            if name != "scene"
        }
        return {
            "num_targets": len(top),
            "num_scenes": len(np.unique(columns["scene"])),
            **means,
            "predicted_true_correlation": None if is_constant else round(correlation, 4),
            "disc_one_radius": round(disc.one_radius, 4),
            "disc_radius": round(disc.radius, 4),
            "disc_best_of_three": round(disc.best_of_three, 4),
            "disc_three_radii": [round(r, 4) for r in disc.three_radii],
        }


def _clicks(predictor: Predictor, truth: Mask) -> dict[str, float]:
    x, y = central_click(truth)
    points = [(x, y, 1)]
    answer = predictor.click(points, None)
    ious = _ious(answer, truth)
    top = answer.top
    current, logits = answer.masks[top], answer.low_res[top]
    for _ in range(2):
        points.append(correction(current, truth))
        refined = predictor.click(points, logits)
        current, logits = refined.masks[0], refined.low_res[0]
    return {
        "click_best_of_three": max(ious[1:]),
        "click_top": ious[top],
        "click_top_predicted": float(answer.predicted_iou[top]),
        "click_single": ious[0],
        "three_clicks": intersection_over_union(current, truth),
    }


def _boxes(predictor: Predictor, truth: Mask) -> dict[str, float]:
    box = tight_box(truth)
    drawn, corners = predictor.box(box, True), predictor.box(box, False)
    filled = np.zeros_like(truth)
    x1, y1, x2, y2 = (int(v) for v in box)
    filled[y1:y2, x1:x2] = True
    ious = _ious(drawn, truth)
    return {
        "box": ious[0],
        "box_top": ious[drawn.top],
        "box_corners_only": intersection_over_union(corners.masks[0], truth),
        "filled_box": intersection_over_union(filled, truth),
    }


def _ious(answer: Answer, truth: Mask) -> list[float]:
    return [intersection_over_union(mask, truth) for mask in answer.masks]
