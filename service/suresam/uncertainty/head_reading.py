"""What the numbers of the heads mean for one model of a family."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from suresam.domain import HeadScores, PromptKind
from suresam.errors import CheckpointError
from suresam.uncertainty.answer_scores import COMPANY, answer_scores
from suresam.uncertainty.calibration import Calibration, Readings
from suresam.uncertainty.head_info import (
    DENSE_PROMPT,
    GAPS,
    MODEL_GAP,
    PROMPT_GAP,
    TASK_GAP,
    UNSUPERVISED,
    HeadInfo,
)

NEXT_CLICK = "next_click_gain"
"""A gain that no head learned: what following an advised click adds."""

_EXPECTED_IOU = "expected_iou"

_NO_GAP = 1e-3
"""IoU below which the heads see no difference between two members."""

DERIVED = "_derived"
"""Ends the names of gaps that are differences of IoU heads."""


class HeadReading:
    """Turns the outputs of the heads into gains that a caller understands.

    Args:
        info: of the heads.
        model: the checkpoint that makes the masks.
        largest: the last member of the family that is served.
        calibration: of the family, or None; then no IoU is expected and gaps are the direct heads'.
        between: members larger than the model and smaller than the largest, cheapest first.

    Attributes:
        own_head: name of the model's own IoU head.
        calibration: name of the one that is followed, or None.
        calibrated: what it says of the model, or None.

    Raises:
        CheckpointError: heads or calibration do not know the model, or the calibration reads scores
            that there are not.
    """

    def __init__(
        self,
        info: HeadInfo,
        model: str,
        largest: str,
        calibration: Calibration | None = None,
        between: Sequence[str] = (),
    ) -> None:
        if model not in info.models:
            raise CheckpointError(
                f"the heads are not for {model}: they know {', '.join(info.models)}"
            )
        ends = (next(iter(info.models)), next(reversed(info.models)))
        self._info = info
        self.own_head = info.models[model]
        self._large = info.models.get(largest) if model != largest else None
        self._largest = largest
        self._between = [name for name in between if name in info.models]
        # The direct head learned the gain of one pair of models, and says nothing of another.
        self._has_model_gap = (model, largest) == ends and model != largest
        self.calibration = None if calibration is None else calibration.name
        self.calibrated = None
        if calibration is not None:
            if model not in calibration.members:
                raise CheckpointError(
                    f"calibration {calibration.name} is not for {model}: it knows "
                    f"{', '.join(calibration.members)}"
                )
            self.calibrated = calibration.members[model]
            self._check_scores(calibration)
            self._readings = {kind: self._told(kind) for kind in get_args(PromptKind)}

    def _check_scores(self, calibration: Calibration) -> None:
        """Refuse a calibration that reads what nobody tells, before it is asked for."""
        assert self.calibrated is not None
        of_heads = {*self._info.names, *(gap + DERIVED for gap in GAPS)}
        known = of_heads | set(COMPANY)
        for told in (self.calibrated.one_click, self.calibrated.other):
            for reading in (told.expected, *told.gains.values()):
                if unknown := reading.weights.keys() - known:
                    raise CheckpointError(
                        f"calibration {calibration.name} reads scores that these heads and the "
                        f"decoder do not have: {', '.join(sorted(unknown))}"
                    )
            if unknown := told.gains.keys() - {*GAPS, NEXT_CLICK}:
                raise CheckpointError(
                    f"calibration {calibration.name} tells unknown gains: "
                    f"{', '.join(sorted(unknown))}"
                )

    def _told(self, kind: PromptKind) -> Readings:
        """The expected IoU and every gain that the model's scores tell after such a prompt."""
        assert self.calibrated is not None
        told = self.calibrated.of(kind)
        known = {*self.named(np.zeros((4, len(self._info.names)))), *COMPANY}
        return Readings({_EXPECTED_IOU: told.expected} | told.readable(known))

    def named(self, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every head that speaks of the model by name, and the gaps that are differences of two.

        Args:
            values: (..., T, H) as `UsamHeads.score` gives them, for decoder tokens 0 to 3.

        Returns:
            (..., T) each. Without a larger member there is no `model_gap_derived`, and `model_gap`
            is there for the pair of models that it was trained on.
        """
        named = {name: values[..., i] for i, name in enumerate(self._info.names)}
        if not self._has_model_gap:
            del named[MODEL_GAP]
        own = named[self.own_head]
        if self._large is not None:
            named[MODEL_GAP + DERIVED] = named[self._large] - own
        named[PROMPT_GAP + DERIVED] = named[DENSE_PROMPT] - own
        if self._info.targets == "best_mask":  # the own head then means the best of the three
            named[TASK_GAP + DERIVED] = own - named[UNSUPERVISED]
        else:
            named[TASK_GAP + DERIVED] = own[..., 1:].max(-1, keepdims=True) - own
        return named

    def read(
        self,
        values: NDArray[np.float64],
        decoder: Mapping[str, NDArray[np.float64]],
        tokens: Sequence[int],
        kind: PromptKind,
    ) -> tuple[HeadScores, ...]:
        """The scores of one answer's masks.

        Args:
            values: (T, H), of decoder tokens 0 to 3.
            decoder: of the same tokens, as `answer_scores` takes it; not read without a
                calibration.
            tokens: those that made the masks.
            kind: of the prompt.
        """
        named = self.named(values)
        gains: Mapping[str, NDArray[np.float64]] = named
        expected = interval = None
        if self.calibrated is not None:
            gains = self._readings[kind](named | answer_scores(decoder))
            expected = gains[_EXPECTED_IOU]
            interval = np.stack(self.calibrated.of(kind).interval.around(expected), -1)
        by_token = {name: value.tolist() for name, value in named.items()}
        wanted = (MODEL_GAP, PROMPT_GAP, TASK_GAP, NEXT_CLICK)
        told_gains = {
            gain: gains[gain].tolist() if gain in gains else [None] * 4 for gain in wanted
        }
        return tuple(
            HeadScores(
                {name: value[token] for name, value in by_token.items()},
                told_gains[MODEL_GAP][token],
                told_gains[PROMPT_GAP][token],
                told_gains[TASK_GAP][token],
                in_regime=kind in self._info.prompts,
                expected_iou=None if expected is None else float(expected[token]),
                expected_iou_interval=None if interval is None else _pair(interval[token]),
                calibration=self.calibration,
                next_click_gain=told_gains[NEXT_CLICK][token],
                gain_by_member=self._gain_by_member(
                    told_gains[MODEL_GAP][token],
                    {name: value[token] for name, value in by_token.items()},
                ),
            )
            for token in tokens
        )

    def _gain_by_member(
        self, model_gap: float | None, values: Mapping[str, float]
    ) -> dict[str, float]:
        """What each larger member is expected to gain.

        Only the largest one's gain is calibrated. One in between is given the part of it that its
        own IoU head stands above the model's, as the largest one's head does.
        """
        if self.calibrated is None or model_gap is None or self._large is None:
            return {}
        own = values[self.own_head]
        whole = values[self._large] - own
        gains = {}
        for name in self._between:
            part = (values[self._info.models[name]] - own) / whole if whole > _NO_GAP else 1.0
            gains[name] = model_gap * min(max(part, 0.0), 1.0)
        return gains | {self._largest: model_gap}


def _pair(ends: NDArray[np.float64]) -> tuple[float, float]:
    return float(ends[0]), float(ends[1])
