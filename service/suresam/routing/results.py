"""From answers to the results that a caller gets, with masks in the form that was asked for."""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import Executor

from suresam.domain import (
    Mask,
    Prediction,
    Result,
    ResultError,
    SegmentOptions,
    SegmentRequest,
    Uncertainty,
    UncertaintyMap,
)
from suresam.masks.encoding import EncodedMask, encode_masks
from suresam.routing.answer import Answer
from suresam.telemetry import Telemetry

_QUICK_BYTES = 128 * 1024
"""Packed masks, such as three of 640 x 480 pixels, which take 0.3 ms (on the machine of
`docs/benchmarks/serving.md`)."""


class ResultWriter:
    """Encodes masks and counts what was answered.

    Args:
        pool: for masks that take long, off the event loop.
        telemetry: of the service.
    """

    def __init__(self, pool: Executor, telemetry: Telemetry) -> None:
        self._pool = pool
        self._telemetry = telemetry

    async def write(self, request: SegmentRequest, answers: Sequence[Answer]) -> tuple[Result, ...]:
        """The results of a request, in the order of its prompts.

        Args:
            request: says in which form.
            answers: one for each prompt.
        """
        options, predictions = request.options, [answer.prediction for answer in answers]
        with self._telemetry.stage_seconds.labels("encode_masks").time():
            if _is_quick(predictions, options):
                masks = [_encode_masks(prediction, options) for prediction in predictions]
            else:
                loop = asyncio.get_running_loop()
                masks = await asyncio.gather(
                    *(
                        loop.run_in_executor(self._pool, _encode_masks, prediction, options)
                        for prediction in predictions
                    )
                )
        results = []
        for prompt, answer, encoded in zip(request.prompts, answers, masks, strict=True):
            prediction, route = answer.prediction, answer.route
            self._telemetry.route.labels(route.role or "member", route.reason).inc()
            self._count(prediction, route.model)
            results.append(
                Result(
                    prompt_id=prompt.prompt_id,
                    masks=encoded,
                    best=None if isinstance(prediction, ResultError) else prediction.best,
                    route=route,
                    advice=None if isinstance(prediction, ResultError) else prediction.advice,
                    error=prediction if isinstance(prediction, ResultError) else None,
                    provisional=answer.is_provisional,
                )
            )
        return tuple(results)

    def _count(self, prediction: Prediction | ResultError, model: str) -> None:
        if isinstance(prediction, ResultError):
            self._telemetry.result_errors.labels(prediction.code).inc()
        elif (score := _finite_score(prediction)) is not None:
            # One that is no number would stay in the sum for ever.
            self._telemetry.uncertainty_score.labels(model).observe(score)


def _finite_score(prediction: Prediction) -> float | None:
    """1 - expected IoU of the best mask, where it was computed and is a number."""
    expected = None if prediction.heads is None else prediction.heads[prediction.best].expected_iou
    return None if expected is None or not math.isfinite(expected) else 1 - expected


def _is_quick(predictions: Sequence[Prediction | ResultError], options: SegmentOptions) -> bool:
    """Whether to encode where we are: by bits it takes no longer than the turn of another thread,
    which under load has to wait for the interpreter lock first.
    """
    output = options.output
    if output.masks not in ("rle", "none") or output.min_region_area > 1:
        return False  # those need every pixel
    bits = (p.mask_bits for p in predictions if isinstance(p, Prediction))
    return sum(0 if b is None else b.nbytes for b in bits) <= _QUICK_BYTES


def _encode_masks(
    prediction: Prediction | ResultError, options: SegmentOptions
) -> tuple[Mask, ...]:
    if isinstance(prediction, ResultError):
        return ()
    encoded = encode_masks(prediction, options.output)
    return tuple(_mask(prediction, i, mask, options) for i, mask in enumerate(encoded))


def _mask(
    prediction: Prediction, index: int, encoded: EncodedMask, options: SegmentOptions
) -> Mask:
    logits = prediction.low_res_logits
    return Mask(
        area=encoded.area,
        bbox=encoded.bbox,
        predicted_iou=prediction.predicted_iou[index],
        stability=prediction.stability[index],
        token=prediction.tokens[index],
        uncertainty=_uncertainty(prediction, index, options.uncertainty.methods),
        rle=encoded.rle,
        png=encoded.png,
        polygons=encoded.polygons,
        low_res_logits=None if logits is None else logits[index],
    )


def _uncertainty(prediction: Prediction, index: int, methods: Sequence[str]) -> Uncertainty:
    entropy, maps = prediction.entropy, prediction.entropy_maps
    if "entropy" not in methods:
        entropy = maps = None
    value = None if entropy is None else entropy[index]
    told = None if maps is None else {"entropy": UncertaintyMap(maps[index])}
    if prediction.heads is None or "usam" not in methods:
        return Uncertainty(entropy=value, maps=told)
    heads = prediction.heads[index]
    expected = heads.expected_iou
    return Uncertainty(
        score=None if expected is None else 1 - expected,
        expected_iou=expected,
        expected_iou_interval=heads.expected_iou_interval,
        entropy=value,
        maps=told,
        model_gap=heads.model_gap,
        prompt_gap=heads.prompt_gap,
        task_gap=heads.task_gap,
        heads=heads.values,
        in_regime=heads.in_regime,
        method="usam",
        calibration=heads.calibration,
    )
