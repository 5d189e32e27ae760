"""What a prompt may be. Both transports and `Segmenter` refuse alike, with the same words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suresam.domain import (
    AUTO,
    KNOWN_METHODS,
    MASK_FORMATS,
    ImageSize,
    Prompt,
    SegmentOptions,
    SegmentRequest,
)
from suresam.errors import InvalidPrompt, InvalidRequest, UnknownMethod


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """Bounds on the prompts of one request.

    Attributes:
        max_prompts: prompts in a request.
        max_points: points in a prompt.
    """

    max_prompts: int = 256
    max_points: int = 64


MAX_MASK_INPUT_SIDE = 1024
"""Pixels; four times the low-res side of the largest official model."""


def check_request(request: SegmentRequest, limits: PromptLimits) -> None:
    """Refuse what can be refused before the image is looked at.

    Raises:
        InvalidRequest, InvalidPrompt, UnknownMethod: with the value and the limit.
    """
    if (request.image is None) == (request.session_id is None):
        raise InvalidRequest("a request needs either an image or a session_id")
    check_options(request.options)
    check_num_prompts(len(request.prompts), limits.max_prompts)
    for index, prompt in enumerate(request.prompts):
        _check_form(prompt, f"prompts[{index}]", limits)
    _check_ids(request.prompts)


def check_num_prompts(num_prompts: int, limit: int) -> None:
    """Refuse no prompt, or more than one request may have.

    Raises:
        InvalidPrompt
    """
    if num_prompts == 0:
        raise InvalidPrompt("prompts is empty; at least one prompt is needed")
    if num_prompts > limit:
        raise InvalidPrompt(f"{num_prompts} prompts in one request (limit {limit})")


def check_num_images(num_images: int, limit: int) -> None:
    """Refuse no image, or more than one session may hold.

    Raises:
        InvalidRequest
    """
    if not 1 <= num_images <= limit:
        raise InvalidRequest(f"{num_images} images in one session (at least 1, limit {limit})")


def check_options(options: SegmentOptions) -> None:
    """Refuse options out of range.

    Raises:
        InvalidRequest, UnknownMethod: with the value and the limit.
    """
    route, output = options.route, options.output
    if not 0 <= route.min_gain <= 1:
        raise InvalidRequest(f"route.min_gain={route.min_gain} lies outside [0, 1]")
    if route.max_cost is not None and not 0 <= route.max_cost < math.inf:
        raise InvalidRequest(
            f"route.max_cost={route.max_cost} is not a number of milliseconds >= 0"
        )
    if route.progressive and route.mode != AUTO:
        raise InvalidRequest(
            f"route.progressive=true needs route.mode={AUTO!r} (it is {route.mode[:64]!r}): only "
            "then may a larger member answer after the small one"
        )
    if output.masks not in MASK_FORMATS:
        raise InvalidRequest(
            f"output.masks={output.masks!r} is not one of {', '.join(MASK_FORMATS)}"
        )
    if not 0 <= output.min_region_area <= 2**31 - 1:
        raise InvalidRequest(
            f"output.min_region_area={output.min_region_area} pixels lies outside [0, {2**31 - 1}]"
        )
    for method in options.uncertainty.methods:
        if method not in KNOWN_METHODS:
            raise UnknownMethod(
                f"uncertainty method {method[:64]!r} is not one of {', '.join(KNOWN_METHODS)}"
            )


def check_inside(prompts: Sequence[Prompt], size: ImageSize) -> None:
    """Refuse points and boxes outside the image.

    Raises:
        InvalidPrompt: with the value, the limit and the unit.
    """
    extents = {"x": (size.width, "width"), "y": (size.height, "height")}
    for index, prompt in enumerate(prompts):
        named = [("point", axis, v) for p in prompt.points for axis, v in zip("xy", p, strict=True)]
        if prompt.box is not None:
            named += [("box", name, v) for name, v in prompt.box._asdict().items()]
        for thing, name, value in named:
            extent, word = extents[name[0]]
            # A box may end at the image's edge; a point lies in a pixel.
            is_inside = 0 <= value <= extent if thing == "box" else 0 <= value < extent
            if not is_inside:
                raise InvalidPrompt(
                    f"prompts[{index}]: {thing} {name}={value:g} lies outside the image "
                    f"({word} {extent} px)"
                )


def _check_form(prompt: Prompt, where: str, limits: PromptLimits) -> None:
    if not prompt.points and prompt.box is None:
        raise InvalidPrompt(f"{where} has neither points nor a box")
    if len(prompt.points) > limits.max_points:
        raise InvalidPrompt(f"{where} has {len(prompt.points)} points (limit {limits.max_points})")
    for point in prompt.points:
        _check_finite(where, "point", ("x", "y"), point)
    if prompt.labels is not None and len(prompt.labels) != len(prompt.points):
        raise InvalidPrompt(
            f"{where} has {len(prompt.labels)} labels for {len(prompt.points)} points"
        )
    for label in prompt.point_labels:
        if label not in (0, 1):
            raise InvalidPrompt(f"{where}: label {label} is not 0 (background) or 1 (foreground)")
    if prompt.box is not None:
        _check_finite(where, "box", ("x1", "y1", "x2", "y2"), prompt.box)
        box = prompt.box
        if box.x1 >= box.x2 or box.y1 >= box.y2:
            raise InvalidPrompt(
                f"{where}: box ({box.x1:g}, {box.y1:g}, {box.x2:g}, {box.y2:g}) px has no area; "
                "it needs x1 < x2 and y1 < y2"
            )
    _check_mask_input(prompt, where)


def _check_ids(prompts: Sequence[Prompt]) -> None:
    """Results are told apart by their ids, and on a session the newer of two takes over."""
    indices: dict[str, int] = {}
    for index, prompt in enumerate(prompts):
        name = prompt.prompt_id
        if name is None:
            continue
        first = indices.setdefault(name, index)
        if first != index:
            raise InvalidPrompt(
                f"prompts[{index}] has the same prompt_id {name[:64]!r} as prompts[{first}]; "
                "within a request each needs its own, or none"
            )


def _check_finite(where: str, thing: str, names: Sequence[str], values: Sequence[float]) -> None:
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value):
            raise InvalidPrompt(f"{where}: {thing} {name}={value} is not a finite number")


def _check_mask_input(prompt: Prompt, where: str) -> None:
    mask = prompt.mask_input
    if mask is None:
        return
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        shape = " x ".join(map(str, mask.shape))
        raise InvalidPrompt(
            f"{where}: mask_input is {shape}; it must be square, as low_res_logits are"
        )
    if not 1 <= mask.shape[0] <= MAX_MASK_INPUT_SIDE:
        raise InvalidPrompt(
            f"{where}: mask_input has a side of {mask.shape[0]} pixels "
            f"(limit {MAX_MASK_INPUT_SIDE} pixels)"
        )
    if not math.isfinite(float(abs(mask).max())):
        raise InvalidPrompt(f"{where}: mask_input holds values that are not finite numbers")
