"""The API's only door: checks a request, chooses a member, asks the engine, encodes the masks."""

import asyncio
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
    Mask,
    Prediction,
    Result,
    ResultError,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    SegmentResponse,
    ServiceInfo,
    Session,
    SessionImage,
    Uncertainty,
    UncertaintyMap,
)
from suresam.engine.client import (
    AddImageCall,
    CreateSessionCall,
    EngineClient,
    SegmentCall,
    SegmentReply,
)
from suresam.errors import DeadlineExceeded, InvalidRequest
from suresam.masks.encoding import EncodedMask, encode_masks
from suresam.routing.answer import Answer, Step, as_it_stands
from suresam.routing.escalation import Escalation, Plan
from suresam.routing.policy import Choice, choose_member
from suresam.routing.shadow.shadow import Shadow
from suresam.telemetry import Telemetry
from suresam.validation import PromptLimits, check_inside, check_request
from suresam.version import __version__

if TYPE_CHECKING:
    from prometheus_client import Metric

_QUICK_BYTES = 128 * 1024
"""Packed masks, such as three of 640 x 480 pixels, which take 0.3 ms (on the machine of
`docs/benchmarks/serving.md`)."""


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
        self._pool = pool
        self._telemetry = telemetry

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
        plan = None
        if escalation is not None:
            plan = escalation.plan(call, reply, options.route, started)
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
        results = await self._encode(request, answers)
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

    async def _encode(
        self, request: SegmentRequest, answers: Sequence[Answer]
    ) -> tuple[Result, ...]:
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
