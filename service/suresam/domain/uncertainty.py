"""How far an answer can be trusted, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suresam.domain.geometry import Point


@dataclass(frozen=True, slots=True, eq=False)
class HeadScores:
    """What the UncertainSAM heads say of one mask.

    Attributes:
        values: by name: IoU heads in (0, 1), gap heads in (-0.5, 0.5), and `*_gap_derived`, the
            differences of two IoU heads.
        model_gap, prompt_gap, task_gap: expected gains in IoU, signed; None where no head speaks
            of this model.
        in_regime: whether the heads saw prompts of this kind in training.
        expected_iou: calibrated, [0, 1], or None without a calibration.
        expected_iou_interval: its (low, high), likewise.
        calibration: name of that calibration.
        next_click_gain: calibrated gain in IoU of one more click, where the candidates disagree
            most; None without a calibration, or where that does not tell it.
        gain_by_member: calibrated gain in IoU of every larger member, cheapest first; empty
            without a calibration. The largest one's is `model_gap`.
    """

    values: Mapping[str, float]
    model_gap: float | None
    prompt_gap: float | None
    task_gap: float | None
    in_regime: bool
    expected_iou: float | None = None
    expected_iou_interval: tuple[float, float] | None = None
    calibration: str | None = None
    next_click_gain: float | None = None
    gain_by_member: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about the best mask.

    Attributes:
        action: "accept", "add_point", "choose_mask", "use_large" or "review".
        reason: in words, with the expected gain.
        point: of the click to add.
        label: what that click is expected to say; a person who sees the image knows better.
    """

    action: str
    reason: str
    point: Point | None = None
    label: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintyMap:
    """A scalar for every low-resolution pixel, (h, w) float16; higher means trust it less."""

    values: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """How far one mask can be trusted; what was not computed is None.

    Attributes:
        score: higher means trust it less, [0, 1].
        expected_iou: calibrated expectation, [0, 1].
        expected_iou_interval: its (low, high).
        entropy: foreground-weighted mean binary entropy, bits, [0, 1].
        model_gap, prompt_gap, task_gap: signed expected gains in IoU.
        heads: raw output by head name.
        maps: by method name.
        in_regime: whether the heads were trained on such prompts.
        method, calibration: where score and expected IoU come from.
    """

    score: float | None = None
    expected_iou: float | None = None
    expected_iou_interval: tuple[float, float] | None = None
    entropy: float | None = None
    model_gap: float | None = None
    prompt_gap: float | None = None
    task_gap: float | None = None
    heads: Mapping[str, float] | None = None
    maps: Mapping[str, UncertaintyMap] | None = None
    in_regime: bool | None = None
    method: str | None = None
    calibration: str | None = None
