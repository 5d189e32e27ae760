"""From the answers of the small member to those that are given: who is asked again, and of whom."""

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

from suresam.domain import Prediction, ResultError, RouteRequest
from suresam.engine.client import EngineClient, SegmentCall, SegmentReply
from suresam.errors import NonFiniteOutput, ServiceError, Superseded
from suresam.routing.answer import Answer, as_it_stands
from suresam.routing.caps import Caps
from suresam.routing.decision_log import Decided
from suresam.routing.judge import Judge
from suresam.routing.matching import match_masks
from suresam.routing.memory import DecisionMemory
from suresam.routing.policy import LARGER_FAILED, PROVISIONAL, Choice, Evidence, role_of

logger = logging.getLogger(__name__)

_MARGIN = 0.9
"""Part of the remaining time that a larger member may take: the smaller one's answer, which is
there already, must not be late for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is to be done about the answers of one request.

    Attributes:
        call, reply: what the small member was asked, and what it answered.
        decided: about each prompt.
        deadline: of the caller, monotonic seconds.
    """

    call: SegmentCall
    reply: SegmentReply
    decided: tuple[Decided, ...]
    deadline: float

    @property
    def is_open(self) -> bool:
        """Whether any larger member has to be asked."""
        return any(decided.decision.model is not None for decided in self.decided)


class Escalation:
    """Asks larger members where it is worth it. Used by the event loop alone.

    Args:
        engine: answers.
        members: names, cheapest first.
        judge: decides about every answer.
        pool: for comparing masks, off the event loop.
        caps: on single tenants, or None.
    """

    def __init__(
        self,
        engine: EngineClient,
        members: Sequence[str],
        judge: Judge,
        pool: Executor,
        caps: Caps | None = None,
    ) -> None:
        self._engine = engine
        self._members = tuple(members)
        self._judge = judge
        self._pool = pool
        self._caps = caps
        self._memory = DecisionMemory()

    def plan(
        self, call: SegmentCall, reply: SegmentReply, route: RouteRequest, started: float
    ) -> "Plan":
        """Who is asked again, and of whom.

        Args:
            call: what the small member was asked.
            reply: what it answered.
            route: what the caller wants; its mode is auto.
            started: when the caller's deadline began to run, monotonic seconds.
        """
        deadline = started + call.remaining_ms / 1000
        left_ms = (deadline - time.monotonic()) * 1000
        indices = range(len(call.prompts))
        decided = tuple(self._decide(call, reply, route, index, left_ms) for index in indices)
        return Plan(call, reply, decided, deadline)

    def so_far(self, plan: "Plan") -> tuple[Answer, ...]:
        """The small member's answers; those that another one will follow say so."""
        return tuple(
            answer
            if decided.decision.model is None
            else replace(
                answer, route=replace(answer.route, reason=PROVISIONAL), is_provisional=True
            )
            for answer, decided in zip(self._first(plan), plan.decided, strict=True)
        )

    async def carry_out(self, plan: "Plan") -> tuple[Answer, ...]:
        """The answers that are given in the end, with receipts.

        Prompts that go to the same member are asked of it together. If it fails, the answers that
        are there stand.

        Raises:
            Superseded: a newer click took the place of the only prompt.
        """
        chosen: dict[str, list[int]] = defaultdict(list)
        for index, decided in enumerate(plan.decided):
            if decided.decision.model is not None:
                chosen[decided.decision.model].append(index)
        seconds = await asyncio.gather(
            *(self._ask(plan, model, indices) for model, indices in chosen.items())
        )
        answers = self._first(plan)
        for (model, indices), second in zip(chosen.items(), seconds, strict=True):
            for place, index in enumerate(indices):
                answers[index] = await self._larger(
                    answers[index], model, plan.decided[index], second, place
                )
        _raise_if_superseded(plan.call, seconds)
        return tuple(answers)

    def _first(self, plan: "Plan") -> list[Answer]:
        model = plan.call.model
        role = role_of(model, self._members)
        decisions = [decided.decision for decided in plan.decided]
        return [
            as_it_stands(plan.reply, i, Choice(model, role, one.reason), one.expected_gain)
            for i, one in enumerate(decisions)
        ]

    def _decide(
        self,
        call: SegmentCall,
        reply: SegmentReply,
        route: RouteRequest,
        index: int,
        left_ms: float,
    ) -> Decided:
        key = _key(call, index)
        evidence = Evidence(
            gains=self._gains(call.model, reply.predictions[index]),
            costs_ms=reply.marginal_cost_ms,
            spent_ms=reply.spent_ms[index],
            remaining_ms=left_ms,
            backlog_ms=reply.backlog_ms,
            escalated_before=self._memory.recall(key),
        )
        cap = None if self._caps is None else self._caps.of(call.tenant)
        decided = self._judge.judge(evidence, route, cap)
        self._memory.note(key, decided.decision.model is not None)
        return decided

    def _gains(self, model: str, prediction: Prediction | ResultError) -> dict[str, float]:
        larger = self._members[self._members.index(model) + 1 :]
        if isinstance(prediction, ResultError):
            # Only a number that is none may be another member's to mend.
            is_mendable = prediction.code == NonFiniteOutput.code
            return dict.fromkeys(larger, math.nan) if is_mendable else {}
        if prediction.heads is None:
            return {}
        known = prediction.heads[prediction.best].gain_by_member
        return {name: known[name] for name in larger if name in known}

    async def _ask(
        self, plan: "Plan", model: str, indices: Sequence[int]
    ) -> SegmentReply | ServiceError:
        left_ms = (plan.deadline - time.monotonic()) * 1000
        prompts = tuple(plan.call.prompts[index] for index in indices)
        asked = replace(
            plan.call,
            model=model,
            prompts=prompts,
            remaining_ms=left_ms * _MARGIN,
            is_escalation=True,
        )
        try:
            return await self._engine.segment(asked)
        except ServiceError as error:
            logger.info("%s did not answer: %s: %s", model, error.code, error.message)
            return error

    async def _larger(
        self,
        smaller: Answer,
        model: str,
        decided: Decided,
        reply: SegmentReply | ServiceError,
        place: int,
    ) -> Answer:
        """The larger member's answer in place of the smaller one's, if there is one."""
        if isinstance(reply, ServiceError):
            self._judge.settle(decided, 0.0, reply.code)
            return replace(smaller, route=replace(smaller.route, reason=LARGER_FAILED))
        prediction = reply.predictions[place]
        failure = prediction.code if isinstance(prediction, ResultError) else None
        self._judge.settle(decided, reply.spent_ms[place], failure)
        spent_ms = (smaller.route.cost["spent"] or 0.0) + reply.spent_ms[place]
        cost = {**smaller.route.cost, "spent": spent_ms}
        if isinstance(prediction, ResultError):
            route = replace(smaller.route, reason=LARGER_FAILED, cost=cost)
            return replace(smaller, route=route)
        route = replace(
            smaller.route,
            model=model,
            role=role_of(model, self._members),
            escalated=True,
            reason=decided.decision.reason,
            cost=cost,
        )
        loop = asyncio.get_running_loop()
        order = partial(_in_order_of, smaller.prediction, prediction)
        return Answer(await loop.run_in_executor(self._pool, order), route)


def _raise_if_superseded(call: SegmentCall, replies: Sequence[SegmentReply | ServiceError]) -> None:
    """A request of which nothing is wanted any more is an error as a whole."""
    for reply in replies:
        if isinstance(reply, Superseded) and len(call.prompts) == 1:
            raise reply


def _key(call: SegmentCall, index: int) -> Hashable | None:
    prompt_id = call.prompts[index].prompt_id
    if call.session_id is None or prompt_id is None:
        return None
    return call.tenant, call.session_id, call.image_id, prompt_id


def _in_order_of(seen: Prediction | ResultError, prediction: Prediction) -> Prediction:
    """A prediction whose masks stand where their like stood in one that was made before."""
    if isinstance(seen, ResultError) or seen.mask_bits is None or prediction.mask_bits is None:
        return prediction
    if len(seen.tokens) != len(prediction.tokens):
        return prediction
    return prediction.reordered(match_masks(seen.mask_bits, prediction.mask_bits))
