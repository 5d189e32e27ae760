"""Two members' answers to one prompt, side by side."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from suresam.domain import Prediction, Prompt, PromptKind
from suresam.routing.matching import mask_iou, match_masks

_Share = Annotated[float, Field(ge=0, le=1)]
_Signed = Annotated[float, Field(ge=-1, le=1)]
_Cost = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Numbers alone: nothing of the picture, of where the prompt is, or of who asked.

    Attributes:
        prompt: what the prompt was made of.
        multimask: whether three masks were wanted; of these the best ones are compared.
        in_regime: whether the small member's heads saw such prompts in training.
        expected_gain: in IoU, what the small member's answer let expect: the prediction that is
            put to the test.
        small_expected_iou, large_expected_iou: what each member expects of its own answer,
            calibrated.
        iou: between the two answers, measured.
        matched_iou: likewise, between the small member's answer and the large member's mask that
            would stand in its place. Far above `iou`, the large member chose another candidate.
        gain: in IoU, estimated: large_expected_iou - small_expected_iou, cut to +-(1 - iou).
        small_ms, large_ms: of the device, measured, with the encode where there was one.
    """

    prompt: PromptKind
    multimask: bool
    in_regime: bool
    expected_gain: _Signed
    small_expected_iou: _Share
    large_expected_iou: _Share
    iou: _Share
    matched_iou: _Share
    gain: _Signed
    small_ms: _Cost
    large_ms: _Cost

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False
    )


def compare(
    prompt: Prompt, small: Prediction, large: Prediction, member: str, costs_ms: tuple[float, float]
) -> Comparison | None:
    """What the large member would have gained; None where one of the two expects nothing.

    Args:
        prompt: that both answered.
        small, large: with masks and heads.
        member: name of the large one.
        costs_ms: of the device, what each answer took.
    """
    if small.heads is None or large.heads is None:
        return None
    said, other = small.heads[small.best], large.heads[large.best]
    expected_gain = said.gain_by_member.get(member)
    if expected_gain is None or said.expected_iou is None or other.expected_iou is None:
        return None
    assert small.mask_bits is not None, "the service asks for masks, whatever its callers want"
    assert large.mask_bits is not None, "likewise"
    mine, place = small.mask_bits[small.best], match_masks(small.mask_bits, large.mask_bits)
    iou = mask_iou(mine, large.mask_bits[large.best])
    return Comparison(
        prompt=prompt.kind,
        multimask=len(small.tokens) > 1,
        in_regime=said.in_regime,
        expected_gain=expected_gain,
        small_expected_iou=said.expected_iou,
        large_expected_iou=other.expected_iou,
        iou=iou,
        matched_iou=mask_iou(mine, large.mask_bits[place[small.best]]),
        gain=bounded_gain(said.expected_iou, other.expected_iou, iou),
        small_ms=costs_ms[0],
        large_ms=costs_ms[1],
    )


def bounded_gain(small_expected_iou: float, large_expected_iou: float, iou: float) -> float:
    """A difference of expected IoUs, cut to what two masks of this IoU can differ by.

    1 - IoU is a metric, so for any truth T: |IoU(L, T) - IoU(S, T)| <= 1 - IoU(S, L).

    Args:
        small_expected_iou, large_expected_iou: of masks S and L, [0, 1].
        iou: of the two masks, [0, 1].

    Source: Levandowsky and Winter (1971), "Distance between sets", on the triangle inequality.
    """
    most = 1 - iou
    return min(max(large_expected_iou - small_expected_iou, -most), most)
