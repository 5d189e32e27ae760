import math

import numpy as np
import pytest

from suresam.domain import (
    ImageSize,
    OutputRequest,
    Prompt,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    UncertaintyRequest,
)
from suresam.errors import InvalidPrompt, InvalidRequest, UnknownMethod
from suresam.validation import PromptLimits, check_inside, check_options, check_request

LIMITS = PromptLimits(max_prompts=3, max_points=2)
CLICK = Prompt(points=[(1, 2)])


def check(*prompts, image=b"", **request):
    check_request(SegmentRequest(prompts, image=image, **request), LIMITS)


@pytest.mark.parametrize(
    "prompt",
    [
        CLICK,
        Prompt(points=[(1, 2), (3, 4)], labels=[0, 1]),
        Prompt(box=(0, 0, 1, 1)),
        Prompt(points=[(1, 2)], labels=[0], box=(0, 0, 0.5, 0.5)),
        Prompt(points=[(1, 2)], mask_input=np.zeros((1, 1), np.float32)),
        Prompt(points=[(1, 2)], mask_input=np.zeros((1024, 1024), np.float16)),
        Prompt(points=[], labels=[], box=(0, 0, 1, 1)),
    ],
)
def test_a_sound_prompt_passes(prompt):
    check(prompt)


@pytest.mark.parametrize("where", [{"image": b"x"}, {"image": None, "session_id": "s"}])
def test_an_image_or_a_session(where):
    check(CLICK, **where)


@pytest.mark.parametrize("where", [{"image": None}, {"image": b"x", "session_id": "s"}])
def test_neither_or_both_is_refused(where):
    with pytest.raises(InvalidRequest, match="either an image or a session_id"):
        check(CLICK, **where)


def test_the_number_of_prompts_has_its_bounds():
    check(*[CLICK] * 3)
    with pytest.raises(InvalidPrompt, match="prompts is empty; at least one prompt is needed"):
        check()
    with pytest.raises(InvalidPrompt, match=r"4 prompts in one request \(limit 3\)"):
        check(*[CLICK] * 4)


def test_prompts_of_one_request_have_their_own_ids_or_none():
    a, b, none = (Prompt(points=[(1, 1)], prompt_id=name) for name in ("a", "b", None))
    check(a, none, none)
    check(a, b)
    with pytest.raises(
        InvalidPrompt, match=r"^prompts\[2\] has the same prompt_id 'a' as prompts\[0\]"
    ):
        check(a, b, a)
    long = Prompt(points=[(1, 1)], prompt_id="x" * 5000)
    with pytest.raises(InvalidPrompt, match=r"prompt_id 'x{64}' as"):
        check(long, long)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "has neither points nor a box"),
        ({"mask_input": np.zeros((2, 2))}, "has neither points nor a box"),
        ({"points": [(1, 1)] * 3}, r"has 3 points \(limit 2\)"),
        ({"points": [(math.nan, 1)]}, "point x=nan is not a finite number"),
        ({"points": [(1, 1), (1, math.inf)]}, "point y=inf is not a finite number"),
        ({"points": [(1, 1)], "labels": []}, "has 0 labels for 1 points"),
        ({"points": [(1, 1)], "labels": [1, 1]}, "has 2 labels for 1 points"),
        ({"box": (0, 0, 1, 1), "labels": [1]}, "has 1 labels for 0 points"),
        (
            {"points": [(1, 1)], "labels": [2]},
            r"label 2 is not 0 \(background\) or 1 \(foreground\)",
        ),
        ({"points": [(1, 1)], "labels": [-1]}, "label -1 is not"),
        ({"box": (0, 0, -math.inf, 1)}, "box x2=-inf is not a finite number"),
        ({"box": (0, math.nan, 1, 1)}, "box y1=nan is not a finite number"),
        ({"box": (5, 1, 5, 9)}, r"box \(5, 1, 5, 9\) px has no area; it needs x1 < x2"),
        ({"box": (1, 9, 5, 1)}, r"box \(1, 9, 5, 1\) px has no area"),
        ({"mask_input": np.zeros((2, 3))}, "mask_input is 2 x 3; it must be square"),
        ({"mask_input": np.zeros(4)}, "mask_input is 4; it must be square"),
        ({"mask_input": np.zeros((1, 2, 2))}, "mask_input is 1 x 2 x 2; it must be square"),
        (
            {"mask_input": np.zeros((0, 0))},
            "mask_input has a side of 0 pixels",
        ),
        ({"mask_input": np.zeros((1025, 1025), bool)}, r"mask_input has a side of 1025 pixels"),
        ({"mask_input": np.array([[np.nan]])}, "mask_input holds values that are not finite"),
        ({"mask_input": np.array([[-np.inf]])}, "mask_input holds values that are not finite"),
    ],
)
def test_a_malformed_prompt_is_named_with_its_value(prompt, message):
    if "mask_input" in prompt and message != "has neither points nor a box":
        prompt = {"points": [(1, 1)], **prompt}
    with pytest.raises(InvalidPrompt, match=rf"^prompts\[1\]:? {message}"):
        check(CLICK, Prompt(**prompt))


SIZE = ImageSize(640, 480)


@pytest.mark.parametrize(
    "prompt",
    [
        {"points": [(0, 0)]},
        {"points": [(639.999, 479.999)]},
        {"box": (0, 0, 640, 480)},
        {"box": (639, 479, 640, 480)},
    ],
)
def test_what_touches_the_image_is_inside(prompt):
    check_inside([Prompt(**prompt)], SIZE)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"points": [(640, 10)]}, r"point x=640 lies outside the image \(width 640 px\)"),
        ({"points": [(10, 480)]}, r"point y=480 lies outside the image \(height 480 px\)"),
        ({"points": [(1, 1), (-0.5, 1)]}, r"point x=-0.5 lies outside .* \(width 640 px\)"),
        ({"box": (0, 0, 640.5, 480)}, r"box x2=640.5 lies outside the image \(width 640 px\)"),
        ({"box": (0, -1, 640, 480)}, r"box y1=-1 lies outside the image \(height 480 px\)"),
        ({"box": (-2, 0, 640, 480)}, r"box x1=-2 lies outside"),
        ({"box": (0, 0, 640, 481)}, r"box y2=481 lies outside"),
    ],
)
def test_what_lies_outside_is_named_with_the_limit(prompt, message):
    with pytest.raises(InvalidPrompt, match=rf"^prompts\[1\]: {message}"):
        check_inside([CLICK, Prompt(**prompt)], SIZE)


def test_an_image_of_one_pixel_has_one_place_for_a_click():
    check_inside([Prompt(points=[(0, 0)]), Prompt(box=(0, 0, 1, 1))], ImageSize(1, 1))
    with pytest.raises(InvalidPrompt):
        check_inside([Prompt(points=[(1, 0)])], ImageSize(1, 1))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"route": RouteRequest(min_gain=0, max_cost=0, progressive=True)},
        {"route": RouteRequest(min_gain=1, max_cost=1e12)},
        {"output": OutputRequest(masks="none", min_region_area=2**31 - 1)},
        {"uncertainty": UncertaintyRequest(methods=())},
        {"uncertainty": UncertaintyRequest(methods=("usam", "entropy", "usam"))},
    ],
)
def test_options_within_their_range_pass(options):
    check_options(SegmentOptions(**options))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"route": RouteRequest(min_gain=-0.1)}, InvalidRequest, r"route.min_gain=-0.1 lies out"),
        ({"route": RouteRequest(min_gain=1.5)}, InvalidRequest, r"outside \[0, 1\]"),
        ({"route": RouteRequest(min_gain=math.nan)}, InvalidRequest, "route.min_gain=nan"),
        (
            {"route": RouteRequest("large", progressive=True)},
            InvalidRequest,
            r"route.progressive=true needs route.mode='auto' \(it is 'large'\)",
        ),
        ({"route": RouteRequest(max_cost=-1)}, InvalidRequest, "route.max_cost=-1 is not a number"),
        ({"route": RouteRequest(max_cost=math.inf)}, InvalidRequest, "of milliseconds >= 0"),
        ({"route": RouteRequest(max_cost=math.nan)}, InvalidRequest, "route.max_cost=nan"),
        (
            {"output": OutputRequest(masks="jpeg")},
            InvalidRequest,
            "output.masks='jpeg' is not one of rle, png, polygon, none",
        ),
        (
            {"output": OutputRequest(min_region_area=-1)},
            InvalidRequest,
            r"output.min_region_area=-1 pixels lies outside \[0, 2147483647\]",
        ),
        ({"output": OutputRequest(min_region_area=2**31)}, InvalidRequest, "2147483648 pixels"),
        (
            {"uncertainty": UncertaintyRequest(methods=("entropy", "laplace"))},
            UnknownMethod,
            "uncertainty method 'laplace' is not one of usam, entropy",
        ),
    ],
)
def test_options_out_of_range_are_named_with_their_value(options, error, message):
    with pytest.raises(error, match=message):
        check(CLICK, options=SegmentOptions(**options))


def test_a_long_name_is_cut_in_the_message():
    options = SegmentOptions(uncertainty=UncertaintyRequest(methods=("x" * 1000,)))
    with pytest.raises(UnknownMethod) as caught:
        check_options(options)
    assert len(caught.value.message) < 200
