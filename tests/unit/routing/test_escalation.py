import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from suresam.domain import (
    HeadScores,
    ImageSize,
    Prediction,
    Prompt,
    ResultError,
    RouteRequest,
    Timings,
)
from suresam.engine.client import SegmentCall, SegmentReply
from suresam.errors import DeadlineExceeded, Overloaded, SessionNotFound, Superseded
from suresam.routing.budget import ShareBudget
from suresam.routing.escalation import Escalation
from suresam.routing.policy import Bounds

SIZE = ImageSize(8, 2)
MEMBERS = ("tiny", "base", "huge")
LEFT, RIGHT, ALL = [1] * 8 + [0] * 8, [0] * 8 + [1] * 8, [1] * 16
AUTO = RouteRequest(min_gain=0.05)
NAN = ResultError("non_finite_output", "the decoder's output is not finite")


def prediction(masks=(LEFT, RIGHT, ALL), **gains):
    """The last mask is the best one, and it is what the gains are of."""
    heads = [HeadScores({}, None, None, None, True, gain_by_member=g) for g in ({}, {}, gains)]
    return Prediction(
        size=SIZE,
        tokens=(1, 2, 3),
        mask_bits=np.packbits(np.array(masks, np.uint8), axis=1),
        predicted_iou=(0.5, 0.4, 0.9),
        stability=(0.1, 0.2, 0.3),
        low_res_logits=np.arange(3, dtype=np.float16).reshape(3, 1, 1),
        heads=tuple(heads),
    )


class Engine:
    """Larger members that answer with what they were given."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []

    async def segment(self, call):
        self.calls.append(call)
        answer = self.answers[call.model]
        if isinstance(answer, Exception):
            raise answer
        return reply(*[answer] * len(call.prompts), spent_ms=90.0)


def reply(*predictions, spent_ms=10.0, backlog_ms=0.0):
    costs = {"tiny": 10.0, "base": 40.0, "huge": 90.0}
    spent = (spent_ms,) * len(predictions)
    return SegmentReply(SIZE, predictions, (), Timings(), costs, spent, backlog_ms)


def call(*prompts, remaining_ms=10_000.0, **session):
    prompts = prompts or (Prompt(points=[(1, 1)]),)
    return SegmentCall("t", "tiny", prompts, remaining_ms, image=b"x", **session)


@pytest.fixture
def improve():
    pools = []

    def of(engine, share=1.0, bounds=None):
        pools.append(ThreadPoolExecutor(1))
        escalation = Escalation(engine, MEMBERS, bounds or Bounds(), ShareBudget(share), pools[-1])

        async def run(call, reply, route=AUTO, took_s=0.0):
            return await escalation.improve(call, reply, route, time.monotonic() - took_s)

        return run

    yield of
    for pool in pools:
        pool.shutdown()


async def test_an_answer_that_is_good_enough_stays(improve):
    engine = Engine()
    small = prediction(huge=0.04)
    [answer] = await improve(engine)(call(), reply(small))
    assert answer.prediction is small
    assert engine.calls == []
    route = answer.route
    assert (route.model, route.role, route.escalated) == ("tiny", "small", False)
    assert (route.reason, route.expected_gain) == ("gain_below_threshold", 0.04)
    assert route.cost == {"tiny": 10.0, "base": 40.0, "huge": 90.0, "spent": 10.0}


async def test_an_answer_worth_improving_comes_from_the_larger_member_with_a_receipt(improve):
    engine = Engine(huge=prediction())
    [answer] = await improve(engine)(call(), reply(prediction(huge=0.2)), took_s=1.0)
    route = answer.route
    assert (route.model, route.role, route.escalated) == ("huge", "large", True)
    assert (route.reason, route.expected_gain) == ("expected_gain", 0.2)
    assert route.cost["spent"] == 10.0 + 90.0
    [asked] = engine.calls
    assert asked.model == "huge"
    assert 0.9 * 5000 < asked.remaining_ms <= 0.9 * 9000


async def test_the_member_between_answers_where_it_is_enough(improve):
    engine = Engine(base=prediction())
    small = prediction(base=0.18, huge=0.2)
    [answer] = await improve(engine)(call(), reply(small))
    assert (answer.route.model, answer.route.role) == ("base", None)
    assert answer.route.expected_gain == 0.18


async def test_masks_of_the_larger_member_stand_where_their_like_stood(improve):
    larger = prediction((ALL, LEFT, RIGHT))
    [answer] = await improve(Engine(huge=larger))(call(), reply(prediction(huge=0.2)))
    masks = np.unpackbits(answer.prediction.mask_bits, axis=1).tolist()
    assert masks == [LEFT, RIGHT, ALL]
    assert answer.prediction.tokens == (2, 3, 1)
    assert answer.prediction.predicted_iou == (0.4, 0.9, 0.5)
    assert answer.prediction.stability == (0.2, 0.3, 0.1)
    assert answer.prediction.low_res_logits.ravel().tolist() == [1, 2, 0]
    assert answer.prediction.heads == tuple(larger.heads[i] for i in (1, 2, 0))
    assert answer.prediction.best == 1


async def test_only_the_prompts_that_are_worth_it_are_asked_again_and_together(improve):
    engine = Engine(base=prediction(), huge=prediction())
    predictions = [prediction(huge=gain) for gain in (0.2, 0.0, 0.3)]
    predictions.append(prediction(base=0.2, huge=0.2))
    prompts = [Prompt(points=[(x, 1)]) for x in range(4)]
    answers = await improve(engine)(call(*prompts), reply(*predictions))
    assert [answer.route.model for answer in answers] == ["huge", "tiny", "huge", "base"]
    asked = {c.model: c.prompts for c in engine.calls}
    assert asked == {"huge": (prompts[0], prompts[2]), "base": (prompts[3],)}


@pytest.mark.parametrize(
    "failure",
    [
        Overloaded("full"),
        DeadlineExceeded("late"),
        SessionNotFound("expired meanwhile"),
        ResultError("out_of_memory", ""),
        NAN,
    ],
)
async def test_where_the_larger_member_fails_the_answer_stands(improve, failure):
    small = prediction(huge=0.2)
    [answer] = await improve(Engine(huge=failure))(call(), reply(small))
    assert answer.prediction is small
    route = answer.route
    assert (route.model, route.escalated, route.reason) == ("tiny", False, "larger_failed")
    assert route.expected_gain == 0.2
    # What a larger member spent in vain was spent all the same.
    assert route.cost["spent"] == (100.0 if isinstance(failure, ResultError) else 10.0)


async def test_a_superseded_click_is_superseded_in_its_second_step_too(improve):
    engine = Engine(huge=Superseded("newer"))
    with pytest.raises(Superseded):
        await improve(engine)(call(), reply(prediction(huge=0.2)))


async def test_an_answer_that_is_no_number_goes_to_a_larger_member_once(improve):
    engine = Engine(base=prediction())
    [answer] = await improve(engine)(call(), reply(NAN))
    assert isinstance(answer.prediction, Prediction)
    assert (answer.route.reason, answer.route.expected_gain) == ("not_finite", None)
    assert len(engine.calls) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ResultError("out_of_memory", ""), "no_gain_estimate"),
        (replace(prediction(), heads=None), "no_gain_estimate"),
        (prediction(), "no_gain_estimate"),
    ],
)
async def test_without_an_estimate_nobody_is_asked(improve, answer, reason):
    engine = Engine()
    [given] = await improve(engine)(call(), reply(answer))
    assert given.prediction is answer
    assert given.route.reason == reason
    assert engine.calls == []


async def test_under_load_answers_stay_small_and_say_so(improve):
    [answer] = await improve(Engine())(call(), reply(prediction(huge=0.2), backlog_ms=600.0))
    assert answer.route.reason == "overload"
    [answer] = await improve(Engine())(call(remaining_ms=100.0), reply(prediction(huge=0.2)))
    assert answer.route.reason == "deadline"


async def test_the_budget_is_kept_over_requests(improve):
    run = improve(Engine(huge=prediction()), share=0.2)
    answers = [(await run(call(), reply(prediction(huge=0.2))))[0] for _ in range(200)]
    reasons = [answer.route.reason for answer in answers]
    assert set(reasons) == {"expected_gain", "budget"}
    assert 32 <= reasons.count("expected_gain") <= 48


async def test_a_click_that_is_repeated_does_not_change_sides_for_noise(improve):
    run = improve(Engine(huge=prediction()))
    named = call(Prompt(points=[(1, 1)], prompt_id="a"), session_id="s")
    models = []
    for gain in (0.0501, 0.0495, 0.0505, 0.04, 0.0501):
        [answer] = await run(named, reply(prediction(huge=gain)))
        models.append(answer.route.model)
    assert models == ["huge", "huge", "huge", "tiny", "tiny"]


async def test_the_same_log_of_evidence_gives_the_same_decisions(improve):
    """A receipt is true: the decision follows from what it states."""
    gains = np.random.default_rng(3).gamma(1, 0.05, 100)

    async def replay():
        run = improve(Engine(huge=prediction()), share=0.3)
        answers = [(await run(call(), reply(prediction(huge=float(g)))))[0] for g in gains]
        return [(a.route.model, a.route.reason) for a in answers]

    assert await replay() == await replay()
