"""Image embeddings kept for the next click: on the device, and behind it in host memory."""

import contextlib
import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from suresam.engine.arena import Form, form_of
from suresam.engine.budget import default_cache_bytes, default_host_cache_bytes
from suresam.engine.slots import SlotRef
from suresam.engine.tier import DEVICE, HOST, CacheKey, Tier, device_tier, host_tier
from suresam.errors import ConfigurationError
from suresam.segmentation.backbone import ImageEmbedding
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Bounds on what is remembered.

    Attributes:
        embedding_bytes: device memory for image embeddings; None is a part of what is free.
        host_bytes: host memory for those that the device has no room for any more; None is a
            part of what is free behind a CUDA device, and nothing on a CPU.
        session_bytes: memory for the uploaded files of sessions.
        ttl_s: seconds without use after which a session or an embedding goes.
        max_session_images: images in one session.
    """

    embedding_bytes: int | None = None
    host_bytes: int | None = None
    session_bytes: int = 2 * 2**30
    ttl_s: float = 900.0
    max_session_images: int = 16


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """A pinned embedding: it stands in its slot until the pin is given back.

    Attributes:
        embedding: a view of the slot. The device can read it only if it is on the device.
        key: of the embedding.
        user: for whom it is pinned.
        tier: where it stands.
        ref: the slot and its generation.
    """

    embedding: ImageEmbedding
    key: CacheKey
    user: object
    tier: Tier
    ref: SlotRef


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    """Slots for all models whose embeddings have one form."""

    device: Tier
    host: Tier

    @property
    def tiers(self) -> tuple[Tier, Tier]:
        """In the order in which they are asked."""
        return self.device, self.host


class EmbeddingCache:
    """Embeddings of all models of a device. The event loop pins, the device's worker puts.

    Who has to leave the device moves to host memory, and comes back when it is used. An embedding
    is in one of the two; in both only while somebody who found it on the host still holds it there.
    Only the worker's thread reads and writes slots, so that it never waits for a copy: what it
    asks for next is done after it.

    Models whose embeddings have the same form share their slots; each budget is divided among
    forms by the number of their models. Before `allocate`, and where all slots are pinned,
    nothing is kept.

    Args:
        limits: of memory and time.
        clock: monotonic seconds.
        telemetry: counts bytes and evictions.
    """

    def __init__(
        self, limits: CacheLimits, clock: Callable[[], float], telemetry: Telemetry
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._telemetry = telemetry
        self._rooms: dict[str, _Room] = {}
        self._tiers: tuple[Tier, ...] = ()
        self._lock = threading.Lock()

    def allocate(self, examples: Mapping[str, ImageEmbedding]) -> None:
        """Take the memory, once, for the embeddings of models.

        Args:
            examples: an embedding of each model, all on one device.

        Raises:
            ConfigurationError: bytes were named, and they have no room for one embedding of each
                form.
        """
        limits = self._limits
        device = str(next(iter(examples.values())).image_embed.device)
        all_bytes, host_bytes = limits.embedding_bytes, limits.host_bytes
        if all_bytes is None:
            all_bytes = default_cache_bytes(device)
        if host_bytes is None:
            host_bytes = default_host_cache_bytes(device)
        models = Counter(form_of(example) for example in examples.values())
        if limits.embedding_bytes:
            _refuse_useless(limits.embedding_bytes, examples, models)
        rooms: dict[Form, _Room] = {}
        for model, example in examples.items():
            form = form_of(example)
            if form not in rooms:
                rooms[form] = room = _Room(
                    device_tier(example, all_bytes * models[form] // len(examples), limits.ttl_s),
                    host_tier(example, host_bytes * models[form] // len(examples), limits.ttl_s),
                )
                logger.info(
                    "%s: room for %d cached embeddings of %d bytes, and for %d in host memory",
                    model,
                    room.device.table.num_slots,
                    example.size_bytes,
                    room.host.table.num_slots,
                )
            self._rooms[model] = rooms[form]
        self._tiers = tuple(tier for room in rooms.values() for tier in room.tiers)

    def size_bytes(self, tier: str) -> int:
        """Memory of all entries in one tier, "device" or "host"."""
        return sum(t.size_bytes for t in self._tiers if t.name == tier)

    @property
    def num_pins(self) -> int:
        """Pins that are held."""
        return sum(tier.table.num_pins for tier in self._tiers)

    def num_slots(self, model: str, tier: str = DEVICE) -> int:
        """Slots of one tier that a model's embeddings may stand in."""
        return sum(t.table.num_slots for t in self._rooms[model].tiers if t.name == tier)

    def last_tier(self, model: str) -> str:
        """Which tier a look-up ends in that finds nothing."""
        room = self._rooms.get(model)
        return HOST if room is not None and room.host.table.num_slots else DEVICE

    def has_free_slot(self, model: str) -> bool:
        """Whether an embedding of a model would drive nobody off the device."""
        room = self._rooms.get(model)
        with self._lock:
            self._expire()
            return room is not None and room.device.table.has_free_slot

    def __contains__(self, key: CacheKey) -> bool:
        room = self._rooms.get(key[1])
        if room is None:
            return False
        with self._lock:
            now = self._clock()
            return room.device.table.has(key, now) or room.host.table.has(key, now)

    @contextlib.contextmanager
    def pinned(self, key: CacheKey, user: object) -> Iterator[Lease | None]:
        """An embedding that stays where it is for the length of a `with` block; None without one.

        Args:
            key: of the embedding.
            user: the request that asks; a second one protects the entry.
        """
        with self._lock:
            self._expire()
            lease = self._pin(key, user)
        try:
            yield lease
        finally:
            if lease is not None:
                with self._lock:
                    self._unpin(lease)

    @contextlib.contextmanager
    def on_device(self, leases: Sequence[Lease]) -> Iterator[dict[Lease, ImageEmbedding]]:
        """What is leased where the device can read it, for a launch. The device's worker asks.

        What stands in host memory comes back into a slot, once for all who share it, and drives
        others out as any newcomer does. Where all slots are pinned the device is lent a copy.

        Raises:
            LookupError: a lease has run out, and with it went the embedding.
        """
        pins: list[Lease] = []
        try:
            with self._lock:
                held = {lease: self._pin_again(lease, pins) for lease in leases}
            # Only now, when all that are on the device stay there, may others drive anybody out.
            back: dict[CacheKey, ImageEmbedding] = {}
            for lease in held.values():
                if lease.tier.name == HOST and lease.key not in back:
                    back[lease.key] = self._bring_back(lease, pins)
            yield {mine: back.get(mine.key, lease.embedding) for mine, lease in held.items()}
        finally:
            with self._lock:
                for lease in pins:
                    self._unpin(lease)

    def put(self, key: CacheKey, embedding: ImageEmbedding) -> bool:
        """Copy an embedding into a slot of the device; whether there was one for it."""
        room = self._rooms.get(key[1])
        if room is None:
            return False
        device, host = room.tiers
        with self._lock:
            self._expire()
            now = self._clock()
            if device.table.has(key, now):
                return True
            host.table.drop(key)
            victim = device.table.next_out()
            ref = device.table.put(key, now)
            if ref is None:
                return False
            moved = None if victim is None else self._move_out(host, *victim)
        # Without the lock: who pins an entry already lets it be read by this thread only, later.
        try:
            if moved is not None:
                host.arena.write(moved.slot, device.arena.read(ref.slot))
            device.arena.write(ref.slot, embedding)
        except BaseException:
            with self._lock:
                device.table.discard(key)
                if moved is not None and victim is not None:
                    host.table.discard(victim[0])
            raise
        self._report()
        return True

    def _pin(self, key: CacheKey, user: object, known: Lease | None = None) -> Lease | None:
        """Pin an embedding where it is; if that is where a lease of it is, it is that lease."""
        room = self._rooms.get(key[1])
        for tier in () if room is None else room.tiers:
            ref = tier.table.pin(key, user, self._clock())
            if known is not None and (known.tier, known.ref) == (tier, ref):
                return known
            if ref is not None:
                return Lease(tier.arena.read(ref.slot), key, user, tier, ref)
        return None

    def _pin_again(self, lease: Lease, pins: list[Lease]) -> Lease:
        """By its key, not by its slot: whatever stands there is this image's."""
        again = self._pin(lease.key, lease.user, lease)
        if again is None:
            raise LookupError("an embedding went although somebody waited for it")
        pins.append(again)
        return again

    def _unpin(self, lease: Lease) -> None:
        """Give a pin back; what the device has by now needs no second place."""
        room = self._rooms[lease.key[1]]
        lease.tier.table.unpin(lease.key, lease.ref)
        if lease.tier is room.host and room.device.table.has(lease.key, self._clock()):
            room.host.table.drop(lease.key)
            self._report()

    def _bring_back(self, lease: Lease, pins: list[Lease]) -> ImageEmbedding:
        """It starts on probation again: to be wrong about it costs a copy, not an encode.

        As long as it is copied it has two slots: where the host is full, its oldest goes for that.
        """
        if self.put(lease.key, lease.embedding):
            with self._lock:
                again = self._pin_again(lease, pins)
            if again.tier.name == DEVICE:
                return again.embedding
        return self._rooms[lease.key[1]].device.arena.lend(lease.embedding)

    def _move_out(self, host: Tier, key: CacheKey, used_at: float) -> SlotRef | None:
        """A slot on the host for who must leave the device; None where none has to be written."""
        if host.table.has(key, self._clock()):
            self._telemetry.cache_evictions.labels("demoted").inc()
            return None
        if self._clock() - used_at >= self._limits.ttl_s:
            self._telemetry.cache_evictions.labels("ttl").inc()
            return None
        if host.table.next_out() is not None:
            self._telemetry.cache_evictions.labels("bytes").inc()
        ref = host.table.put(key, used_at)
        self._telemetry.cache_evictions.labels("bytes" if ref is None else "demoted").inc()
        return ref

    def _expire(self) -> None:
        gone = sum(tier.table.expire(self._clock()) for tier in self._tiers)
        if gone:
            self._telemetry.cache_evictions.labels("ttl").inc(gone)
            self._report()

    def _report(self) -> None:
        for tier in (DEVICE, HOST):
            self._telemetry.cache_bytes.labels(tier).set(self.size_bytes(tier))


def _refuse_useless(
    budget_bytes: int, examples: Mapping[str, ImageEmbedding], models: Counter[Form]
) -> None:
    least_bytes = max(
        math.ceil(example.size_bytes * len(examples) / models[form_of(example)])
        for example in examples.values()
    )
    if budget_bytes < least_bytes:
        raise ConfigurationError(
            f"cache_bytes={budget_bytes} has no room for one embedding of each of "
            f"{', '.join(examples)}: it needs at least {least_bytes} bytes, or 0 to keep none"
        )
