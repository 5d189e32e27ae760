"""The engine in this process: sessions, cache and one worker thread on the device."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

from suresam.domain import (
    ImageSize,
    ModelInfo,
    Prediction,
    Prompt,
    ResultError,
    Session,
    SessionImage,
    Timings,
)
from suresam.engine.admission import Admission, Kind
from suresam.engine.backlog import Backlog
from suresam.engine.cache import CacheLimits, EmbeddingCache
from suresam.engine.client import AddImageCall, CreateSessionCall, SegmentCall, SegmentReply
from suresam.engine.costs import CostTable
from suresam.engine.engine import Answered, Engine, Image
from suresam.engine.job import Caller, Done
from suresam.engine.scheduler import BatchLimits
from suresam.engine.sessions import SessionStore, StoredImage
from suresam.engine.superseding import LatestClicks
from suresam.engine.uploads import Uploads
from suresam.engine.worker import Worker
from suresam.errors import (
    DeadlineExceeded,
    NotReady,
    ServiceError,
    Superseded,
    UnknownModel,
)
from suresam.prediction import Wanted
from suresam.segmentation.backbone import Backbone
from suresam.segmentation.images import ImageLimits
from suresam.telemetry import Telemetry
from suresam.uncertainty.member_heads import MemberHeads
from suresam.validation import check_inside

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A model that is served, and what its manifest says of it."""

    backbone: Backbone
    roles: tuple[str, ...]
    sha256: str
    licence: str
    heads: MemberHeads | None = None


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """All bounds of an engine.

    Attributes:
        images: of an upload.
        cache: of what is remembered.
        batches: of one launch.
        max_in_flight: requests at a time.
        decode_threads: of a decode on a CPU; None is all cores but one.
    """

    images: ImageLimits
    cache: CacheLimits
    batches: BatchLimits
    max_in_flight: int = 512
    decode_threads: int | None = None


class LocalEngine:
    """An `EngineClient` in this process.

    Args:
        members: cheapest first.
        limits: see `EngineLimits`.
        pool: for decoding images and hashing, off the event loop.
        telemetry: of the service.
        clock: monotonic seconds, of sessions and cache.
    """

    def __init__(
        self,
        members: Sequence[Member],
        limits: EngineLimits,
        pool: Executor,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = {member.backbone.name: member for member in members}
        self._uploads = Uploads(limits.images, pool)
        self._costs = CostTable()
        self._sessions = SessionStore(limits.cache, clock, time.time, telemetry)
        backbones: Mapping[str, Backbone] = {n: m.backbone for n, m in self._members.items()}
        heads = {n: m.heads for n, m in self._members.items() if m.heads is not None}
        cache = EmbeddingCache(limits.cache, clock, telemetry)
        self._worker = Worker(
            backbones, heads, limits.batches, self._costs, cache, telemetry, limits.decode_threads
        )
        self._engines = {
            name: Engine(backbone, cache, self._worker, pool, telemetry)
            for name, backbone in backbones.items()
        }
        backlog = Backlog(self._worker.work_ms, limits.batches.encode_share)
        self._admission = Admission(limits.max_in_flight, backlog, self._worker.is_ready, telemetry)
        self._clicks = LatestClicks()

    def start(self) -> None:
        """Start the device's worker; `is_ready` turns true when it is warm."""
        self._worker.start()

    def is_ready(self) -> bool:
        """Whether every member is warm and the device's worker is alive."""
        return self._worker.is_ready()

    async def wait_ready(self) -> None:
        """Wait until every member is warm.

        Raises:
            NotReady: warming up failed; the log says why.
        """
        while not self._worker.is_ready():
            if not self._worker.is_alive():
                raise NotReady("warming up the models failed")
            await asyncio.sleep(0.01)

    async def close(self, drain_s: float) -> None:
        """Let nobody in, wait at most `drain_s` seconds for those inside, stop the worker."""
        await self._admission.close(drain_s)
        await asyncio.get_running_loop().run_in_executor(None, self._worker.stop)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with their measured cost."""
        return tuple(self._describe(member) for member in self._members.values())

    async def segment(self, call: SegmentCall) -> SegmentReply:
        """Answer prompts on an uploaded image or a session's."""
        kind: Kind = "click" if call.image is None else "upload"
        with self._admission.permit(kind, call.remaining_ms):
            caller = _caller(call.tenant, call.remaining_ms)
            return await _within(call.remaining_ms, self._segment(call, caller))

    async def create_session(self, call: CreateSessionCall) -> Session:
        """Keep images under an id, embedded and ready for clicks."""
        with self._admission.permit("upload", call.remaining_ms):
            caller = _caller(call.tenant, call.remaining_ms)
            self._sessions.check_new_id(call.tenant, call.session_id)
            self._sessions.check_num_images(len(call.images))
            work = self._take_in(caller, call.model, call.images)
            images = await _within(call.remaining_ms, work)
            return self._sessions.create(call.tenant, call.session_id, tuple(images))

    async def add_image(self, call: AddImageCall) -> SessionImage:
        """Add an image to a session."""
        with self._admission.permit("upload", call.remaining_ms):
            caller = _caller(call.tenant, call.remaining_ms)
            held = self._sessions.get(call.tenant, call.session_id)
            self._sessions.check_num_images(len(held.images) + 1)
            work = self._take_in(caller, call.model, (call.image,))
            [image] = await _within(call.remaining_ms, work)
            return self._sessions.add(call.tenant, call.session_id, image)

    async def get_session(self, tenant: str, session_id: str) -> Session:
        """A session's state; looking at it keeps it alive."""
        return self._sessions.get(tenant, session_id)

    async def delete_session(self, tenant: str, session_id: str) -> None:
        """Forget a session and its images."""
        self._sessions.delete(tenant, session_id)

    async def _segment(self, call: SegmentCall, caller: Caller) -> SegmentReply:
        engine = self._engine(call.model)
        started = time.monotonic()
        image = await self._find_image(call)
        header_ms = (time.monotonic() - started) * 1000
        check_inside(call.prompts, image.size)
        marginal_cost_ms = {name: self._marginal_ms(name, image.key) for name in self._members}
        pixels = self._uploads.pixels(image.data)
        question = _Question(engine, call, caller, Image(image.key, pixels), image.size)
        rows = engine.rows(image.key, len(call.prompts))
        with self._admission.work(rows, caller.remaining_ms):
            answers = await _all(
                self._answer(question, prompt, turn)
                for turn, prompt in enumerate(call.prompts, call.turn)
            )
        _raise_if_superseded(answers)
        answered = [answer for answer in answers if isinstance(answer, Answered)]
        encoded = max((a.encoded for a in answered), key=lambda done: done.launch_ms)
        results = [_result(answer) for answer in answers]
        decodes = [result for result in results if isinstance(result, Done)]
        spent_ms = [done.spent_ms if isinstance(done, Done) else 0.0 for done in results]
        spent_ms[0] += encoded.spent_ms
        return SegmentReply(
            size=image.size,
            predictions=tuple(
                result.value
                if isinstance(result, Done)
                else ResultError(result.code, result.message)
                for result in results
            ),
            warnings=image.public.warnings,
            timings_ms=Timings(
                decode_image=header_ms + pixels.spent_ms,
                queue=encoded.queue_ms + max((d.queue_ms for d in decodes), default=0.0),
                encode=encoded.launch_ms,
                decode=max((d.launch_ms for d in decodes), default=0.0),
            ),
            marginal_cost_ms=marginal_cost_ms,
            spent_ms=tuple(spent_ms),
        )

    async def _find_image(self, call: SegmentCall) -> StoredImage:
        if call.image is not None:
            return await self._uploads.open(call.tenant, call.image)
        assert call.session_id is not None, "the router asks for an image or a session"
        return self._sessions.image(call.tenant, call.session_id, call.image_id)

    async def _answer(
        self, question: "_Question", prompt: Prompt, turn: int
    ) -> Answered | Superseded:
        """What becomes of one prompt."""
        call = question.call
        if prompt.prompt_id is None or call.session_id is None:
            return await question.ask(prompt, turn)
        key = (call.tenant, call.session_id, question.image.key, prompt.prompt_id)
        with self._clicks.newest(key) as click:
            try:
                return await click.unless_superseded(question.ask(prompt, turn, click.watch))
            except Superseded as error:
                return error

    async def _take_in(
        self, caller: Caller, model: str, files: Sequence[bytes]
    ) -> list[StoredImage]:
        engine = self._engine(model)
        images = await _all(self._uploads.open(caller.tenant, data) for data in files)
        rows: Counter[tuple[str, str]] = Counter()
        for key in {image.key for image in images}:
            rows.update(engine.rows(key, 0))
        # Let in as a whole: its own images are nobody that a request would have to wait for.
        with self._admission.work(rows, caller.remaining_ms):
            await _all(
                engine.embed(Image(image.key, self._uploads.pixels(image.data)), caller, turn)
                for turn, image in enumerate(images)
            )
        return images

    def _engine(self, model: str) -> Engine:
        if model not in self._engines:
            raise UnknownModel(f"model {model[:64]!r} is not one of {', '.join(self._engines)}")
        return self._engines[model]

    def _marginal_ms(self, model: str, image_key: str) -> float | None:
        decode_ms = self._costs.row_ms("decode", model)
        encode_ms = self._costs.row_ms("encode", model)
        if decode_ms is None or encode_ms is None:
            return None
        return decode_ms if self._engines[model].is_cached(image_key) else decode_ms + encode_ms

    def _describe(self, member: Member) -> ModelInfo:
        backbone = member.backbone
        costs = {s: self._costs.row_ms(s, backbone.name) for s in ("encode", "decode")}
        return ModelInfo(
            name=backbone.name,
            roles=member.roles,
            device=backbone.device,
            dtype=backbone.dtype,
            input_size=backbone.input_size,
            parameters=backbone.num_parameters,
            cost_ms={stage: ms for stage, ms in costs.items() if ms is not None},
            sha256=member.sha256,
            licence=member.licence,
            heads=None if member.heads is None else member.heads.name,
            heads_sha256=None if member.heads is None else member.heads.sha256,
            calibration=None if member.heads is None else member.heads.reading.calibration,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A call, and what all of its prompts share."""

    engine: Engine
    call: SegmentCall
    caller: Caller
    image: Image
    size: ImageSize

    async def ask(
        self, prompt: Prompt, turn: int, watch: Callable[[Future[Any]], None] | None = None
    ) -> Answered:
        call = self.call
        wanted = Wanted(
            self.size,
            multimask=call.multimask,
            masks=call.masks,
            low_res_logits=call.low_res_logits,
            maps=call.maps,
            entropy=call.entropy,
            heads=call.heads,
        )
        return await self.engine.answer(prompt, self.image, wanted, self.caller, turn, watch)


def _caller(tenant: str, remaining_ms: float) -> Caller:
    return Caller(tenant, time.monotonic() + remaining_ms / 1000)


def _raise_if_superseded(answers: Sequence[Answered | Superseded]) -> None:
    """A request of which nothing is wanted any more is an error as a whole."""
    errors = [answer for answer in answers if isinstance(answer, Superseded)]
    if len(errors) == len(answers):
        raise errors[0]


def _result(answer: Answered | Superseded) -> Done[Prediction] | ServiceError:
    return answer.decoded if isinstance(answer, Answered) else answer


async def _all(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all; if one fails, the others are cancelled, since nobody waits for them."""
    every = list(works)
    if len(every) == 1:  # most requests have one prompt, and need no task for it
        return [await every[0]]
    tasks = [asyncio.create_task(work) for work in every]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _within(remaining_ms: float, work: Awaitable[T]) -> T:
    """Wait for work until the caller's deadline; what is still queued then is dropped."""
    try:
        return await asyncio.wait_for(work, remaining_ms / 1000)
    except (asyncio.TimeoutError, TimeoutError):
        raise DeadlineExceeded(
            f"the answer was not ready within the {remaining_ms:.0f} ms that were left"
        ) from None
