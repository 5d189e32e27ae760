"""Clients' expiring handles on their images. Keeps the uploaded files, not the pixels."""

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from suresam.domain import ImageSize, Session, SessionImage
from suresam.engine.cache import CacheLimits
from suresam.errors import (
    ImageNotFound,
    ImageTooLarge,
    InvalidRequest,
    SessionExists,
    SessionNotFound,
)
from suresam.telemetry import Telemetry
from suresam.validation import check_num_images

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, eq=False)
class StoredImage:
    """An uploaded image.

    Attributes:
        public: what a session's client sees of it.
        key: the image key, under which its embeddings are cached.
        data: the uploaded file, to encode again when the embedding was evicted.
    """

    public: SessionImage
    key: str
    data: bytes

    @property
    def size(self) -> ImageSize:
        """Pixels, as displayed."""
        return ImageSize(self.public.width, self.public.height)


@dataclass(slots=True)
class _Entry:
    images: dict[str, StoredImage]
    used_at: float
    size_bytes: int = 0
    larger_members: set[str] = field(default_factory=set)


class SessionStore:
    """Sessions by tenant and id. Used by the event loop alone.

    A session expires `ttl_s` after its last use. When the files of all sessions outgrow the
    budget, the least recently used sessions go.

    Args:
        limits: time to live, bytes, images in a session.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch, for `expires_at`.
        telemetry: counts sessions and evictions.
    """

    def __init__(
        self,
        limits: CacheLimits,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        telemetry: Telemetry,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._wall_clock = wall_clock
        self._telemetry = telemetry
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._size_bytes = 0

    def check_new_id(self, tenant: str, session_id: str | None) -> None:
        """Refuse a malformed id, or one that is alive.

        Raises:
            InvalidRequest, SessionExists
        """
        self._expire()
        if session_id is None:
            return
        if not _SESSION_ID.fullmatch(session_id):
            raise InvalidRequest(
                f"session_id {session_id[:64]!r} must be 1 to 64 letters, digits, '-' or '_'"
            )
        if (tenant, session_id) in self._entries:
            raise SessionExists(f"session {session_id!r} exists already")

    def check_num_images(self, count: int) -> None:
        """Refuse more images than one session may hold.

        Raises:
            InvalidRequest
        """
        check_num_images(count, self._limits.max_session_images)

    def create(
        self, tenant: str, session_id: str | None, images: tuple[StoredImage, ...]
    ) -> Session:
        """Start a session.

        Raises:
            InvalidRequest, SessionExists: see the checks.
            ImageTooLarge: the files alone are over the budget for all sessions.
        """
        self.check_new_id(tenant, session_id)
        self.check_num_images(len(images))
        self._make_room(sum(len(image.data) for image in images))
        chosen = session_id or secrets.token_urlsafe(16)
        entry = self._entries[tenant, chosen] = _Entry({}, self._clock())
        for image in images:
            self._store(entry, image)
        self._report()
        return self._public(chosen, entry)

    def add(self, tenant: str, session_id: str, image: StoredImage) -> SessionImage:
        """Add an image to a session.

        Raises:
            SessionNotFound, InvalidRequest, ImageTooLarge
        """
        entry = self._find(tenant, session_id)
        self.check_num_images(len(entry.images) + 1)
        self._make_room(len(image.data), beside=entry)
        self._store(entry, image)
        return image.public

    def get(self, tenant: str, session_id: str) -> Session:
        """A session's state.

        Raises:
            SessionNotFound
        """
        return self._public(session_id, self._find(tenant, session_id))

    def image(self, tenant: str, session_id: str, image_id: str | None) -> StoredImage:
        """An image of a session; without an id its first.

        Raises:
            SessionNotFound, ImageNotFound
        """
        images = self._find(tenant, session_id).images
        if image_id is None:
            return next(iter(images.values()))
        if image_id not in images:
            raise ImageNotFound(f"session {session_id!r} has no image {image_id[:64]!r}")
        return images[image_id]

    def look_up(self, tenant: str, session_id: str, image_id: str) -> StoredImage | None:
        """An image of a session, whose life that does not prolong; None if it is gone."""
        entry = self._entries.get((tenant, session_id))
        return None if entry is None else entry.images.get(image_id)

    def images(self, tenant: str, session_id: str) -> tuple[StoredImage, ...]:
        """All images of a session, whose life that does not prolong; none if it is gone."""
        entry = self._entries.get((tenant, session_id))
        return () if entry is None else tuple(entry.images.values())

    def larger_members(self, tenant: str, session_id: str) -> set[str]:
        """Members that were asked because a smaller one's answer on a session was not good enough.

        Whoever is asked is added to it. Of a session that is gone nothing is remembered.
        """
        entry = self._entries.get((tenant, session_id))
        return set() if entry is None else entry.larger_members

    def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session.

        Raises:
            SessionNotFound
        """
        self._find(tenant, session_id)
        self._remove((tenant, session_id))

    def _find(self, tenant: str, session_id: str) -> _Entry:
        self._expire()
        entry = self._entries.get((tenant, session_id))
        if entry is None:
            raise SessionNotFound(
                f"session {session_id[:64]!r} is unknown or expired (a session lives "
                f"{self._limits.ttl_s:g} s after its last use); upload the image again"
            )
        entry.used_at = self._clock()
        self._entries.move_to_end((tenant, session_id))
        return entry

    def _store(self, entry: _Entry, image: StoredImage) -> None:
        entry.images[image.public.image_id] = image
        entry.size_bytes += len(image.data)
        self._size_bytes += len(image.data)

    def _make_room(self, size_bytes: int, beside: _Entry | None = None) -> None:
        """Let the oldest sessions go until so many bytes fit, but not the one that grows."""
        kept_bytes = 0 if beside is None else beside.size_bytes
        if kept_bytes + size_bytes > self._limits.session_bytes:
            raise ImageTooLarge(
                f"the session's images have {kept_bytes + size_bytes} bytes "
                f"(limit for all sessions {self._limits.session_bytes} bytes)"
            )
        while self._size_bytes + size_bytes > self._limits.session_bytes:
            self._evict(
                next(k for k, e in self._entries.items() if e is not beside), "session_bytes"
            )

    def _expire(self) -> None:
        oldest = self._clock() - self._limits.ttl_s
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.used_at > oldest:
                break
            self._evict(key, "session_ttl")

    def _evict(self, key: tuple[str, str], reason: str) -> None:
        self._remove(key)
        self._telemetry.cache_evictions.labels(reason).inc()

    def _remove(self, key: tuple[str, str]) -> None:
        self._size_bytes -= self._entries.pop(key).size_bytes
        self._report()

    def _report(self) -> None:
        self._telemetry.sessions.set(len(self._entries))

    def _public(self, session_id: str, entry: _Entry) -> Session:
        return Session(
            session_id,
            tuple(image.public for image in entry.images.values()),
            self._wall_clock() + self._limits.ttl_s,
        )
