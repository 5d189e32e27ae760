import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from suresam.domain import (
    HeadScores,
    ImageSize,
    OutputRequest,
    Prediction,
    Prompt,
    ResultError,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    Timings,
    UncertaintyRequest,
)
from suresam.engine.client import SegmentReply
from suresam.errors import DeadlineExceeded, InvalidPrompt, InvalidRequest, UnknownModel
from suresam.routing.router import Router, RouterLimits
from suresam.telemetry import Telemetry
from suresam.validation import PromptLimits

SIZE = ImageSize(4, 2)
CLICK = Prompt(points=[(1, 1)], prompt_id="a")


def prediction():
    """Masks of the first column, of everything, and of nothing."""
    masks = np.zeros((3, 4, 2), bool)  # column by column
    masks[0, 0], masks[1] = True, True
    return Prediction(
        size=SIZE,
        tokens=(1, 2, 3),
        mask_bits=np.packbits(masks.reshape(3, 8), axis=1),
        predicted_iou=(0.5, 0.9, 0.1),
        stability=(1.0, 0.5, 0.25),
        entropy=(0.1, 0.2, 0.3),
        low_res_logits=np.zeros((3, 1, 1), np.float16),
        entropy_maps=np.ones((3, 1, 1), np.float16),
    )


class TinyEngine:
    """Answers what it was given, and remembers what it was asked."""

    def __init__(self, *predictions):
        self.predictions = predictions or (prediction(),)
        self.calls = []

    async def segment(self, call):
        self.calls.append(call)
        spent = tuple(float(i + 1) for i in range(len(self.predictions)))
        costs = {"tiny": 2.0, "huge": None}
        return SegmentReply(SIZE, self.predictions, ("odd",), Timings(encode=7.0), costs, spent)

    async def create_session(self, call):
        self.calls.append(call)

    add_image = create_session

    def is_ready(self):
        return False


@pytest.fixture
def route():
    pools = []

    def make(engine, **limits):
        pools.append(ThreadPoolExecutor(1))
        bounds = RouterLimits(PromptLimits(), **limits)
        return Router(engine, "f", ("tiny", "huge"), bounds, {}, pools[-1], make.telemetry)

    make.telemetry = Telemetry()
    yield make
    for pool in pools:
        pool.shutdown()


def request(*prompts, **options):
    deadline_ms = options.pop("deadline_ms", None)
    return SegmentRequest(
        prompts or (CLICK,), SegmentOptions(**options), image=b"x", deadline_ms=deadline_ms
    )


async def test_an_answer_has_masks_scores_and_a_receipt(route):
    response = await route(TinyEngine()).segment(request(), "t")
    [result] = response.results
    assert (response.image, response.warnings, response.session_id) == (SIZE, ("odd",), None)
    assert response.timings_ms.encode == 7.0
    assert response.timings_ms.total > 0
    assert (result.prompt_id, result.best, result.error) == ("a", 1, None)
    assert [m.area for m in result.masks] == [2, 8, 0]
    assert [m.bbox for m in result.masks] == [(0, 0, 1, 2), (0, 0, 4, 2), (0, 0, 0, 0)]
    assert [m.token for m in result.masks] == [1, 2, 3]
    assert [m.uncertainty.entropy for m in result.masks] == [0.1, 0.2, 0.3]
    assert result.masks[0].rle.size == (2, 4)
    assert (result.route.model, result.route.role) == ("tiny", "small")
    assert result.route.cost == {"tiny": 2.0, "huge": None, "spent": 1.0}


def sure(expected_iou):
    """Of all masks so much is expected."""
    heads = HeadScores({}, None, None, None, True, expected_iou)
    return replace(prediction(), heads=(heads,) * 3)


async def test_scores_and_errors_of_results_are_counted_but_not_what_is_no_number(route):
    failed = ResultError("out_of_memory", "it did")
    answers = (sure(0.75), sure(None), sure(math.nan), prediction(), failed)
    prompts = [Prompt(points=[(1, 1)])] * len(answers)
    await route(TinyEngine(*answers)).segment(request(*prompts), "t")
    counted = route.telemetry.registry.get_sample_value
    score = {"model": "tiny"}
    assert counted("suresam_uncertainty_score_count", score) == 1
    assert counted("suresam_uncertainty_score_sum", score) == 0.25
    for bound, below in (("0.2", 0), ("0.25", 1)):
        assert counted("suresam_uncertainty_score_bucket", score | {"le": bound}) == below
    assert counted("suresam_result_errors_total", {"code": "out_of_memory"}) == 1


class CountingPool(ThreadPoolExecutor):
    num_submitted = 0

    def submit(self, *work):
        self.num_submitted += 1
        return super().submit(*work)


def large_prediction():
    """A megapixel, all background."""
    bits = np.zeros((3, 1024 * 1024 // 8), np.uint8)
    return replace(prediction(), size=ImageSize(1024, 1024), mask_bits=bits)


@pytest.mark.parametrize(
    ("answer", "output", "num_turns"),
    [
        (prediction, OutputRequest("rle"), 0),
        (prediction, OutputRequest("none"), 0),
        (prediction, OutputRequest("png"), 1),
        (prediction, OutputRequest("polygon"), 1),
        (prediction, OutputRequest("rle", min_region_area=2), 1),
        (large_prediction, OutputRequest("rle"), 1),
    ],
)
async def test_masks_that_take_long_to_encode_do_not_hold_the_event_loop(answer, output, num_turns):
    with CountingPool(1) as pool:
        bounds = RouterLimits(PromptLimits())
        engine = TinyEngine(answer())
        router = Router(engine, "f", ("tiny",), bounds, {}, pool, Telemetry())
        response = await router.segment(request(output=output), "t")
    assert len(response.results[0].masks) == 3
    assert pool.num_submitted == num_turns


async def test_the_engine_is_asked_for_what_the_request_wants(route):
    engine = TinyEngine()
    await route(engine).segment(
        request(
            multimask=False,
            route=RouteRequest("large"),
            output=OutputRequest("none", low_res_logits=True),
            uncertainty=UncertaintyRequest(maps=True),
            deadline_ms=1234.0,
        ),
        "t",
    )
    [call] = engine.calls
    assert call.tenant == "t"
    assert (call.model, call.multimask, call.masks) == ("huge", False, True)
    assert (call.low_res_logits, call.maps, call.remaining_ms) == (True, True, 1234.0)


async def test_what_was_not_asked_for_is_null(route):
    wanted = request(uncertainty=UncertaintyRequest(methods=()), output=OutputRequest("none"))
    response = await route(TinyEngine()).segment(wanted, "t")
    mask = response.results[0].masks[1]
    assert (mask.rle, mask.png, mask.polygons, mask.area) == (None, None, None, 8)
    assert (mask.uncertainty.entropy, mask.uncertainty.maps) == (None, None)
    assert mask.uncertainty.score is None


async def test_a_failed_prompt_is_a_result_of_its_own(route):
    error = ResultError("out_of_memory", "full")
    response = await route(TinyEngine(prediction(), error)).segment(
        request(CLICK, replace(CLICK, prompt_id="b")), "t"
    )
    good, bad = response.results
    assert (len(good.masks), good.error) == (3, None)
    assert (bad.masks, bad.best, bad.error) == ((), None, error)
    assert bad.route.cost["spent"] == 2.0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (SegmentRequest((), image=b"x"), InvalidPrompt),
        (SegmentRequest((CLICK,)), InvalidRequest),
        (request(route=RouteRequest("medium")), UnknownModel),
        (request(deadline_ms=0.0), DeadlineExceeded),
        (request(deadline_ms=-1.0), DeadlineExceeded),
        (request(deadline_ms=300_001.0), InvalidRequest),
        (request(deadline_ms=float("nan")), InvalidRequest),
    ],
)
async def test_a_wrong_request_never_reaches_the_engine(route, wrong, error):
    engine = TinyEngine()
    with pytest.raises(error):
        await route(engine).segment(wrong, "t")
    assert engine.calls == []


async def test_the_default_deadline_stands_in_for_none(route):
    engine = TinyEngine()
    router = route(engine, default_deadline_ms=50.0, max_deadline_ms=60.0)
    await router.segment(request(), "t")
    await router.segment(request(deadline_ms=60.0), "t")
    assert [call.remaining_ms for call in engine.calls] == [50.0, 60.0]


async def test_a_session_is_embedded_for_the_member_that_will_be_asked_first(route):
    engine = TinyEngine()
    router = route(engine)
    await router.create_session([b"x"], "t", "s")
    await router.add_image("s", b"y", "t")
    assert [call.model for call in engine.calls] == ["tiny", "tiny"]
    assert engine.calls[0].images == (b"x",)
    assert not router.is_ready()
