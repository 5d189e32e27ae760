"""The messages of one mask and of how far it can be trusted."""

from suresam.domain import Mask, Ring, Rle, Uncertainty, UncertaintyMap
from suresam.pb import segmentation_pb2 as pb
from suresam.wire.grpc.array import array_from_proto, array_to_proto


def mask_to_proto(mask: Mask) -> pb.Mask:
    """Write one mask."""
    rle, polygons, logits = mask.rle, mask.polygons, mask.low_res_logits
    x, y, width, height = mask.bbox
    return pb.Mask(
        rle=None
        if rle is None
        else pb.Rle(height=rle.size[0], width=rle.size[1], counts=rle.counts),
        png=mask.png,
        polygons=None if polygons is None else _polygons_to_proto(polygons),
        low_res_logits=None if logits is None else array_to_proto(logits),
        area=mask.area,
        bbox=pb.BoundingBox(x=x, y=y, width=width, height=height),
        predicted_iou=mask.predicted_iou,
        stability=mask.stability,
        token=mask.token,
        uncertainty=_uncertainty_to_proto(mask.uncertainty),
    )


def mask_from_proto(message: pb.Mask) -> Mask:
    """Read one mask.

    Raises:
        ValueError: an array in it is damaged.
    """
    encoding, rle, bbox = message.WhichOneof("encoding"), message.rle, message.bbox
    has_logits = message.HasField("low_res_logits")
    return Mask(
        rle=Rle((rle.height, rle.width), rle.counts) if encoding == "rle" else None,
        png=message.png if encoding == "png" else None,
        polygons=_polygons_from_proto(message.polygons) if encoding == "polygons" else None,
        low_res_logits=array_from_proto(message.low_res_logits) if has_logits else None,
        area=message.area,
        bbox=(bbox.x, bbox.y, bbox.width, bbox.height),
        predicted_iou=message.predicted_iou,
        stability=message.stability,
        token=message.token,
        uncertainty=_uncertainty_from_proto(message.uncertainty),
    )


def _polygons_to_proto(polygons: tuple[tuple[Ring, ...], ...]) -> pb.Polygons:
    return pb.Polygons(
        polygons=[
            pb.Polygon(
                rings=[
                    pb.Ring(coordinates=[value for corner in ring for value in corner])
                    for ring in polygon
                ]
            )
            for polygon in polygons
        ]
    )


def _polygons_from_proto(message: pb.Polygons) -> tuple[tuple[Ring, ...], ...]:
    return tuple(
        tuple(
            tuple(zip(ring.coordinates[::2], ring.coordinates[1::2], strict=True))
            for ring in polygon.rings
        )
        for polygon in message.polygons
    )


def _uncertainty_to_proto(uncertainty: Uncertainty) -> pb.Uncertainty:
    low, high = uncertainty.expected_iou_interval or (None, None)
    maps = uncertainty.maps or {}
    return pb.Uncertainty(
        score=uncertainty.score,
        expected_iou=uncertainty.expected_iou,
        expected_iou_low=low,
        expected_iou_high=high,
        entropy=uncertainty.entropy,
        model_gap=uncertainty.model_gap,
        prompt_gap=uncertainty.prompt_gap,
        task_gap=uncertainty.task_gap,
        heads=uncertainty.heads,
        maps={method: array_to_proto(values.values) for method, values in maps.items()},
        in_regime=uncertainty.in_regime,
        method=uncertainty.method,
        calibration=uncertainty.calibration,
    )


def _uncertainty_from_proto(message: pb.Uncertainty) -> Uncertainty:
    has = message.HasField
    has_interval = has("expected_iou_low") and has("expected_iou_high")
    maps = {method: UncertaintyMap(array_from_proto(m)) for method, m in message.maps.items()}
    return Uncertainty(
        score=message.score if has("score") else None,
        expected_iou=message.expected_iou if has("expected_iou") else None,
        expected_iou_interval=(message.expected_iou_low, message.expected_iou_high)
        if has_interval
        else None,
        entropy=message.entropy if has("entropy") else None,
        model_gap=message.model_gap if has("model_gap") else None,
        prompt_gap=message.prompt_gap if has("prompt_gap") else None,
        task_gap=message.task_gap if has("task_gap") else None,
        heads=dict(message.heads) or None,
        maps=maps or None,
        in_regime=message.in_regime if has("in_regime") else None,
        method=message.method if has("method") else None,
        calibration=message.calibration if has("calibration") else None,
    )
