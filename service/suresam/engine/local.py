"""A device in this process: its models, its cache of embeddings and its worker's thread."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from prometheus_client import Metric

from suresam.domain import ImageSize, ModelInfo, Prediction, Prompt, ResultError, Timings
from suresam.engine.admission import Admission
from suresam.engine.backlog import Backlog
from suresam.engine.black_box import BlackBox
from suresam.engine.cache import EmbeddingCache
from suresam.engine.client import SegmentCall, SegmentReply
from suresam.engine.costs import CostTable
from suresam.engine.device import Charge, DeviceImage, Prepared
from suresam.engine.device_memory import report_memory
from suresam.engine.engine import Answered, Engine, Failed, Image
from suresam.engine.job import Caller, Done
from suresam.engine.limits import EngineLimits
from suresam.engine.passage import passage_of
from suresam.engine.pixels import PixelLoader
from suresam.engine.quarantine import Quarantine
from suresam.engine.reading_room import ReadingRoom
from suresam.engine.scheduler import DECODE, ENCODE
from suresam.engine.superseding import LatestClicks, superseded
from suresam.engine.tasks import wait_all
from suresam.engine.watchdog import Watchdog
from suresam.engine.work import Work
from suresam.engine.worker import Worker
from suresam.errors import NotReady, ServiceError, Superseded, UnknownModel
from suresam.prediction import Wanted
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.telemetry import Telemetry
from suresam.tracing.passage import Passage
from suresam.uncertainty.member_heads import MemberHeads


@dataclass(frozen=True, slots=True)
class Member:
    """A model that is served, and what its manifest says of it."""

    backbone: Backbone
    roles: tuple[str, ...]
    sha256: str
    licence: str
    heads: MemberHeads | None = None


class LocalDevice:
    """A `Device` in this process.

    Args:
        members: cheapest first.
        limits: see `EngineLimits`.
        pool: for decoding images, off the event loop.
        telemetry: where it counts.
        clock: monotonic seconds, of the cache.
        black_box: keeps what is on the device, for whoever comes after this process; None where
            the process dies with everything else.
        leave: called when the device is lost, or its thread hangs, where the process is another's
            to replace. Without it a hanging thread is replaced, and a lost device told by
            `wait_lost`.
        charge: is told a tenant and the device milliseconds that it owes for a launch, in the event
            loop and before any answer of that launch. None where nobody wants to know.
    """

    def __init__(
        self,
        members: Sequence[Member],
        limits: EngineLimits,
        pool: Executor,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
        black_box: BlackBox | None = None,
        leave: Callable[[str], None] | None = None,
        charge: Charge | None = None,
    ) -> None:
        self._charge = charge
        self._members = {member.backbone.name: member for member in members}
        self._limits = limits
        self._room = ReadingRoom(pool, limits.cpu_threads, limits.max_pixels)
        self._telemetry = telemetry
        self._costs = CostTable()
        backbones: Mapping[str, Backbone] = {n: m.backbone for n, m in self._members.items()}
        heads = {n: m.heads for n, m in self._members.items() if m.heads is not None}
        cache = EmbeddingCache(limits.cache, clock, telemetry)
        self._worker = Worker(
            backbones,
            heads,
            limits.batches,
            self._costs,
            cache,
            telemetry,
            limits.decode_threads,
            black_box,
            self._tell_owed,
        )
        self._engines = {
            name: Engine(backbone, cache, self._worker, pool, telemetry)
            for name, backbone in backbones.items()
        }
        self._backlog = Backlog(self._worker.work_ms, limits.batches.encode_share)
        self._admission = Admission(self._backlog, telemetry)
        self._clicks = LatestClicks()
        report_memory(telemetry, members[0].backbone.device)
        self._watchdog = Watchdog(self._worker, limits.launch_timeout_s, leave)

    def start(self) -> None:
        """Start the device's worker; `is_ready` turns true when it is warm."""
        self._loop = asyncio.get_running_loop()
        self._worker.start()
        self._watchdog.start()

    def is_ready(self) -> bool:
        """Whether every member is warm and the device's worker is alive."""
        return self._worker.is_ready()

    async def wait_ready(self) -> None:
        """Wait until every member is warm.

        Raises:
            ConfigurationError: it cannot be compiled, or its masks are not those of eager float32.
            NotReady: warming up failed; the log says why.
        """
        while not self._worker.is_ready():
            if not self._worker.is_alive():
                if self._worker.misconfigured is not None:
                    raise self._worker.misconfigured
                raise NotReady("warming up the models failed")
            await asyncio.sleep(0.01)

    async def wait_lost(self) -> None:
        """Return when the device can be used no more from this process."""
        await self._watchdog.wait_lost()

    async def close(self) -> None:
        """Refuse what waits and stop the worker."""
        self._watchdog.stop()
        await asyncio.get_running_loop().run_in_executor(None, self._worker.stop)

    async def learn(self, quarantine: Quarantine) -> None:
        """Suspect whom another device's worker died of."""
        self._worker.learn(quarantine)

    def backlog_ms(self) -> float:
        """Device milliseconds of the work in progress."""
        return self._backlog.total_ms()

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with their measured cost."""
        return tuple(self._describe(member) for member in self._members.values())

    async def metrics(self) -> tuple[Metric, ...]:
        """None: all is counted in the telemetry that was given."""
        return ()

    async def segment(self, call: SegmentCall, image: DeviceImage) -> SegmentReply:
        """Answer the prompts of a call on an image."""
        caller = _caller(call.tenant, call.remaining_ms, call.trace, call.is_free)
        engine = self._engine(call.model)
        marginal_cost_ms = {name: self._marginal_ms(name, image.key) for name in self._members}
        pixels = self._pixels(image, call.tenant)
        asked = Image(image.key, pixels, has_file=image.data is not None)
        question = _Question(engine, call, caller, asked, image.size)
        rows = engine.rows(image.key, len(call.prompts))
        with self._admission.work(caller.tenant, rows, caller.remaining_ms) as work:
            answers = await wait_all(
                self._answer(question, prompt, turn, work)
                for turn, prompt in enumerate(call.prompts, call.turn)
            )
        _raise_if_superseded(answers)
        answered = [answer for answer in answers if isinstance(answer, Answered)]
        encoded = max((a.encoded for a in answered), key=lambda done: done.launch_ms)
        results = [_result(answer) for answer in answers]
        decodes = [result for result in results if isinstance(result, Done)]
        return SegmentReply(
            size=image.size,
            predictions=tuple(
                result.value
                if isinstance(result, Done)
                else ResultError(result.code, result.message)
                for result in results
            ),
            warnings=(),
            timings_ms=Timings(
                decode_image=pixels.spent_ms,
                queue=encoded.queue_ms + max((d.queue_ms for d in decodes), default=0.0),
                encode=encoded.launch_ms,
                decode=max((d.launch_ms for d in decodes), default=0.0),
            ),
            marginal_cost_ms=marginal_cost_ms,
            spent_ms=tuple(_spent_ms(answer) for answer in answers),
            backlog_ms=self._backlog.total_ms(),
            embedded=frozenset(n for n, e in self._engines.items() if e.is_cached(image.key)),
            passage=_passage(answered, pixels) if caller.traces else None,
        )

    async def embed(
        self,
        tenant: str,
        model: str,
        images: Sequence[DeviceImage],
        remaining_ms: float,
        trace: str | None = None,
    ) -> Passage | None:
        """See to it that images are embedded."""
        caller = _caller(tenant, remaining_ms, trace)
        engine = self._engine(model)
        pixels = [self._pixels(image, tenant) for image in images]
        # The same image twice is one row.
        rows_of = {image.key: engine.rows(image.key, 0) for image in images}
        rows: Counter[tuple[str, str]] = Counter()
        for its in rows_of.values():
            rows.update(its)

        async def embed(image: DeviceImage, turn: int) -> Done[ImageEmbedding | None]:
            done = await engine.embed(Image(image.key, pixels[turn]), caller, turn)
            work.done(rows_of.pop(image.key, {}))
            return done

        # Let in as a whole: its own images are nobody that a request would have to wait for.
        with self._admission.work(caller.tenant, rows, caller.remaining_ms) as work:
            done = await wait_all(embed(image, turn) for turn, image in enumerate(images))
        return passage_of(done, (), pixels) if caller.traces else None

    async def prepare(self, tenant: str, model: str, image: DeviceImage) -> Prepared:
        """Embed an image in idle time, if that drives no other embedding out.

        Nobody's admission knows of it: it is in no backlog.
        """
        if self._backlog.total_ms() > self._limits.batches.idle_below_ms:
            return "given_up"
        pixels = self._pixels(image, tenant)
        asked = Image(image.key, pixels, has_file=image.data is not None)
        return await self._engine(model).prepare(asked, tenant)

    def _tell_owed(self, owed_ms: Mapping[str, float]) -> None:
        """From the worker's thread."""
        if self._charge is not None:
            for tenant, device_ms in owed_ms.items():
                self._loop.call_soon_threadsafe(self._charge, tenant, device_ms)

    async def _answer(
        self, question: "_Question", prompt: Prompt, turn: int, work: Work
    ) -> Answered | Superseded:
        """What becomes of one prompt, for which nobody has to wait any more then."""
        try:
            return await self._answer_or_supersede(question, prompt, turn)
        finally:
            work.done({(stage, question.call.model): 1 for stage in (DECODE, ENCODE)})

    async def _answer_or_supersede(
        self, question: "_Question", prompt: Prompt, turn: int
    ) -> Answered | Superseded:
        call = question.call
        if prompt.prompt_id is None or call.session_id is None:
            return await question.ask(prompt, turn)
        key = (call.tenant, call.session_id, question.image.key, prompt.prompt_id)
        if call.is_escalation and key in self._clicks:
            return superseded()  # by whoever came while a smaller member answered this one
        with self._clicks.newest(key) as click:
            try:
                return await click.unless_superseded(question.ask(prompt, turn, click.watch))
            except Superseded as error:
                return error

    def _pixels(self, image: DeviceImage, tenant: str) -> PixelLoader:
        return PixelLoader(image, tenant, self._limits.images, self._room, self._telemetry)

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
            calibration_sha256=None if member.heads is None else member.heads.calibration_sha256,
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
            advice=call.advice,
        )
        return await self.engine.answer(prompt, self.image, wanted, self.caller, turn, watch)


def _caller(tenant: str, remaining_ms: float, trace: str | None, is_free: bool = False) -> Caller:
    traces = () if trace is None else (trace,)
    return Caller(tenant, time.monotonic() + remaining_ms / 1000, is_free, traces)


def _raise_if_superseded(answers: Sequence[Answered | Superseded]) -> None:
    """A request of which nothing is wanted any more is an error as a whole."""
    errors = [answer for answer in answers if isinstance(answer, Superseded)]
    if len(errors) == len(answers):
        raise errors[0]


def _passage(answered: Sequence[Answered], pixels: PixelLoader) -> Passage:
    tier = next((answer.tier for answer in answered if answer.tier is not None), None)
    encoded, decoded = zip(*((answer.encoded, answer.decoded) for answer in answered), strict=True)
    return passage_of(encoded, decoded, [pixels], tier)


def _spent_ms(answer: Answered | Superseded) -> float:
    """Device milliseconds, with the encode's if it is this prompt's to pay."""
    if isinstance(answer, Superseded):
        return 0.0
    return answer.encoded.spent_ms + answer.decoded.spent_ms


def _result(answer: Answered | Superseded) -> Done[Prediction] | ServiceError:
    if isinstance(answer, Superseded):
        return answer
    decoded = answer.decoded
    return decoded.error if isinstance(decoded, Failed) else decoded
