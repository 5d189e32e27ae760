"""Handles on uploaded images that outlive the server's session."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from typing_extensions import Self, Unpack

from suresam.client.image import ImageSource, all_image_bytes
from suresam.client.request import SegmentKeywords
from suresam.domain import Prompt, SegmentResponse, Session
from suresam.errors import CapacityError, SessionExists, SessionNotFound


class SessionClient(Protocol):
    """What a handle needs of a client."""

    def create_session(
        self, images: Sequence[ImageSource], session_id: str | None = None
    ) -> Session:
        """Upload images for repeated prompts."""

    def segment_session(
        self,
        session_id: str,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Segment an image of a session."""

    def get_session(self, session_id: str) -> Session:
        """Ask for a session's images and expiry."""

    def delete_session(self, session_id: str) -> None:
        """Forget a session."""


class AsyncSessionClient(Protocol):
    """What an asyncio handle needs of a client."""

    async def create_session(
        self, images: Sequence[ImageSource], session_id: str | None = None
    ) -> Session:
        """Upload images for repeated prompts."""

    async def segment_session(
        self,
        session_id: str,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Segment an image of a session."""

    async def get_session(self, session_id: str) -> Session:
        """Ask for a session's images and expiry."""

    async def delete_session(self, session_id: str) -> None:
        """Forget a session."""


class _Uploaded:
    """The images of a handle, and under which ids the server knows them now.

    Attributes:
        session_id: chosen here, so that a proxy can hash it from the first request on.
        images: from the first upload on the bytes of the files, kept for another.
        image_ids: as the first upload named them; they stay valid for the caller.
    """

    def __init__(self, images: tuple[ImageSource, ...]) -> None:
        self.session_id = uuid.uuid4().hex
        self.images = images
        self.image_ids: tuple[str, ...] = ()
        self._current_ids: dict[str, str] = {}

    def note(self, session: Session) -> None:
        """Keep the ids of an upload."""
        uploaded = tuple(image.image_id for image in session.images)
        self.image_ids = self.image_ids or uploaded
        self._current_ids = dict(zip(self.image_ids, uploaded, strict=True))

    def current_id(self, image_id: str | None) -> str | None:
        """The server's present id of an image."""
        return None if image_id is None else self._current_ids.get(image_id, image_id)


class ClientSession:
    """Images on the server, for repeated prompts; uploaded again when the server has dropped them.

    Args:
        client: REST or gRPC.
        images: at least one.
    """

    def __init__(self, client: SessionClient, images: tuple[ImageSource, ...]) -> None:
        self._client = client
        self._uploaded = _Uploaded(images)

    @property
    def session_id(self) -> str:
        """The session's id on the server."""
        return self._uploaded.session_id

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images' ids in the order of upload."""
        return self._uploaded.image_ids

    def segment(
        self,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Segment one of the images, by default the first."""
        try:
            return self._segment(prompts, image_id, **keywords)
        except SessionNotFound:
            self._upload()
            return self._segment(prompts, image_id, **keywords)

    def close(self) -> None:
        """Forget the images; a session that cannot be reached will expire by itself."""
        with contextlib.suppress(SessionNotFound, CapacityError):
            self._client.delete_session(self.session_id)

    def __enter__(self) -> Self:
        self._uploaded.images = all_image_bytes(self._uploaded.images)
        self._upload()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _segment(
        self,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        current_id = self._uploaded.current_id(image_id)
        return self._client.segment_session(self.session_id, prompts, current_id, **keywords)

    def _upload(self) -> None:
        try:
            session = self._client.create_session(self._uploaded.images, self.session_id)
        except SessionExists:
            # Another thread was first, or the answer to an earlier attempt was lost.
            session = self._client.get_session(self.session_id)
        self._uploaded.note(session)


class AsyncClientSession:
    """The asyncio form of `ClientSession`."""

    def __init__(self, client: AsyncSessionClient, images: tuple[ImageSource, ...]) -> None:
        self._client = client
        self._uploaded = _Uploaded(images)

    @property
    def session_id(self) -> str:
        """The session's id on the server."""
        return self._uploaded.session_id

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images' ids in the order of upload."""
        return self._uploaded.image_ids

    async def segment(
        self,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Segment one of the images, by default the first."""
        try:
            return await self._segment(prompts, image_id, **keywords)
        except SessionNotFound:
            await self._upload()
            return await self._segment(prompts, image_id, **keywords)

    async def close(self) -> None:
        """Forget the images; a session that cannot be reached will expire by itself."""
        with contextlib.suppress(SessionNotFound, CapacityError):
            await self._client.delete_session(self.session_id)

    async def __aenter__(self) -> Self:
        images = self._uploaded.images
        self._uploaded.images = await asyncio.to_thread(all_image_bytes, images)
        await self._upload()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _segment(
        self,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        current_id = self._uploaded.current_id(image_id)
        return await self._client.segment_session(self.session_id, prompts, current_id, **keywords)

    async def _upload(self) -> None:
        try:
            session = await self._client.create_session(self._uploaded.images, self.session_id)
        except SessionExists:
            # Another task was first, or the answer to an earlier attempt was lost.
            session = await self._client.get_session(self.session_id)
        self._uploaded.note(session)
