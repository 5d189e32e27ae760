"""The methods that the clients of both transports have, synchronous and asyncio."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Protocol, TypeVar

from typing_extensions import Self, Unpack

from suresam.client.image import ImageSource, all_image_bytes, image_bytes
from suresam.client.request import SegmentKeywords, segment_request
from suresam.client.retry import Retries, RetryPolicy
from suresam.client.session import AsyncClientSession, ClientSession
from suresam.domain import Prompt, SegmentRequest, SegmentResponse, ServiceInfo, Session
from suresam.errors import CapacityError

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)


class Call(Protocol[Answer_co]):
    """One call of the API, as data, in the form of one transport."""

    @property
    def deadline_ms(self) -> float | None:
        """What the caller allows for all attempts, milliseconds."""


class Calls(Protocol):
    """The calls of one transport: the modules `rest_call` and `grpc_call`."""

    def segment(self, request: SegmentRequest) -> Call[SegmentResponse]:
        """Segment the uploaded image, or an image of the session."""

    def create_session(self, images: tuple[bytes, ...], session_id: str | None) -> Call[Session]:
        """Upload images for repeated prompts."""

    def get_session(self, session_id: str) -> Call[Session]:
        """Ask for a session's images and expiry."""

    def delete_session(self, session_id: str) -> Call[None]:
        """Forget a session."""

    def models(self) -> Call[ServiceInfo]:
        """Ask what is being served."""


class SyncSurface(ABC):
    """The synchronous methods. A transport gives the calls and makes one attempt.

    Every method raises the `ServiceError` that the service refused or failed with, `NotReady` if
    it cannot be reached, and `DeadlineExceeded` if it does not answer in time.
    """

    def __init__(self, calls: Calls, retry: RetryPolicy, timeout_s: float) -> None:
        self._calls = calls
        self._retry = retry
        self._timeout_s = timeout_s

    def segment(
        self,
        image: ImageSource,
        prompts: Prompt | Sequence[Prompt],
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Upload an image and segment it; the keywords are those of `SegmentKeywords`."""
        request = segment_request(prompts, image=image_bytes(image), **keywords)
        return self._send(self._calls.segment(request))

    def create_session(
        self, images: Sequence[ImageSource], session_id: str | None = None
    ) -> Session:
        """Upload images for repeated prompts, under an id of your own choice or of the server's."""
        return self._send(self._calls.create_session(all_image_bytes(images), session_id))

    def segment_session(
        self,
        session_id: str,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Segment an image of a session, by default its first."""
        request = segment_request(prompts, session_id=session_id, image_id=image_id, **keywords)
        return self._send(self._calls.segment(request))

    def get_session(self, session_id: str) -> Session:
        """A session's images and when it expires."""
        return self._send(self._calls.get_session(session_id))

    def delete_session(self, session_id: str) -> None:
        """Forget a session and its images."""
        self._send(self._calls.delete_session(session_id))

    def session(self, *images: ImageSource) -> ClientSession:
        """A handle on uploaded images that outlives the session; use it in `with`."""
        return ClientSession(self, images)

    def models(self) -> ServiceInfo:
        """What is being served and within what limits."""
        return self._send(self._calls.models())

    @abstractmethod
    def ready(self) -> bool:
        """Whether the service can be reached and takes requests; asked once."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: Call[Answer]) -> Answer:
        answer: Answer = self._retried(call.deadline_ms, partial(self._attempt, call))
        return answer

    def _retried(
        self, deadline_ms: float | None, attempt: Callable[[float | None], Answer]
    ) -> Answer:
        retries = Retries(self._retry, deadline_ms)
        while True:
            try:
                return attempt(retries.remaining_ms())
            except CapacityError as error:
                time.sleep(retries.pause_s(error))

    @abstractmethod
    def _attempt(self, call: Any, remaining_ms: float | None) -> Any: ...


class AsyncSurface(ABC):
    """The asyncio methods; arguments and errors are those of `SyncSurface`."""

    def __init__(self, calls: Calls, retry: RetryPolicy, timeout_s: float) -> None:
        self._calls = calls
        self._retry = retry
        self._timeout_s = timeout_s

    async def segment(
        self,
        image: ImageSource,
        prompts: Prompt | Sequence[Prompt],
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Upload an image and segment it; the keywords are those of `SegmentKeywords`."""
        data = await asyncio.to_thread(image_bytes, image)
        request = segment_request(prompts, image=data, **keywords)
        return await self._send(self._calls.segment(request))

    async def create_session(
        self, images: Sequence[ImageSource], session_id: str | None = None
    ) -> Session:
        """Upload images for repeated prompts, under an id of your own choice or of the server's."""
        data = await asyncio.to_thread(all_image_bytes, images)
        return await self._send(self._calls.create_session(data, session_id))

    async def segment_session(
        self,
        session_id: str,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> SegmentResponse:
        """Segment an image of a session, by default its first."""
        request = segment_request(prompts, session_id=session_id, image_id=image_id, **keywords)
        return await self._send(self._calls.segment(request))

    async def get_session(self, session_id: str) -> Session:
        """A session's images and when it expires."""
        return await self._send(self._calls.get_session(session_id))

    async def delete_session(self, session_id: str) -> None:
        """Forget a session and its images."""
        await self._send(self._calls.delete_session(session_id))

    def session(self, *images: ImageSource) -> AsyncClientSession:
        """A handle on uploaded images that outlives the session; use it in `async with`."""
        return AsyncClientSession(self, images)

    async def models(self) -> ServiceInfo:
        """What is being served and within what limits."""
        return await self._send(self._calls.models())

    @abstractmethod
    async def ready(self) -> bool:
        """Whether the service can be reached and takes requests; asked once."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, call: Call[Answer]) -> Answer:
        return await self._retried(call.deadline_ms, partial(self._attempt, call))

    async def _retried(
        self, deadline_ms: float | None, attempt: Callable[[float | None], Awaitable[Answer]]
    ) -> Answer:
        retries = Retries(self._retry, deadline_ms)
        while True:
            try:
                return await attempt(retries.remaining_ms())
            except CapacityError as error:
                await asyncio.sleep(retries.pause_s(error))

    @abstractmethod
    async def _attempt(self, call: Any, remaining_ms: float | None) -> Any: ...
