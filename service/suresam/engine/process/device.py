"""The servers' side: a `Device` whose work is done in a child process."""

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from prometheus_client import Metric

from suresam.domain import ModelInfo
from suresam.engine.black_box import BLACK_BOX_BYTES, BlackBox
from suresam.engine.client import SegmentCall, SegmentReply
from suresam.engine.device import Charge, DeviceImage, FileWanted, Prepared
from suresam.engine.limits import EngineLimits
from suresam.engine.process import host
from suresam.engine.process.child import Child
from suresam.engine.quarantine import Quarantine
from suresam.errors import ConfigurationError, NotReady, ServiceError, WorkerFailed
from suresam.telemetry import add_up, only_counts
from suresam.tracing.passage import Passage

logger = logging.getLogger(__name__)

_METRICS_S = 1.0
"""For which a scrape waits for a child."""

_LONGEST_PAUSE_S = 30.0
"""Between two starts of a child that does not live."""

_LEARN_S = 5.0
"""For which a child's death waits for the others to hear of it; one of them may be frozen."""

_START_S = 1800.0
"""For loading, compiling and warming up."""

_MOST_FAILURES = 8
"""Children one after the other that did not become ready, after which the device counts as lost."""


class ProcessDevice:
    """Keeps one child alive and calls it. Used by the event loop alone.

    Calls that a dying child held get `WorkerFailed`, and the next child treats what was on the
    device as suspect. A child that gives no sign of life for `launch_timeout_s` is killed.

    Args:
        build: loads the models, in the child.
        limits: of the device.
        charge: is told a tenant and the device milliseconds that it owes for a launch, before any
            answer of that launch. None where nobody wants to know.

    Attributes:
        peers: devices to which the same inputs may come.
    """

    def __init__(
        self, build: host.Build, limits: EngineLimits, charge: Charge | None = None
    ) -> None:
        self._build = build
        self._charge = charge
        self._limits = limits
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([host.__name__])
        self._memory = self._context.RawArray("c", BLACK_BOX_BYTES)
        self._child: Child | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._was_ready = False
        self._is_closing = False
        self._lost = asyncio.Event()
        self.peers: Sequence[ProcessDevice] = ()
        self._ended_counts: tuple[Metric, ...] = ()

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the child, and see to it that there is one until `close`."""
        self._keeping = asyncio.create_task(self._keep())

    def is_ready(self) -> bool:
        """Whether the child has warm models."""
        return self._child is not None and self._child.state.is_ready

    async def wait_ready(self) -> None:
        """Wait until every model is warm.

        Raises:
            NotReady, ConfigurationError: the first child could not load or warm its models.
        """
        while not self.is_ready():
            if self._failure is not None:
                raise self._failure
            await asyncio.sleep(0.01)

    async def wait_lost(self) -> None:
        """Return when one child after the other did not become ready."""
        await self._lost.wait()

    async def close(self) -> None:
        """Stop the child."""
        self._is_closing = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    def backlog_ms(self) -> float:
        """Device milliseconds of the work in progress, as last heard."""
        return 0.0 if self._child is None else self._child.state.backlog_ms

    async def segment(self, call: SegmentCall, image: DeviceImage) -> SegmentReply:
        """Answer the prompts of a call on an image."""
        started = time.monotonic()
        if call.session_id is not None:
            # Its embedding is there most of the time, and files are large.
            try:
                answer = await self._ask("segment", call, replace(image, data=None))
            except FileWanted:
                spent_ms = (time.monotonic() - started) * 1000
                call = replace(call, remaining_ms=call.remaining_ms - spent_ms)
            else:
                return cast(SegmentReply, answer)
        return cast(SegmentReply, await self._ask("segment", call, image))

    async def embed(
        self,
        tenant: str,
        model: str,
        images: Sequence[DeviceImage],
        remaining_ms: float,
        trace: str | None = None,
    ) -> Passage | None:
        """See to it that images are embedded."""
        answer = await self._ask("embed", tenant, model, tuple(images), remaining_ms, trace)
        return cast("Passage | None", answer)

    async def prepare(self, tenant: str, model: str, image: DeviceImage) -> Prepared:
        """Embed an image in idle time, if that drives no other embedding out."""
        try:
            found = await self._ask("prepare", tenant, model, replace(image, data=None))
        except FileWanted:
            found = await self._ask("prepare", tenant, model, image)
        return cast(Prepared, found)

    async def learn(self, quarantine: Quarantine) -> None:
        """Suspect whom another device's worker died of."""
        await self._ask("learn", quarantine)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with their measured cost."""
        return cast(tuple[ModelInfo, ...], await self._ask("models"))

    async def metrics(self) -> tuple[Metric, ...]:
        """What the child and those before it counted."""
        child = self._child
        if child is None:
            return self._ended_counts
        if child.state.is_ready:
            try:
                child.metrics = await asyncio.wait_for(child.ask("metrics"), _METRICS_S)
            except (ServiceError, asyncio.TimeoutError):
                logger.warning("the engine process did not tell its metrics in time")
        return add_up([*self._ended_counts, *child.metrics])

    async def _ask(self, method: str, *arguments: Any) -> Any:
        if not self.is_ready() or self._child is None:
            raise NotReady("the engine process is being started; try again")
        return await self._child.ask(method, *arguments)

    async def _keep(self) -> None:
        """Start a child, and when it ended another."""
        num_failures = 0
        while not self._is_closing and self._failure is None:
            child = self._child = Child(self._context, self._charge)
            try:
                await self._live(child)
            except Exception as error:  # whatever it is, there must be another child
                logger.exception("the engine process could not be started")
                self._fail(NotReady(f"the engine process could not be started: {error!r}"))
            self._was_ready |= child.was_ready
            code = await child.stop()
            await self._tell_peers()
            self._child = None
            self._ended_counts = add_up([*self._ended_counts, *only_counts(child.metrics)])
            if self._is_closing or self._failure is not None:
                return
            logger.error("the engine process ended (exit code %s); starting another", code)
            num_failures = 0 if child.was_ready else num_failures + 1
            if num_failures == _MOST_FAILURES:
                self._lost.set()
            if num_failures:
                await asyncio.sleep(min(2.0 ** (num_failures - 1), _LONGEST_PAUSE_S))

    async def _live(self, child: Child) -> None:
        """A child's life, from its start to its end or silence."""
        await child.start(self._memory, self._build, self._limits)
        gone = asyncio.ensure_future(child.wait_gone(self._limits.launch_timeout_s))
        ready = asyncio.ensure_future(child.ask("wait_ready"))
        try:
            await asyncio.wait((gone, ready), timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                await ready
                await gone
            elif not child.was_ready:
                self._fail(NotReady("the engine process did not become ready"))
        except WorkerFailed:
            self._fail(NotReady("the engine process died early; the log may say why"))
        except (ServiceError, ConfigurationError) as error:
            logger.error("the engine process did not become ready: %s", error)
            self._fail(error)
        finally:
            gone.cancel()
            ready.cancel()

    def _fail(self, error: Exception) -> None:
        """Tell whoever starts us; once somebody is served it is tried again instead."""
        # Not by the answer to `wait_ready`, before which a child that is ready may be killed.
        if not (self._was_ready or (self._child is not None and self._child.was_ready)):
            self._failure = error

    async def _tell_peers(self) -> None:
        """Let other devices be wary of what this one died of, which may come to them next."""
        peers = [peer for peer in self.peers if peer is not self and peer.is_ready()]
        if not peers:
            return
        try:
            suspects = BlackBox(self._memory).read()
            told = (peer.learn(suspects) for peer in peers)
            await asyncio.wait_for(asyncio.gather(*told, return_exceptions=True), _LEARN_S)
        except Exception:  # whatever it is, there must be another child
            logger.exception("the other engines were not told what this one died of")
