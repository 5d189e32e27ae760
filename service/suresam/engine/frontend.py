"""The front of the engine: sessions and uploaded files, in front of one device or several.

Sessions stand here and not with a device, so that they outlive it: the embedding of their image is
made again wherever the next click goes.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from suresam.domain import ModelInfo, Session, SessionImage
from suresam.engine.affinity import Affinity
from suresam.engine.client import AddImageCall, CreateSessionCall, SegmentCall, SegmentReply
from suresam.engine.device import Device, DeviceImage
from suresam.engine.limits import EngineLimits
from suresam.engine.newcomers import Newcomers
from suresam.engine.permits import Kind, Permits
from suresam.engine.preparation import Preparation, Wish
from suresam.engine.reading_room import ReadingRoom
from suresam.engine.sessions import SessionStore, StoredImage
from suresam.engine.tasks import wait_all, within
from suresam.engine.uploads import Uploads
from suresam.telemetry import Telemetry
from suresam.tracing import span
from suresam.validation import check_inside

if TYPE_CHECKING:
    from prometheus_client import Metric

    from suresam.tracing.server import Span


class Frontend:
    """The `EngineClient`, whatever its devices are.

    Args:
        devices: at least one, all with the same members.
        limits: see `EngineLimits`.
        pool: for reading headers and hashing, off the event loop.
        telemetry: of the service.
        clock: monotonic seconds, of sessions.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        limits: EngineLimits,
        pool: Executor,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices = tuple(devices)
        self._affinity = Affinity(self._devices)
        room = ReadingRoom(pool, limits.cpu_threads, limits.max_pixels)
        self._uploads = Uploads(limits.images, room)
        self._sessions = SessionStore(limits.cache, clock, time.time, telemetry)
        self._preparation = Preparation(
            self._sessions, self._affinity, len(self._devices), telemetry
        )
        self._permits = Permits(limits.max_in_flight, self._backlog_ms, self.is_ready, telemetry)
        self._newcomers = Newcomers(telemetry)
        telemetry.engine_up.set_function(
            lambda: float(all(device.is_ready() for device in self._devices))
        )

    @property
    def is_closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._permits.is_closed

    def start(self) -> None:
        """Start the devices; `is_ready` turns true when the first is warm."""
        for device in self._devices:
            device.start()

    def is_ready(self) -> bool:
        """Whether a device is warm and works."""
        return any(device.is_ready() for device in self._devices)

    async def wait_ready(self) -> None:
        """Wait until every device is warm; requests are answered from the first one on.

        Raises:
            NotReady, ConfigurationError: one will not be; the log says why.
        """
        await wait_all(device.wait_ready() for device in self._devices)

    async def wait_lost(self) -> None:
        """Return when every device is gone for good, as far as this process is concerned."""
        await wait_all(device.wait_lost() for device in self._devices)

    async def close(self, drain_s: float) -> None:
        """Let nobody in, wait at most `drain_s` seconds for those inside, stop the devices."""
        await self._permits.close(drain_s)
        await self._preparation.close()
        await wait_all(device.close() for device in self._devices)

    async def segment(self, call: SegmentCall) -> SegmentReply:
        """Answer prompts on an uploaded image or a session's."""
        kind: Kind = "click" if call.image is None else "upload"
        # Who asks for nobody may have come from a request that is traced, and is no part of it.
        part = nullcontext() if call.is_free else span("engine")
        is_click = kind == "click" and not (call.is_escalation or call.is_free)
        noted = (
            self._newcomers.clicking(call.tenant, call.remaining_ms) if is_click else nullcontext()
        )
        with noted, part as traced, self._permits.permit(kind, call.remaining_ms):
            return await within(call.remaining_ms, self._segment(call, traced))

    async def create_session(self, call: CreateSessionCall) -> Session:
        """Keep images under an id, embedded and ready for clicks."""
        self._permits.check_open()
        self._sessions.check_new_id(call.tenant, call.session_id)
        self._sessions.check_num_images(len(call.images))
        self._newcomers.let_in(call.tenant)
        with span("engine") as traced, self._permits.permit("upload", call.remaining_ms):
            work = self._take_in(call.tenant, call.model, call.images, call.remaining_ms, traced)
            images = await within(call.remaining_ms, work)
            return self._sessions.create(call.tenant, call.session_id, tuple(images))

    async def add_image(self, call: AddImageCall) -> SessionImage:
        """Add an image to a session."""
        self._permits.check_open()
        held = self._sessions.get(call.tenant, call.session_id)
        self._sessions.check_num_images(len(held.images) + 1)
        self._newcomers.let_in(call.tenant)
        with span("engine") as traced, self._permits.permit("upload", call.remaining_ms):
            images = (call.image,)
            work = self._take_in(call.tenant, call.model, images, call.remaining_ms, traced)
            [image] = await within(call.remaining_ms, work)
            added = self._sessions.add(call.tenant, call.session_id, image)
        larger = self._sessions.larger_members(call.tenant, call.session_id)
        self._preparation.want(
            Wish(call.tenant, call.session_id, added.image_id, model) for model in larger
        )
        return added

    async def get_session(self, tenant: str, session_id: str) -> Session:
        """A session's state; looking at it keeps it alive."""
        return self._sessions.get(tenant, session_id)

    async def delete_session(self, tenant: str, session_id: str) -> None:
        """Forget a session and its images."""
        self._sessions.delete(tenant, session_id)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with the cost as the first device that is up measures it."""
        up = next((device for device in self._devices if device.is_ready()), self._devices[0])
        return await up.models()

    async def metrics(self) -> "tuple[Metric, ...]":
        """What the devices counted elsewhere than in this process's own metrics."""
        found = await wait_all(device.metrics() for device in self._devices)
        return tuple(metric for metrics in found for metric in metrics)

    async def _segment(self, call: SegmentCall, traced: "Span | None") -> SegmentReply:
        if traced is not None:
            traced.tell({"suresam.model": call.model, "suresam.prompts": len(call.prompts)})
            call = replace(call, trace=traced.traceparent)
        started, header_ms = time.monotonic(), 0.0
        image = await self._find_image(call)
        if call.image is not None:
            header_ms = (time.monotonic() - started) * 1000
            call = replace(call, image=None, remaining_ms=call.remaining_ms - header_ms)
        check_inside(call.prompts, image.size)
        with self._affinity.device_for([image.key]) as device:
            reply = await device.segment(call, _for_device(image))
        if traced is not None and reply.passage is not None:
            traced.passed(reply.passage)
        self._prepare(call, image, reply)
        if header_ms:
            decode_image_ms = reply.timings_ms.decode_image + header_ms
            timings = replace(reply.timings_ms, decode_image=decode_image_ms)
            reply = replace(reply, timings_ms=timings)
        warnings = image.public.warnings
        return replace(reply, warnings=warnings) if warnings else reply

    def _prepare(self, call: SegmentCall, image: StoredImage, reply: SegmentReply) -> None:
        """Let a session's next clicks find the embeddings that they will probably need.

        Where one image needed a larger member, the others may, too. And what there was of this one
        may be gone: driven out, or with its device.
        """
        if call.session_id is None:
            return
        members = self._sessions.larger_members(call.tenant, call.session_id)
        wanted = [(image, model) for model in members - reply.embedded]
        if call.is_escalation and call.model not in members:
            members.add(call.model)
            images = self._sessions.images(call.tenant, call.session_id)
            wanted += [(other, call.model) for other in images if other.key != image.key]
        self._preparation.want(
            Wish(call.tenant, call.session_id, one.public.image_id, model) for one, model in wanted
        )

    async def _find_image(self, call: SegmentCall) -> StoredImage:
        if call.image is not None:
            with span("open_image"):
                return await self._uploads.open(call.tenant, call.image, call.remaining_ms)
        assert call.session_id is not None, "the router asks for an image or a session"
        return self._sessions.image(call.tenant, call.session_id, call.image_id)

    async def _take_in(
        self,
        tenant: str,
        model: str,
        files: Sequence[bytes],
        remaining_ms: float,
        traced: "Span | None",
    ) -> list[StoredImage]:
        if traced is not None:
            traced.tell({"suresam.model": model, "suresam.images": len(files)})
        started = time.monotonic()
        with span("open_image"):
            images = await wait_all(
                self._uploads.open(tenant, data, remaining_ms) for data in files
            )
        remaining_ms -= (time.monotonic() - started) * 1000
        trace = None if traced is None else traced.traceparent
        with self._affinity.device_for([image.key for image in images]) as device:
            passage = await device.embed(
                tenant, model, [_for_device(image) for image in images], remaining_ms, trace
            )
        if traced is not None and passage is not None:
            traced.passed(passage)
        return images

    def _backlog_ms(self) -> float:
        return min((d.backlog_ms() for d in self._devices if d.is_ready()), default=0.0)


def _for_device(image: StoredImage) -> DeviceImage:
    return DeviceImage(image.key, image.size, image.data)
