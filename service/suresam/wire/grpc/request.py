"""The messages of a segmentation request."""

import numpy as np

from suresam.domain import (
    MOST_PROMPTS,
    Box,
    InteractHeader,
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
from suresam.pb import segmentation_pb2 as pb
from suresam.wire.grpc.array import array_from_proto, array_to_proto

_FORMATS: dict[pb.MaskFormat, MaskFormat] = {
    pb.MASK_FORMAT_UNSPECIFIED: OutputRequest().masks,
    pb.MASK_FORMAT_RLE: "rle",
    pb.MASK_FORMAT_PNG: "png",
    pb.MASK_FORMAT_POLYGON: "polygon",
    pb.MASK_FORMAT_NONE: "none",
}

_FORMAT_NUMBERS = {name: number for number, name in _FORMATS.items()}


def prompt_to_proto(prompt: Prompt) -> pb.Prompt:
    """Write a prompt.

    Raises:
        InvalidPrompt: a label is no 32-bit whole number, or a coordinate no number.
    """
    mask_input = prompt.mask_input
    try:
        return pb.Prompt(
            points=[pb.Point(x=x, y=y) for x, y in prompt.points],
            labels=prompt.labels,
            box=None if prompt.box is None else pb.Box(**prompt.box._asdict()),
            mask_input=None if mask_input is None else array_to_proto(mask_input),
            prompt_id=prompt.prompt_id,
        )
    except (TypeError, ValueError) as error:
        raise InvalidPrompt(f"the prompt does not fit its message: {error}") from error


def prompt_from_proto(message: pb.Prompt, where: str = "prompt") -> Prompt:
    """Read a prompt.

    Args:
        message: the prompt.
        where: what an error calls it, for example "prompts[0]".

    Raises:
        InvalidPrompt: the mask input's data does not fit its shape.
    """
    mask_input = None
    if message.HasField("mask_input"):
        try:
            mask_input = array_from_proto(message.mask_input).astype(np.float32)
        except ValueError as error:
            raise InvalidPrompt(f"{where}.mask_input {error}") from error
    box = message.box
    return Prompt(
        points=tuple(Point(point.x, point.y) for point in message.points),
        labels=tuple(message.labels) or None,
        box=Box(box.x1, box.y1, box.x2, box.y2) if message.HasField("box") else None,
        mask_input=mask_input,
        prompt_id=message.prompt_id if message.HasField("prompt_id") else None,
    )


def options_to_proto(options: SegmentOptions) -> pb.SegmentOptions:
    """Write what a request says beside its prompts.

    Raises:
        InvalidRequest: a value has another type or range than its field.
    """
    route, uncertainty, output = options.route, options.uncertainty, options.output
    if output.masks not in _FORMAT_NUMBERS:
        known = ", ".join(_FORMAT_NUMBERS)
        raise InvalidRequest(f"output.masks={output.masks!r} is not one of {known}")
    try:
        return pb.SegmentOptions(
            multimask=options.multimask,
            route=pb.RouteRequest(
                mode=route.mode,
                min_gain=route.min_gain,
                max_cost=route.max_cost,
                progressive=route.progressive,
            ),
            uncertainty=pb.UncertaintyRequest(methods=uncertainty.methods, maps=uncertainty.maps),
            output=pb.OutputRequest(
                masks=_FORMAT_NUMBERS[output.masks],
                low_res_logits=output.low_res_logits,
                min_region_area=output.min_region_area,
            ),
        )
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"the options do not fit their message: {error}") from error


def options_from_proto(message: pb.SegmentOptions) -> SegmentOptions:
    """Read what a request says beside its prompts.

    Raises:
        InvalidRequest: the mask format is none of the known ones.
    """
    default = SegmentOptions()
    route, uncertainty, output = message.route, message.uncertainty, message.output
    if output.masks not in _FORMATS:
        known = ", ".join(pb.MaskFormat.keys()[1:])
        raise InvalidRequest(f"output.masks={output.masks} is not one of {known}")
    return SegmentOptions(
        multimask=message.multimask if message.HasField("multimask") else default.multimask,
        route=RouteRequest(
            mode=route.mode if route.HasField("mode") else default.route.mode,
            min_gain=route.min_gain if route.HasField("min_gain") else default.route.min_gain,
            max_cost=route.max_cost if route.HasField("max_cost") else None,
            progressive=route.progressive,
        ),
        uncertainty=UncertaintyRequest(
            methods=tuple(uncertainty.methods) or default.uncertainty.methods,
            maps=uncertainty.maps,
        ),
        output=OutputRequest(
            masks=_FORMATS[output.masks],
            low_res_logits=output.low_res_logits,
            min_region_area=output.min_region_area,
        ),
    )


def segment_request_to_proto(request: SegmentRequest) -> pb.SegmentRequest:
    """Write a unary request.

    Raises:
        InvalidPrompt, InvalidRequest: a value does not fit its field.
    """
    return pb.SegmentRequest(
        image=request.image,
        session_id=request.session_id,
        image_id=request.image_id,
        prompts=[prompt_to_proto(prompt) for prompt in request.prompts],
        options=options_to_proto(request.options),
        deadline_ms=request.deadline_ms,
    )


def segment_request_from_proto(message: pb.SegmentRequest) -> SegmentRequest:
    """Read a unary request; without an image or a session both are None.

    Raises:
        InvalidPrompt: a mask input's data does not fit its shape, or there are prompts far over
            any limit.
        InvalidRequest: the mask format is none of the known ones.
    """
    if len(message.prompts) > MOST_PROMPTS:
        raise InvalidPrompt(f"{len(message.prompts)} prompts in one request (limit {MOST_PROMPTS})")
    source = message.WhichOneof("source")
    return SegmentRequest(
        prompts=tuple(
            prompt_from_proto(prompt, f"prompts[{i}]") for i, prompt in enumerate(message.prompts)
        ),
        options=options_from_proto(message.options),
        image=message.image if source == "image" else None,
        session_id=message.session_id if source == "session_id" else None,
        image_id=message.image_id if message.HasField("image_id") else None,
        deadline_ms=message.deadline_ms if message.HasField("deadline_ms") else None,
    )


def interact_header_to_proto(header: InteractHeader) -> pb.InteractHeader:
    """Write what holds for the prompts that follow on a stream.

    Raises:
        InvalidRequest: a value does not fit its field.
    """
    try:
        return pb.InteractHeader(
            session_id=header.session_id,
            image_id=header.image_id,
            options=options_to_proto(header.options),
            deadline_ms=header.deadline_ms,
        )
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"the header does not fit its message: {error}") from error


def interact_header_from_proto(message: pb.InteractHeader) -> InteractHeader:
    """Read what holds for the prompts that follow on a stream.

    Raises:
        InvalidRequest: the mask format is none of the known ones.
    """
    return InteractHeader(
        session_id=message.session_id,
        image_id=message.image_id if message.HasField("image_id") else None,
        options=options_from_proto(message.options),
        deadline_ms=message.deadline_ms if message.HasField("deadline_ms") else None,
    )
