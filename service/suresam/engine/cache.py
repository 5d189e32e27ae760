"""Image embeddings kept for the next click, in slots that are allocated once."""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from suresam.engine.arena import Arena, Form, form_of
from suresam.engine.budget import default_cache_bytes
from suresam.engine.slots import SlotRef, SlotTable
from suresam.segmentation.backbone import ImageEmbedding
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)

TIER = "device"

CacheKey = tuple[str, str]
"""Image key and model."""


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Bounds on what is remembered.

    Attributes:
        embedding_bytes: memory for image embeddings; None is a part of what is free.
        session_bytes: memory for the uploaded files of sessions.
        ttl_s: seconds without use after which a session or an embedding goes.
        max_session_images: images in one session.
    """

    embedding_bytes: int | None = None
    session_bytes: int = 2 * 2**30
    ttl_s: float = 900.0
    max_session_images: int = 16


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """A pinned embedding: it stands in its slot until the pin is given back.

    Attributes:
        embedding: a view of the slot.
        ref: the slot and its generation.
    """

    embedding: ImageEmbedding
    ref: SlotRef


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    """Slots for all models whose embeddings have one form."""

    arena: Arena
    table: SlotTable[CacheKey]
    slot_bytes: int


class EmbeddingCache:
    """Embeddings of all models of a device. The event loop pins, the device's worker puts.

    Models whose embeddings have the same form share their slots; the budget is divided among
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
        self._distinct_rooms: tuple[_Room, ...] = ()
        self._lock = threading.Lock()

    def allocate(self, examples: Mapping[str, ImageEmbedding]) -> None:
        """Take the memory, once, for the embeddings of models.

        Args:
            examples: an embedding of each model, all on one device.
        """
        all_bytes = self._limits.embedding_bytes
        if all_bytes is None:
            device = next(iter(examples.values())).image_embed.device
            all_bytes = default_cache_bytes(str(device))
        models = Counter(form_of(example) for example in examples.values())
        rooms: dict[Form, _Room] = {}
        for model, example in examples.items():
            form = form_of(example)
            if form not in rooms:
                budget_bytes = all_bytes * models[form] // len(examples)
                num_slots = budget_bytes // example.size_bytes
                logger.info(
                    "%s: room for %d cached embeddings of %d bytes",
                    model,
                    num_slots,
                    example.size_bytes,
                )
                table: SlotTable[CacheKey] = SlotTable(num_slots, self._limits.ttl_s)
                rooms[form] = _Room(Arena(example, num_slots), table, example.size_bytes)
            self._rooms[model] = rooms[form]
        self._distinct_rooms = tuple(rooms.values())

    @property
    def size_bytes(self) -> int:
        """Memory of all entries."""
        return sum(len(room.table) * room.slot_bytes for room in self._distinct_rooms)

    @property
    def num_pins(self) -> int:
        """Pins that are held."""
        return sum(room.table.num_pins for room in self._distinct_rooms)

    def num_slots(self, model: str) -> int:
        """Slots that a model's embeddings may stand in."""
        return self._rooms[model].table.num_slots

    def __contains__(self, key: CacheKey) -> bool:
        room = self._rooms.get(key[1])
        with self._lock:
            return room is not None and room.table.has(key, self._clock())

    @contextlib.contextmanager
    def pinned(self, key: CacheKey, user: object) -> Iterator[Lease | None]:
        """An embedding that stays where it is for the length of a `with` block; None without one.

        Args:
            key: of the embedding.
            user: the request that asks; a second one protects the entry.
        """
        room = self._rooms.get(key[1])
        with self._lock:
            self._expire()
            ref = None if room is None else room.table.pin(key, user, self._clock())
        if room is None or ref is None:
            yield None
            return
        try:
            yield Lease(room.arena.read(ref.slot), ref)
        finally:
            with self._lock:
                room.table.unpin(key, ref)

    def put(self, key: CacheKey, embedding: ImageEmbedding) -> bool:
        """Copy an embedding into a slot; whether there was one for it."""
        room = self._rooms.get(key[1])
        if room is None:
            return False
        with self._lock:
            self._expire()
            if room.table.has(key, self._clock()):
                return True
            was_full = len(room.table) == room.table.num_slots
            ref = room.table.put(key, self._clock())
        if ref is None:
            return False
        if was_full:
            self._telemetry.cache_evictions.labels("bytes").inc()
        # Without the lock: who pins the entry already lets it be read by this thread only, later.
        try:
            room.arena.write(ref.slot, embedding)
        except BaseException:
            with self._lock:
                room.table.discard(key)
            raise
        self._report()
        return True

    def is_current(self, model: str, ref: SlotRef) -> bool:
        """Whether a slot still holds what it held when it was pinned."""
        with self._lock:
            return self._rooms[model].table.is_current(ref)

    def _expire(self) -> None:
        gone = sum(room.table.expire(self._clock()) for room in self._distinct_rooms)
        if gone:
            self._telemetry.cache_evictions.labels("ttl").inc(gone)
            self._report()

    def _report(self) -> None:
        self._telemetry.cache_bytes.labels(TIER).set(self.size_bytes)
