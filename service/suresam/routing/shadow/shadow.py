"""Shadow mode at work: what was answered by the small member is answered again, and compared."""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

from suresam.domain import Prediction
from suresam.engine.client import SegmentCall, SegmentReply
from suresam.errors import ServiceError
from suresam.routing.shadow.comparison import Comparison, compare
from suresam.routing.shadow.record import ComparedModels, RecordFile
from suresam.routing.shadow.sampler import Sampler
from suresam.routing.shadow.watched import WatchedEngine
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)

COMPARED = "compared"
QUEUE_FULL = "queue_full"
BUSY = "busy"
INTERRUPTED = "interrupted"
FAILED = "failed"
NO_ESTIMATE = "no_estimate"
OUTCOMES = (COMPARED, QUEUE_FULL, BUSY, INTERRUPTED, FAILED, NO_ESTIMATE)
"""What becomes of a prompt that was drawn: it was compared; too many waited; no quiet time came; a
caller came; the large member did not answer; or nothing told what to expect of it."""

_MOST_WAITING = 8
_MOST_WAITING_BYTES = 64 * 2**20
"""Of uploaded files, which are held as long as their prompts wait."""

_PATIENCE_S = 30.0
"""How long a prompt waits for a quiet time. A session is kept alive by so much at most."""

_LONGEST_QUIET_S = 2.0
"""Nobody must have been there for as long as the large member will take, or this long."""

_UNKNOWN_COST_MS = 1000.0
_DEADLINE_MS = 120_000.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A prompt that the small member has answered.

    Attributes:
        call: that asks the large one.
        answer, spent_ms: of the small one.
        expected_ms: of the device, for the large one.
        until: when it is given up, monotonic seconds.
    """

    call: SegmentCall
    answer: Prediction
    spent_ms: float
    expected_ms: float
    until: float

    @property
    def size_bytes(self) -> int:
        return 0 if self.call.image is None else len(self.call.image)


class Shadow:
    """Asks the large member again, one prompt at a time, when nobody else asks anything.

    Nothing here is waited for by a caller. Used by the event loop alone.

    Args:
        engine: that the router asks, too.
        members: names, cheapest first.
        sampler: chooses prompts.
        record: where comparisons are written, or None.
        pool: for comparing masks and writing, off the event loop.
        telemetry: counts.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        engine: WatchedEngine,
        members: Sequence[str],
        sampler: Sampler,
        record: RecordFile | None,
        pool: Executor,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._small, self._large = members[0], members[-1]
        self._sampler = sampler
        self._record = record
        self._pool = pool
        self._telemetry = telemetry
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(_MOST_WAITING)
        self._waiting_bytes = 0
        self._models: ComparedModels | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_over = self._small == self._large
        self._has_warned = False

    def choose(self, call: SegmentCall) -> tuple[int, ...]:
        """Which prompts of a request to the small member are to be compared, by their places.

        They need the small member's heads.
        """
        if self._is_over:
            return ()
        return self._sampler.choose(_picture(call), [prompt.kind for prompt in call.prompts])

    def offer(self, call: SegmentCall, reply: SegmentReply, chosen: Sequence[int]) -> None:
        """Keep prompts until a quiet time. Returns at once.

        Args:
            call: what the small member was asked.
            reply: what it answered.
            chosen: by `choose`.
        """
        for place in chosen:
            prompt, answer = call.prompts[place], reply.predictions[place]
            if self._is_over or not isinstance(answer, Prediction):
                continue
            if not self._sampler.take(_picture(call), prompt.kind):
                continue
            cost_ms = reply.marginal_cost_ms.get(self._large)
            asked = replace(
                call,
                model=self._large,
                # Without its id: it must not take the place of a caller's newer click.
                prompts=(replace(prompt, prompt_id=None),),
                remaining_ms=_DEADLINE_MS,
                low_res_logits=False,
                maps=False,
                entropy=False,
                heads=True,
                turn=0,
                is_free=True,
            )
            expected_ms = _UNKNOWN_COST_MS if cost_ms is None else cost_ms
            until = self._clock() + _PATIENCE_S
            self._keep(_Waiting(asked, answer, reply.spent_ms[place], expected_ms, until))

    async def close(self) -> None:
        """Give up whatever waits or runs."""
        self._is_over = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    def _keep(self, waiting: _Waiting) -> None:
        has_room = self._waiting_bytes + waiting.size_bytes <= _MOST_WAITING_BYTES
        if self._queue.full() or not has_room:
            self._settle(waiting, QUEUE_FULL)
            return
        self._waiting_bytes += waiting.size_bytes
        self._queue.put_nowait(waiting)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._ended)

    async def _run(self) -> None:
        while not self._is_over:
            waiting = await self._queue.get()
            try:
                outcome = await self._ask(waiting)
            finally:
                self._waiting_bytes -= waiting.size_bytes
            self._settle(waiting, outcome)

    def _ended(self, running: "asyncio.Task[None]") -> None:
        self._is_over = True
        while not self._queue.empty():  # whoever waits holds an uploaded file
            self._queue.get_nowait()
        if not running.cancelled() and (error := running.exception()) is not None:
            logger.error("shadow mode ended by a fault of its own", exc_info=error)

    def _settle(self, waiting: _Waiting, outcome: str) -> None:
        self._telemetry.shadow.labels(outcome).inc()
        if outcome in (QUEUE_FULL, BUSY, INTERRUPTED, FAILED):
            self._sampler.release(_picture(waiting.call), waiting.call.prompts[0].kind)

    async def _ask(self, waiting: _Waiting) -> str:
        """Wait for a quiet time, ask and compare; what became of it."""
        quiet_s = min(waiting.expected_ms / 1000, _LONGEST_QUIET_S)
        while self._engine.quiet_s() <= quiet_s:
            if self._clock() >= waiting.until:
                return BUSY
            await asyncio.sleep(_LOOK_EVERY_S)
        try:
            reply = await self._engine.ask_aside(waiting.call)
        except ServiceError as error:
            logger.info("%s did not answer: %s: %s", self._large, error.code, error.message)
            return FAILED
        if reply is None:
            return INTERRUPTED
        [answer] = reply.predictions
        if not isinstance(answer, Prediction):
            return FAILED
        [prompt] = waiting.call.prompts
        costs_ms = (waiting.spent_ms, reply.spent_ms[0])
        work = partial(compare, prompt, waiting.answer, answer, self._large, costs_ms)
        comparison = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        if comparison is None:
            self._warn_once()
            return NO_ESTIMATE
        self._telemetry.shadow_gain.observe(comparison.gain)
        self._telemetry.shadow_gain_error.observe(comparison.expected_gain - comparison.gain)
        if self._record is not None and not await self._write(self._record, comparison):
            logger.warning("shadow mode stops; the service goes on without it")
            self._is_over = True
        return COMPARED

    def _warn_once(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "shadow mode has nothing to compare: %s or %s expects no IoU or gain, for want of "
                "heads or a calibration",
                self._small,
                self._large,
            )

    async def _write(self, record: RecordFile, comparison: Comparison) -> bool:
        """Whether there will be room for the next one as well."""
        loop = asyncio.get_running_loop()
        try:
            models = await self._compared_models()
            if await loop.run_in_executor(self._pool, record.append, models, comparison):
                return True
            logger.warning("%s is full (shadow_file_bytes=%d)", record.path, record.max_bytes)
        except OSError as error:
            logger.error("%s cannot be written: %s", record.path, error.strerror)
        except ServiceError as error:
            logger.info("one comparison is not recorded: %s: %s", error.code, error.message)
            return True
        return False

    async def _compared_models(self) -> ComparedModels:
        """Asked once: a service has the same models as long as it lives."""
        if self._models is None:
            members = {member.name: member for member in await self._engine.models()}
            small, large = members[self._small], members[self._large]
            assert small.heads_sha256 is not None, "without heads nothing was compared"
            assert small.calibration is not None, "nor without a calibration"
            assert small.calibration_sha256 is not None, "which was a file"
            self._models = ComparedModels(
                small.name,
                large.name,
                small.sha256,
                large.sha256,
                small.heads_sha256,
                small.calibration,
                small.calibration_sha256,
            )
        return self._models


def _picture(call: SegmentCall) -> Hashable | None:
    """What tells a session's picture from others; None for an upload, which is always new."""
    return None if call.session_id is None else (call.tenant, call.session_id, call.image_id)
