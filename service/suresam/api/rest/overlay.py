"""The picture that `Accept: image/png` asks for: masks and prompts over the photograph."""

import io

from suresam.domain import Result, SegmentRequest, SegmentResponse
from suresam.masks.overlay import draw_overlay
from suresam.masks.rle import decode_rle
from suresam.segmentation.images import ImageLimits, read_pixels

PNG = "image/png"


def overlay_png(request: SegmentRequest, answer: SegmentResponse, limits: ImageLimits) -> bytes:
    """Draw an answer whose masks are run lengths.

    One prompt shows its candidates; several show the best mask of each.
    """
    assert request.image is not None, "a picture is drawn over an upload"
    results = [result for result in answer.results if result.masks]
    is_single = len(answer.results) == 1
    shown = [
        (result, index)
        for result in results
        for index in (range(len(result.masks)) if is_single else (result.best or 0,))
    ]
    masks = [decode_rle(rle) for result, i in shown if (rle := result.masks[i].rle) is not None]
    picture = draw_overlay(
        read_pixels(request.image, limits),
        masks,
        points=[point for prompt in request.prompts for point in prompt.points],
        labels=[label for prompt in request.prompts for label in prompt.point_labels],
        box=request.prompts[0].box if is_single else None,
        captions=[_caption(result, index) for result, index in shown],
        best=results[0].best or 0 if is_single and results else 0,
        advised=advice.point if is_single and results and (advice := results[0].advice) else None,
    )
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _caption(result: Result, index: int) -> str:
    name = "" if result.prompt_id is None else f"{result.prompt_id}: "
    return f"{name}{index}  predicted IoU {result.masks[index].predicted_iou:.2f}"
