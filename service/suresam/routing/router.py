"""The API's only door: checks a request, chooses a member, asks the engine, encodes the masks."""

import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from suresam.domain import (
    AUTO,
    ImageSize,
    RouteRequest,
    SegmentRequest,
    SegmentResponse,
    ServiceInfo,
    Session,
    SessionImage,
)
from suresam.engine.client import (
    AddImageCall,
    CreateSessionCall,
    EngineClient,
    SegmentCall,
    SegmentReply,
)
from suresam.errors import DeadlineExceeded, InvalidRequest
from suresam.routing.answer import Answer, Step, as_it_stands
from suresam.routing.decision_attributes import decision_attributes
from suresam.routing.escalation import Escalation, Plan
from suresam.routing.policy import Choice, choose_member
from suresam.routing.results import ResultWriter
from suresam.routing.shadow.shadow import Shadow
from suresam.telemetry import Telemetry
from suresam.tracing import span
from suresam.validation import PromptLimits, check_inside, check_request
from suresam.version import __version__

if TYPE_CHECKING:
    from prometheus_client import Metric


@dataclass(frozen=True, slots=True)
class RouterLimits:
    """Bounds on a request.

    Attributes:
        prompts: how many.
        default_deadline_ms, max_deadline_ms: milliseconds for an answer.
    """

    prompts: PromptLimits
    default_deadline_ms: float = 10_000
    max_deadline_ms: float = 300_000


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A request that the first member has answered.

    Attributes:
        choice: that member.
        call, reply: what it was asked, and answered.
        plan: to ask larger ones; None where they are not thought of.
        compared: places of the prompts that shadow mode chose.
        started: monotonic seconds.
    """

    request: SegmentRequest
    choice: Choice
    call: SegmentCall
    reply: SegmentReply
    plan: Plan | None
    compared: tuple[int, ...]
    started: float


class Router:
    """Answers requests of either transport.

    Args:
        engine: the one door to the models.
        family: its name.
        members: names, cheapest first.
        limits: of requests.
        stated_limits: every limit in force, as `GET /v1/models` tells them.
        pool: for encoding masks, off the event loop.
        telemetry: of the service.
        escalation: asks larger members in auto mode; None leaves all of it to the small one.
        shadow: asks the large member behind the answers in auto mode, or None.
    """

    def __init__(
        self,
        engine: EngineClient,
        family: str,
        members: Sequence[str],
        limits: RouterLimits,
        stated_limits: dict[str, int | float],
        pool: Executor,
        telemetry: Telemetry,
        escalation: Escalation | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        self._engine = engine
        self._escalation = escalation
        self._shadow = shadow
        self._family = family
        self._members = tuple(members)
        self._limits = limits
        self._stated_limits = stated_limits
        self._results = ResultWriter(pool, telemetry)

    @property
    def max_deadline_ms(self) -> float:
        """Milliseconds that a request may ask for at most."""
        return self._limits.max_deadline_ms

    @property
    def default_deadline_ms(self) -> float:
        """Milliseconds that a request has which asks for none."""
        return self._limits.default_deadline_ms

    def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return self._engine.is_ready()

    async def close(self) -> None:
        """Give up what goes on behind answers; requests in progress are finished."""
        if self._shadow is not None:
            await self._shadow.close()

    async def segment(self, request: SegmentRequest, tenant: str, turn: int = 0) -> SegmentResponse:
        """Masks for every prompt of a request.

        Args:
            request: what to answer.
            tenant: whose sessions and cache entries may be used, here and everywhere below.
            turn: its place, where it is one of several that make up a caller's request.

        Raises:
            ServiceError: see `errors`; a failure on the device alone is a result's own error.
        """
        if request.options.route.progressive:
            raise InvalidRequest(
                "route.progressive=true may give two answers, and this call has room for one: use "
                "Interact, or a session's route with Accept: text/event-stream"
            )
        return await self._finish(await self._ask(request, tenant, turn))

    async def segment_in_steps(self, request: SegmentRequest, tenant: str, turn: int = 0) -> Step:
        """As `segment`, but where the request is progressive and a larger member will be asked, the
        small one's answers come first.
        """
        asked = await self._ask(request, tenant, turn)
        plan = asked.plan
        if plan is None or not plan.is_open or not request.options.route.progressive:
            return Step(await self._finish(asked))
        assert self._escalation is not None, "the plan is its"
        so_far = await self._respond(asked, self._escalation.so_far(plan))
        return Step(so_far, partial(self._finish, asked))

    async def _ask(self, request: SegmentRequest, tenant: str, turn: int) -> "_Asked":
        """Ask the first member, and think about what it says."""
        started = time.monotonic()
        check_request(request, self._limits.prompts)
        options = request.options
        choice = choose_member(options.route, self._members)
        escalation = self._escalation if options.route.mode == AUTO else None
        call = SegmentCall(
            tenant=tenant,
            model=choice.model,
            prompts=request.prompts,
            remaining_ms=self._remaining_ms(request.deadline_ms),
            image=request.image,
            session_id=request.session_id,
            image_id=request.image_id,
            multimask=options.multimask,
            # Area and bounding box are told even when no mask is wanted.
            masks=True,
            low_res_logits=options.output.low_res_logits,
            maps=options.uncertainty.maps,
            entropy="entropy" in options.uncertainty.methods,
            # Without them nobody could say what a larger member would gain.
            heads="usam" in options.uncertainty.methods or escalation is not None,
            advice="usam" in options.uncertainty.methods,
            turn=turn,
        )
        shadow = self._shadow if options.route.mode == AUTO else None
        compared = () if shadow is None else shadow.choose(call)
        if compared:
            call = replace(call, heads=True)
        reply = await self._engine.segment(call)
        with span("route") as traced:
            plan = None
            if escalation is not None:
                plan = escalation.plan(call, reply, options.route, started)
            if traced is not None:
                traced.tell(decision_attributes(choice, reply, plan))
        return _Asked(request, choice, call, reply, plan, compared, started)

    async def _finish(self, asked: "_Asked") -> SegmentResponse:
        """The answers that are given in the end."""
        if asked.plan is not None:
            assert self._escalation is not None, "the plan is its"
            return await self._respond(asked, await self._escalation.carry_out(asked.plan))
        indices = range(len(asked.request.prompts))
        answers = tuple(as_it_stands(asked.reply, index, asked.choice) for index in indices)
        response = await self._respond(asked, answers)
        if self._shadow is not None:
            self._shadow.offer(asked.call, asked.reply, asked.compared)
        return response

    async def _respond(self, asked: "_Asked", answers: Sequence[Answer]) -> SegmentResponse:
        request, reply = asked.request, asked.reply
        with span("encode_masks"):
            results = await self._results.write(request, answers)
        total_ms = (time.monotonic() - asked.started) * 1000
        return SegmentResponse(
            image=reply.size,
            session_id=request.session_id,
            results=results,
            warnings=reply.warnings,
            timings_ms=replace(reply.timings_ms, total=total_ms),
        )

    async def check_session_request(self, request: SegmentRequest, tenant: str) -> None:
        """Refuse prompts on a session as `segment` would, before any of them is at work.

        An image that the session does not have is left to `segment`.

        Raises:
            ServiceError: of the whole request, whichever prompt is to blame.
        """
        check_request(request, self._limits.prompts)
        choose_member(request.options.route, self._members)
        self._remaining_ms(request.deadline_ms)
        assert request.session_id is not None, "only prompts on a session are answered one by one"
        session = await self.get_session(request.session_id, tenant)
        for image in session.images:
            if request.image_id in (None, image.image_id):
                check_inside(request.prompts, ImageSize(image.width, image.height))
                return

    async def create_session(
        self,
        images: Sequence[bytes],
        tenant: str,
        session_id: str | None = None,
        deadline_ms: float | None = None,
    ) -> Session:
        """Keep images for repeated prompts."""
        call = CreateSessionCall(
            tenant, self._likely_member, tuple(images), self._remaining_ms(deadline_ms), session_id
        )
        return await self._engine.create_session(call)

    async def add_image(
        self, session_id: str, image: bytes, tenant: str, deadline_ms: float | None = None
    ) -> SessionImage:
        """Add an image to a session."""
        call = AddImageCall(
            tenant, self._likely_member, session_id, image, self._remaining_ms(deadline_ms)
        )
        return await self._engine.add_image(call)

    async def get_session(self, session_id: str, tenant: str) -> Session:
        """A session's state."""
        return await self._engine.get_session(tenant, session_id)

    async def delete_session(self, session_id: str, tenant: str) -> None:
        """Forget a session."""
        await self._engine.delete_session(tenant, session_id)

    async def metrics(self) -> "tuple[Metric, ...]":
        """What is counted elsewhere than in this process's own metrics."""
        return await self._engine.metrics()

    async def describe(self) -> ServiceInfo:
        """What is being served and within what limits."""
        return ServiceInfo(
            self._family, await self._engine.models(), self._stated_limits, __version__
        )

    @property
    def _likely_member(self) -> str:
        """Who will be asked first about a session's image."""
        return choose_member(RouteRequest(), self._members).model

    def _remaining_ms(self, deadline_ms: float | None) -> float:
        if deadline_ms is None:
            return self._limits.default_deadline_ms
        if math.isnan(deadline_ms) or deadline_ms > self._limits.max_deadline_ms:
            raise InvalidRequest(
                f"deadline_ms={deadline_ms:g} ms is over the limit of "
                f"{self._limits.max_deadline_ms:g} ms"
            )
        if deadline_ms <= 0:
            raise DeadlineExceeded(
                f"the deadline had already passed (deadline_ms={deadline_ms:g} ms)"
            )
        return deadline_ms
