"""The messages of a segmentation answer."""

from suresam.domain import (
    Advice,
    ImageSize,
    Point,
    PromptAnswer,
    Result,
    ResultError,
    Route,
    SegmentResponse,
    Timings,
)
from suresam.pb import segmentation_pb2 as pb
from suresam.wire.grpc.mask import mask_from_proto, mask_to_proto


def segment_response_to_proto(response: SegmentResponse) -> pb.SegmentResponse:
    """Write an answer."""
    timings, image = response.timings_ms, response.image
    return pb.SegmentResponse(
        image=None if image is None else pb.ImageSize(width=image.width, height=image.height),
        session_id=response.session_id,
        results=[_result_to_proto(result) for result in response.results],
        warnings=response.warnings,
        timings_ms=pb.Timings(
            total=timings.total,
            decode_image=timings.decode_image,
            queue=timings.queue,
            encode=timings.encode,
            decode=timings.decode,
        ),
    )


def segment_response_from_proto(message: pb.SegmentResponse) -> SegmentResponse:
    """Read an answer.

    Raises:
        ValueError: an array in it is damaged.
    """
    timings, image = message.timings_ms, message.image
    return SegmentResponse(
        image=ImageSize(image.width, image.height) if message.HasField("image") else None,
        session_id=message.session_id if message.HasField("session_id") else None,
        results=tuple(_result_from_proto(result) for result in message.results),
        warnings=tuple(message.warnings),
        timings_ms=Timings(
            total=timings.total,
            decode_image=timings.decode_image,
            queue=timings.queue,
            encode=timings.encode,
            decode=timings.decode,
        ),
    )


def interact_response_to_proto(answer: PromptAnswer) -> pb.InteractResponse:
    """Write the answer to one prompt of a stream."""
    return pb.InteractResponse(
        index=answer.index, response=segment_response_to_proto(answer.response)
    )


def interact_response_from_proto(message: pb.InteractResponse) -> PromptAnswer:
    """Read the answer to one prompt of a stream.

    Raises:
        ValueError: it does not have exactly one result, or an array in it is damaged.
    """
    response = segment_response_from_proto(message.response)
    if len(response.results) != 1:
        raise ValueError(f"prompt {message.index} has {len(response.results)} results, not 1")
    return PromptAnswer(message.index, response)


def _result_to_proto(result: Result) -> pb.Result:
    return pb.Result(
        prompt_id=result.prompt_id,
        masks=[mask_to_proto(mask) for mask in result.masks],
        best=result.best,
        advice=None if result.advice is None else _advice_to_proto(result.advice),
        route=None if result.route is None else _route_to_proto(result.route),
        error=None if result.error is None else _error_to_proto(result.error),
        provisional=result.provisional,
    )


def _result_from_proto(message: pb.Result) -> Result:
    return Result(
        prompt_id=message.prompt_id if message.HasField("prompt_id") else None,
        masks=tuple(mask_from_proto(mask) for mask in message.masks),
        best=message.best if message.HasField("best") else None,
        advice=_advice_from_proto(message.advice) if message.HasField("advice") else None,
        route=_route_from_proto(message.route) if message.HasField("route") else None,
        error=_error_from_proto(message.error) if message.HasField("error") else None,
        provisional=message.provisional,
    )


def _error_to_proto(error: ResultError) -> pb.ResultError:
    return pb.ResultError(
        code=error.code, message=error.message, retry_after_ms=error.retry_after_ms
    )


def _error_from_proto(message: pb.ResultError) -> ResultError:
    retry_after_ms = message.retry_after_ms if message.HasField("retry_after_ms") else None
    return ResultError(message.code, message.message, retry_after_ms)


def _advice_to_proto(advice: Advice) -> pb.Advice:
    point = advice.point
    return pb.Advice(
        action=advice.action,
        point=None if point is None else pb.Point(x=point.x, y=point.y),
        label=advice.label,
        reason=advice.reason,
    )


def _advice_from_proto(message: pb.Advice) -> Advice:
    point = message.point
    return Advice(
        action=message.action,
        reason=message.reason,
        point=Point(point.x, point.y) if message.HasField("point") else None,
        label=message.label if message.HasField("label") else None,
    )


def _route_to_proto(route: Route) -> pb.Route:
    return pb.Route(
        model=route.model,
        role=route.role,
        escalated=route.escalated,
        reason=route.reason,
        expected_gain=route.expected_gain,
        cost={name: cost for name, cost in route.cost.items() if cost is not None},
    )


def _route_from_proto(message: pb.Route) -> Route:
    return Route(
        model=message.model,
        role=message.role if message.HasField("role") else None,
        escalated=message.escalated,
        reason=message.reason,
        expected_gain=message.expected_gain if message.HasField("expected_gain") else None,
        cost=dict(message.cost),
    )
