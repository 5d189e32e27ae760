"""A request and an answer in which every field is set somewhere, for both wire forms."""

from dataclasses import replace

import numpy as np
import pytest

from suresam.domain import (
    Advice,
    ImageSize,
    Mask,
    ModelInfo,
    OutputRequest,
    Point,
    Prompt,
    PromptAnswer,
    Result,
    ResultError,
    Rle,
    Route,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    SegmentResponse,
    ServiceInfo,
    Session,
    SessionImage,
    Timings,
    Uncertainty,
    UncertaintyMap,
    UncertaintyRequest,
)


@pytest.fixture
def full_request():
    mask_input = np.array([[-32.0, 0.5], [1.0, 32.0]], np.float32)
    return SegmentRequest(
        prompts=(
            Prompt([(1.5, 2.0), (0.0, 3.25)], [1, 0], (0.0, 1.0, 2.5, 4.0), mask_input, "a"),
            Prompt(points=[(5.0, 6.0)]),
            Prompt(box=(1.0, 2.0, 3.0, 4.0)),
        ),
        options=SegmentOptions(
            multimask=False,
            route=RouteRequest(mode="demo-large", min_gain=0.5, max_cost=120.0, progressive=True),
            uncertainty=UncertaintyRequest(methods=("entropy",), maps=True),
            output=OutputRequest(masks="polygon", low_res_logits=True, min_region_area=7),
        ),
        session_id="s-1",
        image_id="i-1",
        deadline_ms=2500.0,
    )


@pytest.fixture
def full_response():
    certain = Uncertainty(
        score=0.25,
        expected_iou=0.75,
        expected_iou_interval=(0.5, 1.0),
        entropy=0.125,
        model_gap=-0.5,
        prompt_gap=0.0,
        task_gap=0.5,
        heads={"iou_small": 0.75},
        maps={"entropy": UncertaintyMap(np.array([[0.0, 0.5]], np.float16))},
        in_regime=False,
        method="usam",
        calibration="demo-2026a",
    )
    logits = np.array([[-32.0, 1.5], [0.25, 32.0]], np.float16)
    square = ((0.0, 0.0), (2.0, 0.0), (2.0, 3.0), (0.0, 3.0))
    masks = (
        Mask(6, (0, 0, 2, 3), 0.875, 0.75, 1, certain, Rle((3, 4), "06o0"), low_res_logits=logits),
        Mask(6, (0, 0, 2, 3), 0.5, 0.25, 2, Uncertainty(), png=b"\x89PNG\x00"),
        Mask(6, (0, 0, 2, 3), 0.0, 1.0, 3, Uncertainty(), polygons=((square,), (square, square))),
        Mask(0, (0, 0, 0, 0), 0.0, 0.0, 0, Uncertainty(), polygons=()),
    )
    route = Route("demo-small", "small", False, "gain_below_threshold", 0.0625, {"spent": 21.0})
    return SegmentResponse(
        image=ImageSize(4, 3),
        session_id="s-1",
        results=(
            Result("a", masks, 0, route, Advice("add_point", "edge", Point(1.0, 2.0), 0)),
            Result("b", masks[1:2], 0, route, Advice("accept", "sure"), provisional=True),
            Result(
                None,
                (),
                None,
                Route("demo-large", None, True, "forced", None, {}),
                error=ResultError("out_of_memory", "again"),
            ),
        ),
        warnings=("first frame of 3 used",),
        timings_ms=Timings(5.0, 1.0, 0.5, 2.0, 1.5),
    )


@pytest.fixture
def answers(full_response):
    """Two prompts of a stream: one as full as can be, one that was refused."""
    error = ResultError("overloaded", "512 requests are in progress (limit 512)", 1250.0)
    refused = Result("a\u2028b\x85c", (), None, None, error=error)
    return (
        PromptAnswer(3, replace(full_response, results=full_response.results[:1])),
        PromptAnswer(2**40, SegmentResponse(None, "s-1", (refused,), (), Timings(total=0.5))),
    )


@pytest.fixture
def session():
    images = (SessionImage("i-1", 640, 480, ("turned by 90 degrees",)), SessionImage("i-2", 1, 1))
    return Session("s-1", images, 1_795_250_400.125)


@pytest.fixture
def service_info():
    small = ModelInfo(
        "demo-small",
        ("small",),
        "cpu",
        "float32",
        256,
        9_000_000,
        {"encode": 20.5},
        "ab",
        "Apache-2.0",
    )
    large = ModelInfo(
        "demo-large",
        (),
        "cuda:0",
        "bfloat16",
        512,
        2**33,
        {},
        "cd",
        "MIT",
        "usam",
        "ef",
        "demo-2026a",
    )
    return ServiceInfo("demo", (small, large), {"max_prompts": 256, "ratio": 0.5}, "0.1.0")
