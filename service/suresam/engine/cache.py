"""Image embeddings kept for the next click, within a budget of bytes and a time to live."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from suresam.segmentation.backbone import ImageEmbedding
from suresam.telemetry import Telemetry

_TIER = "device"

CacheKey = tuple[str, str]
"""Image key and model."""


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Bounds on what is remembered.

    Attributes:
        embedding_bytes: memory for image embeddings.
        session_bytes: memory for the uploaded files of sessions.
        ttl_s: seconds without use after which a session or an embedding goes.
        max_session_images: images in one session.
    """

    embedding_bytes: int = 2 * 2**30
    session_bytes: int = 2 * 2**30
    ttl_s: float = 900.0
    max_session_images: int = 16


@dataclass(slots=True)
class _Entry:
    embedding: ImageEmbedding
    used_at: float


class EmbeddingCache:
    """Least recently used goes first. Used by the event loop alone.

    An embedding larger than the whole budget is simply not kept. Whoever is decoding with an
    evicted embedding holds it until done.
    """

    def __init__(
        self, limits: CacheLimits, clock: Callable[[], float], telemetry: Telemetry
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._telemetry = telemetry
        self._entries: OrderedDict[CacheKey, _Entry] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Memory of all entries."""
        return self._size_bytes

    def __contains__(self, key: CacheKey) -> bool:
        entry = self._entries.get(key)
        return entry is not None and not self._has_expired(entry)

    def get(self, key: CacheKey) -> ImageEmbedding | None:
        """Look up and mark as just used."""
        self._expire()
        entry = self._entries.get(key)
        result = "miss" if entry is None else "hit"
        self._telemetry.cache_requests.labels(result, _TIER, key[1]).inc()
        if entry is None:
            return None
        entry.used_at = self._clock()
        self._entries.move_to_end(key)
        return entry.embedding

    def put(self, key: CacheKey, embedding: ImageEmbedding) -> None:
        """Keep an embedding, and let the oldest go until the budget holds."""
        if key in self._entries:
            self._remove(key)
        if embedding.size_bytes <= self._limits.embedding_bytes:
            self._entries[key] = _Entry(embedding, self._clock())
            self._size_bytes += embedding.size_bytes
        while self._size_bytes > self._limits.embedding_bytes:
            self._evict(next(iter(self._entries)), "bytes")
        self._report()

    def _has_expired(self, entry: _Entry) -> bool:
        return self._clock() - entry.used_at >= self._limits.ttl_s

    def _expire(self) -> None:
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if not self._has_expired(entry):
                break
            self._evict(key, "ttl")
        self._report()

    def _evict(self, key: CacheKey, reason: str) -> None:
        self._remove(key)
        self._telemetry.cache_evictions.labels(reason).inc()

    def _remove(self, key: CacheKey) -> None:
        self._size_bytes -= self._entries.pop(key).embedding.size_bytes

    def _report(self) -> None:
        self._telemetry.cache_bytes.labels(_TIER).set(self._size_bytes)
