"""The JSON of a segmentation answer."""

import math

from pydantic import Field

from suresam.domain import (
    Advice,
    ImageSize,
    Mask,
    Point,
    Result,
    ResultError,
    Route,
    SegmentResponse,
    Timings,
)
from suresam.wire.rest.mask import MaskBody
from suresam.wire.rest.model import AnswerModel

_SCORES_BYTES = 600
"""Of everything that an answer says of a mask, without the mask."""


class ImageSizeBody(AnswerModel):
    """Pixels of the image as displayed."""

    width: int
    height: int


class AdviceBody(AnswerModel):
    """What to do about the best mask."""

    action: str = Field(description="accept, add_point, choose_mask, use_large or review.")
    point: tuple[float, float] | None = Field(description="Where to click next, as [x, y].")
    label: int | None = Field(
        description="What that click is expected to say: 1 on the thing, 0 beside it."
    )
    reason: str = Field(description="In words, with the expected gain in IoU.")

    @classmethod
    def from_domain(cls, advice: Advice) -> "AdviceBody":
        """Write an advice."""
        return cls(
            action=advice.action, point=advice.point, label=advice.label, reason=advice.reason
        )

    def to_domain(self) -> Advice:
        """The advice."""
        return Advice(
            action=self.action,
            reason=self.reason,
            point=None if self.point is None else Point(*self.point),
            label=self.label,
        )


class RouteBody(AnswerModel):
    """Which member answered, why, and what it cost."""

    model: str
    role: str | None
    escalated: bool
    reason: str
    expected_gain: float | None
    cost: dict[str, float | None] = Field(description="Device milliseconds by member; and spent.")

    @classmethod
    def from_domain(cls, route: Route) -> "RouteBody":
        """Write the receipt of a routing decision."""
        return cls(
            model=route.model,
            role=route.role,
            escalated=route.escalated,
            reason=route.reason,
            expected_gain=route.expected_gain,
            cost=dict(route.cost),
        )

    def to_domain(self) -> Route:
        """The receipt."""
        return Route(
            model=self.model,
            role=self.role,
            escalated=self.escalated,
            reason=self.reason,
            expected_gain=self.expected_gain,
            cost=self.cost,
        )


class ResultErrorBody(AnswerModel):
    """Why one prompt has no masks."""

    code: str
    message: str
    retry_after_ms: float | None = Field(
        default=None,
        description="Milliseconds after which to send it again; null if that would not help.",
    )

    @classmethod
    def from_domain(cls, error: ResultError) -> "ResultErrorBody":
        """Write the error of one prompt."""
        return cls(code=error.code, message=error.message, retry_after_ms=error.retry_after_ms)

    def to_domain(self) -> ResultError:
        """The error of one prompt."""
        return ResultError(self.code, self.message, self.retry_after_ms)


class ResultBody(AnswerModel):
    """The answer to one prompt: masks, or an error."""

    prompt_id: str | None
    masks: tuple[MaskBody, ...]
    best: int | None = Field(description="Index of the highest predicted_iou.")
    advice: AdviceBody | None
    route: RouteBody | None = Field(description="Null only where no member answered.")
    error: ResultErrorBody | None
    provisional: bool = Field(
        default=False,
        description="Whether a larger member is being asked, whose answer to this prompt follows.",
    )

    @classmethod
    def from_domain(cls, result: Result) -> "ResultBody":
        """Write the answer to one prompt."""
        return cls(
            prompt_id=result.prompt_id,
            masks=tuple(MaskBody.from_domain(mask) for mask in result.masks),
            best=result.best,
            advice=None if result.advice is None else AdviceBody.from_domain(result.advice),
            route=None if result.route is None else RouteBody.from_domain(result.route),
            error=None if result.error is None else ResultErrorBody.from_domain(result.error),
            provisional=result.provisional,
        )

    def to_domain(self) -> Result:
        """The answer to one prompt.

        Raises:
            ValueError: base64 or an array in it is damaged.
        """
        return Result(
            prompt_id=self.prompt_id,
            masks=tuple(mask.to_domain() for mask in self.masks),
            best=self.best,
            advice=None if self.advice is None else self.advice.to_domain(),
            route=None if self.route is None else self.route.to_domain(),
            error=None if self.error is None else self.error.to_domain(),
            provisional=self.provisional,
        )


class TimingsBody(AnswerModel):
    """Milliseconds spent by stage."""

    total: float
    decode_image: float
    queue: float
    encode: float
    decode: float


class SegmentResponseBody(AnswerModel):
    """The answer to a segmentation request, results in the order of its prompts."""

    image: ImageSizeBody | None = Field(
        description="Null only for a prompt of a stream that was refused before its image was seen."
    )
    session_id: str | None
    results: tuple[ResultBody, ...]
    warnings: tuple[str, ...] = Field(description="What was done to the input.")
    timings_ms: TimingsBody

    @classmethod
    def from_domain(cls, response: SegmentResponse) -> "SegmentResponseBody":
        """Write an answer."""
        timings, image = response.timings_ms, response.image
        return cls(
            image=None if image is None else ImageSizeBody(width=image.width, height=image.height),
            session_id=response.session_id,
            results=tuple(ResultBody.from_domain(result) for result in response.results),
            warnings=response.warnings,
            timings_ms=TimingsBody(
                total=timings.total,
                decode_image=timings.decode_image,
                queue=timings.queue,
                encode=timings.encode,
                decode=timings.decode,
            ),
        )

    def to_domain(self) -> SegmentResponse:
        """The answer.

        Raises:
            ValueError: base64 or an array in it is damaged.
        """
        return SegmentResponse(
            image=None if self.image is None else ImageSize(self.image.width, self.image.height),
            session_id=self.session_id,
            results=tuple(result.to_domain() for result in self.results),
            warnings=self.warnings,
            timings_ms=Timings(**self.timings_ms.model_dump()),
        )


def json_bytes(response: SegmentResponse) -> float:
    """About how long an answer's JSON will be, in bytes; known before it is written."""
    return sum(_mask_bytes(mask) for result in response.results for mask in result.masks)


def _mask_bytes(mask: Mask) -> float:
    if mask.polygons is not None or mask.uncertainty.maps is not None:
        return math.inf  # not looked into: they are long as a rule
    size = float(_SCORES_BYTES)
    if mask.rle is not None:
        size += len(mask.rle.counts)
    if mask.png is not None:
        size += len(mask.png) * 4 / 3
    if mask.low_res_logits is not None:
        size += mask.low_res_logits.size * 8 / 3
    return size
