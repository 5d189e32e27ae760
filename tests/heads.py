"""Small UncertainSAM heads at random weights, for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.domain import HeadScores
from suresam.uncertainty.calibration import (
    Calibration,
    Curve,
    Expectations,
    Interval,
    MemberCalibration,
    Reading,
)
from suresam.uncertainty.head_info import HeadInfo
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import PARAMETERS, UsamHeads
from suresam.uncertainty.member_heads import MemberHeads

FAKES = {"fake-small": "iou_small", "fake-large": "iou_large"}


def info_of(**changes: Any) -> HeadInfo:
    """Heads for the two fakes, trained on single clicks and boxes."""
    values: dict[str, Any] = {
        "models": FAKES,
        "pairing": "maker",
        "targets": "every_mask",
        "prompts": ("one_click", "box"),
        "source": "a test",
        "licence": "none",
    }
    return HeadInfo(**values | changes)


def random_weights(num_heads: int, width: int = 1, hidden: int = 8) -> dict[str, Tensor]:
    """Weights large enough that every head says something else of every token."""
    generator = torch.Generator().manual_seed(num_heads + 100 * width)
    shapes = (
        (num_heads, hidden, 2 * width), (num_heads, hidden), (num_heads, hidden, hidden),
        (num_heads, hidden), (num_heads, 1, hidden), (num_heads, 1),
    )  # fmt: skip
    return {
        name: torch.randn(shape, generator=generator) / shape[-1] ** 0.5
        for name, shape in zip(PARAMETERS, shapes, strict=True)
    }


def random_heads(width: int = 1, **changes: Any) -> UsamHeads:
    """Heads that read tokens of a width."""
    info = info_of(**changes)
    return UsamHeads(info, random_weights(len(info.names), width))


def heads_of(model: str, largest: str = "fake-large", **changes: Any) -> MemberHeads:
    """Heads of one of the fakes, as the engine holds them."""
    calibration = changes.pop("calibration", None)
    heads = random_heads(**changes)
    reading = HeadReading(heads.info, model, largest, calibration)
    return MemberHeads("usam-fake", "1" * 64, heads, reading)


class _RedHeads:
    """In the place of `UsamHeads`: what they tell of a fake's tokens is the picture's red value."""

    def score(self, iou_token: Tensor, mask_tokens: Tensor) -> Tensor:
        return (iou_token[:, None] * 1000).expand(-1, mask_tokens.shape[1], 1)


class _RedReading:
    """In the place of `HeadReading`: gains by red value."""

    calibrated = calibration = None

    def __init__(self, gains: Mapping[int, Mapping[str, float]]) -> None:
        self._gains = gains

    def read(
        self, values: NDArray[np.float64], decoder: object, tokens: Sequence[int], kind: object
    ) -> tuple[HeadScores, ...]:
        gains = self._gains.get(round(values[0, 0]), {})
        return (HeadScores({}, None, None, None, True, gain_by_member=gains),) * len(tokens)


def expecting_gains(model: str, gains: Mapping[int, Mapping[str, float]]) -> dict[str, MemberHeads]:
    """Heads of a fake that expect of larger members what a picture's red value says.

    Args:
        model: the fake that has them.
        gains: in IoU by larger member, by red value; other pictures give no estimate.
    """
    heads: Any = _RedHeads()
    reading: Any = _RedReading(gains)
    return {model: MemberHeads("red", "1" * 64, heads, reading)}


def calibration_of(*models: str, **changes: Any) -> Calibration:
    """Expects the own head's output, cut to a rising curve; gains are half of their heads'."""
    half = Curve((-1.0, 1.0), (-0.5, 0.5))
    members = {}
    for model in models:
        told = [
            Expectations(
                Reading(
                    {FAKES.get(model, f"iou_{model}"): 1.0, "predicted_iou": 0.5, "entropy": 0.0},
                    Curve((0.0, 1.5), (0.1, 0.9)),
                ),
                Interval((0.5,), (-0.2, -0.1), (0.3, 0.05)),
                {
                    "model_gap": Reading({"model_gap": 1.0}, half),
                    "prompt_gap": Reading({"prompt_gap_derived": 1.0}, half),
                },
            )
            for _ in range(2)
        ]
        members[model] = MemberCalibration(*told)
    values: dict[str, Any] = {
        "name": "fitted",
        "dataset": "a test",
        "level": 0.9,
        "heads_sha256": "1" * 64,
        "trained_on": {},
        "members": members,
    }
    return Calibration(**values | changes)


def expecting(**gains: float) -> dict[str, MemberHeads]:
    """Heads of the small fake, calibrated to expect the same gains of every mask."""
    calibration = calibration_of("fake-small")
    readings = {name: Reading({"entropy": 1.0}, Curve((0.0,), (g,))) for name, g in gains.items()}
    member = calibration.members["fake-small"]
    for told in (member.one_click, member.other):
        told.gains.clear()
        told.gains.update(readings)
    return {"fake-small": heads_of("fake-small", calibration=calibration)}


def write_published(folder: Path, names: tuple[str, ...], width: int = 3, hidden: int = 8) -> None:
    """A folder of heads laid out as upstream publishes them."""
    weights = random_weights(len(names), width, hidden)
    for index, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        head = {parameter: weights[parameter][index].clone() for parameter in PARAMETERS}
        torch.save(head, folder / name / "model.pth")
