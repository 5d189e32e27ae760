"""The messages of a segmentation answer."""

from suresam.domain import (
    Advice,
    ImageSize,
    Point,
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
    timings = response.timings_ms
    return pb.SegmentResponse(
        image=pb.ImageSize(width=response.image.width, height=response.image.height),
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
    timings = message.timings_ms
    return SegmentResponse(
        image=ImageSize(message.image.width, message.image.height),
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


def _result_to_proto(result: Result) -> pb.Result:
    error = result.error
    return pb.Result(
        prompt_id=result.prompt_id,
        masks=[mask_to_proto(mask) for mask in result.masks],
        best=result.best,
        advice=None if result.advice is None else _advice_to_proto(result.advice),
        route=_route_to_proto(result.route),
        error=None if error is None else pb.ResultError(code=error.code, message=error.message),
    )


def _result_from_proto(message: pb.Result) -> Result:
    error = message.error
    return Result(
        prompt_id=message.prompt_id if message.HasField("prompt_id") else None,
        masks=tuple(mask_from_proto(mask) for mask in message.masks),
        best=message.best if message.HasField("best") else None,
        advice=_advice_from_proto(message.advice) if message.HasField("advice") else None,
        route=_route_from_proto(message.route),
        error=ResultError(error.code, error.message) if message.HasField("error") else None,
    )


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
