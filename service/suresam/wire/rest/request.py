"""The JSON of a segmentation request."""

from operator import index
from typing import Annotated

import numpy as np
from pydantic import Field, ValidationError

from suresam.domain import (
    AUTO,
    KNOWN_METHODS,
    MOST_PROMPTS,
    Box,
    MaskFormat,
    OutputRequest,
    Point,
    Prompt,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    UncertaintyRequest,
)
from suresam.errors import InvalidPrompt, InvalidRequest
from suresam.wire.rest.model import Float16Body, RequestModel
from suresam.wire.rest.refusal import refusal

# For the document alone: what is out of range is refused where both transports are checked.
_Coordinate = Annotated[float, Field(json_schema_extra={"minimum": 0})]
_Label = Annotated[int, Field(json_schema_extra={"enum": [0, 1]})]
_Method = Annotated[str, Field(json_schema_extra={"enum": list(KNOWN_METHODS)})]

MOST_VALUES = 200_000
"""In a request's JSON, counted by its commas before it is read: to read many millions of short
values takes the interpreter from everybody else for minutes. A request at the default limits of
prompts and points has a quarter of it."""


class PromptBody(RequestModel):
    """What to segment: points, a box, or both. Pixels of the image as displayed."""

    # Long lists are read up to their first mistake: a megabyte of mistakes would cost a second.
    points: tuple[tuple[_Coordinate, _Coordinate], ...] | None = Field(
        default=None, fail_fast=True, description="Clicks as [x, y]."
    )
    labels: tuple[_Label, ...] | None = Field(
        default=None,
        fail_fast=True,
        description="One for each point: 1 foreground, 0 background. Default: all 1.",
    )
    box: tuple[_Coordinate, _Coordinate, _Coordinate, _Coordinate] | None = Field(
        default=None, description="[x1, y1, x2, y2]."
    )
    mask_input: Float16Body | None = Field(
        default=None, description="Logits, usually an earlier answer's low_res_logits."
    )
    prompt_id: str | None = Field(
        default=None,
        description="Handed back with the result; no other prompt of the request has it.",
    )

    @classmethod
    def from_domain(cls, prompt: Prompt) -> "PromptBody":
        """Write a prompt; NumPy's numbers are numbers too.

        Raises:
            InvalidPrompt: a coordinate is no number, a label no whole number, or the like.
        """
        labels, box, mask_input = prompt.labels, prompt.box, prompt.mask_input
        try:
            return cls(
                points=tuple((float(x), float(y)) for x, y in prompt.points),
                labels=None if labels is None else tuple(map(index, labels)),
                box=None if box is None else Box(*map(float, box)),
                mask_input=None if mask_input is None else Float16Body.from_domain(mask_input),
                prompt_id=prompt.prompt_id,
            )
        except ValidationError as error:
            raise InvalidPrompt(refusal(error).message) from error
        except (TypeError, ValueError) as error:
            raise InvalidPrompt(f"the prompt does not fit its JSON: {error}") from error

    def to_domain(self, where: str = "prompt") -> Prompt:
        """The prompt.

        Args:
            where: what an error calls it, for example "prompts[0]".

        Raises:
            InvalidPrompt: the mask input's data does not fit its shape or is not base64.
        """
        mask_input = None
        if self.mask_input is not None:
            try:
                mask_input = self.mask_input.to_domain().astype(np.float32)
            except ValueError as error:
                raise InvalidPrompt(f"{where}.mask_input {error}") from error
        return Prompt(
            points=tuple(Point(x, y) for x, y in self.points or ()),
            labels=self.labels,
            box=None if self.box is None else Box(*self.box),
            mask_input=mask_input,
            prompt_id=self.prompt_id,
        )


class RouteRequestBody(RequestModel):
    """Which member of the family should answer."""

    mode: str = Field(default=AUTO, description='"auto", "small", "large" or a member\'s name.')
    min_gain: float = Field(
        default=RouteRequest().min_gain,
        description="Gain in IoU that justifies the large member.",
        json_schema_extra={"minimum": 0, "maximum": 1},
    )
    max_cost: float | None = Field(
        default=None,
        description="Device milliseconds; null for no bound.",
        json_schema_extra={"minimum": 0},
    )
    progressive: bool = Field(
        default=False,
        description="Only with Accept: text/event-stream, and mode auto: the small member's answer "
        "at once, and then the larger one's if one is asked.",
    )

    @classmethod
    def from_domain(cls, route: RouteRequest) -> "RouteRequestBody":
        """Write the choice of a member."""
        return cls(
            mode=route.mode,
            min_gain=route.min_gain,
            max_cost=route.max_cost,
            progressive=route.progressive,
        )

    def to_domain(self) -> RouteRequest:
        """The choice of a member."""
        return RouteRequest(
            mode=self.mode,
            min_gain=self.min_gain,
            max_cost=self.max_cost,
            progressive=self.progressive,
        )


class UncertaintyRequestBody(RequestModel):
    """Which uncertainty methods run."""

    methods: tuple[_Method, ...] = Field(default=KNOWN_METHODS, fail_fast=True)
    maps: bool = Field(default=False, description="Whether their maps are wanted.")

    @classmethod
    def from_domain(cls, uncertainty: UncertaintyRequest) -> "UncertaintyRequestBody":
        """Write the choice of methods."""
        return cls(methods=uncertainty.methods, maps=uncertainty.maps)

    def to_domain(self) -> UncertaintyRequest:
        """The choice of methods."""
        return UncertaintyRequest(methods=self.methods, maps=self.maps)


class OutputRequestBody(RequestModel):
    """How masks are written."""

    masks: MaskFormat = "rle"
    low_res_logits: bool = Field(default=False, description="For use as a later mask_input.")
    min_region_area: int = Field(
        default=0,
        description="Pixels; smaller islands are removed and smaller holes filled.",
        json_schema_extra={"minimum": 0, "maximum": 2**31 - 1},
    )

    @classmethod
    def from_domain(cls, output: OutputRequest) -> "OutputRequestBody":
        """Write the choice of an encoding."""
        return cls(
            masks=output.masks,
            low_res_logits=output.low_res_logits,
            min_region_area=output.min_region_area,
        )

    def to_domain(self) -> OutputRequest:
        """The choice of an encoding."""
        return OutputRequest(
            masks=self.masks,
            low_res_logits=self.low_res_logits,
            min_region_area=self.min_region_area,
        )


class SegmentRequestBody(RequestModel):
    """Prompts on one image, and how to answer them."""

    prompts: tuple[PromptBody, ...] = Field(
        fail_fast=True, max_length=MOST_PROMPTS, json_schema_extra={"minItems": 1}
    )
    multimask: bool = Field(default=True, description="Three candidates for each prompt, or one.")
    route: RouteRequestBody = RouteRequestBody()
    uncertainty: UncertaintyRequestBody = UncertaintyRequestBody()
    output: OutputRequestBody = OutputRequestBody()
    deadline_ms: float | None = Field(
        default=None,
        description="Milliseconds; null for the default.",
        json_schema_extra={"exclusiveMinimum": 0},
    )
    image_id: str | None = Field(
        default=None, description="An image of the session; null for its first."
    )

    @classmethod
    def from_domain(cls, request: SegmentRequest) -> "SegmentRequestBody":
        """Write a request; its image and its session id travel beside the body.

        Raises:
            InvalidPrompt, InvalidRequest: a value has another type than its field.
        """
        options = request.options
        try:
            return cls(
                prompts=tuple(PromptBody.from_domain(prompt) for prompt in request.prompts),
                multimask=options.multimask,
                route=RouteRequestBody.from_domain(options.route),
                uncertainty=UncertaintyRequestBody.from_domain(options.uncertainty),
                output=OutputRequestBody.from_domain(options.output),
                deadline_ms=request.deadline_ms,
                image_id=request.image_id,
            )
        except ValidationError as error:
            raise refusal(error) from error

    def to_domain(
        self, *, image: bytes | None = None, session_id: str | None = None
    ) -> SegmentRequest:
        """The request on an uploaded image or on a session.

        Raises:
            InvalidPrompt: a mask input's data does not fit its shape or is not base64.
        """
        return SegmentRequest(
            prompts=tuple(
                prompt.to_domain(f"prompts[{i}]") for i, prompt in enumerate(self.prompts)
            ),
            options=SegmentOptions(
                multimask=self.multimask,
                route=self.route.to_domain(),
                uncertainty=self.uncertainty.to_domain(),
                output=self.output.to_domain(),
            ),
            image=image,
            session_id=session_id,
            image_id=self.image_id,
            deadline_ms=self.deadline_ms,
        )


def parse_segment_request(
    text: str | bytes, *, image: bytes | None = None, session_id: str | None = None
) -> SegmentRequest:
    """Read a request's JSON.

    Whether its numbers make sense (finite, inside the image, within the limits) is not asked here.

    Args:
        text: the JSON.
        image: the uploaded file's bytes, or None.
        session_id: the session of the route, or None.

    Raises:
        InvalidPrompt: a prompt does not have the documented form.
        InvalidRequest: anything else does not, or the text is not JSON.
    """
    comma = b"," if isinstance(text, bytes) else ","
    num_values = text.count(comma) + 1  # type: ignore[arg-type]  # it is of the text's own kind
    if num_values > MOST_VALUES:
        raise InvalidRequest(f"the request has {num_values} values (limit {MOST_VALUES} values)")
    try:
        body = SegmentRequestBody.model_validate_json(text)
    except ValidationError as error:
        raise refusal(error) from error
    return body.to_domain(image=image, session_id=session_id)
