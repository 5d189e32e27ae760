"""Clients of the REST API, on httpx."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import TypeVar

import httpx
from typing_extensions import Unpack

from suresam.client import rest_call
from suresam.client.image import ImageSource, image_bytes
from suresam.client.request import SegmentKeywords, segment_request
from suresam.client.rest_call import RestCall
from suresam.client.retry import RetryPolicy
from suresam.client.surface import AsyncSurface, SyncSurface
from suresam.client.tls import Tls
from suresam.domain import Prompt, PromptAnswer, SegmentResponse, SessionImage

DEFAULT_URL = "http://127.0.0.1:8080"

# The service says itself when there are too many; a caller must not wait for a free connection.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)

Answer = TypeVar("Answer")


class Client(SyncSurface):
    """A synchronous client; safe to share between threads.

    Args:
        base_url: where the service listens.
        retry: how often and after what pause a refused call is tried again.
        timeout_s: seconds without a sign from the server, for calls without a deadline.
        api_key: of the service; by default what `SURESAM_API_KEY` in the environment says.
        tls: of https://, where the system's own authorities do not do.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(rest_call, retry or RetryPolicy(), timeout_s)
        self._http = httpx.Client(
            base_url=base_url,
            limits=_LIMITS,
            headers=rest_call.key_headers(api_key),
            verify=True if tls is None else tls.context(),
        )

    def add_image(self, session_id: str, image: ImageSource) -> SessionImage:
        """Upload one more image into a session."""
        return self._send(rest_call.add_image(session_id, image_bytes(image)))

    def segment_session_stream(
        self,
        session_id: str,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> Iterator[PromptAnswer]:
        """Segment an image of a session and take each prompt's answer as soon as it is ready.

        Nothing is asked before the first answer is. A bad prompt fails the whole request, as in
        `segment_session`; what a prompt meets later is the error of its own result. A refused
        request is tried again, one that broke off is not.

        Yields:
            The answers, in the order in which they became ready.
        """
        request = segment_request(prompts, session_id=session_id, image_id=image_id, **keywords)
        call = rest_call.segment_stream(request)
        response = self._retried(call.deadline_ms, partial(self._open, call))
        events = rest_call.ResultEvents(response)
        try:
            for piece in response.iter_bytes():
                yield from events.feed(piece)
        except httpx.TransportError as error:
            raise rest_call.unanswered(error, str(self._http.base_url)) from error
        finally:
            response.close()
        events.finish()

    def ready(self) -> bool:
        """Whether the service can be reached and takes requests; asked once."""
        try:
            return self._http.get("/readyz", timeout=self._timeout_s).is_success
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _attempt(self, call: RestCall[Answer], remaining_ms: float | None) -> Answer:
        try:
            response = self._http.request(**call.to_http(remaining_ms, self._timeout_s))
        except httpx.TransportError as error:
            raise rest_call.unanswered(error, str(self._http.base_url)) from error
        return call.from_http(response)

    def _open(self, call: RestCall[SegmentResponse], remaining_ms: float | None) -> httpx.Response:
        request = self._http.build_request(**call.to_http(remaining_ms, self._timeout_s))
        try:
            response = self._http.send(request, stream=True)
            if response.is_success:
                return response
            try:
                response.read()
            finally:
                response.close()
        except httpx.TransportError as error:
            raise rest_call.unanswered(error, str(self._http.base_url)) from error
        raise rest_call.refused(response)


class AsyncClient(AsyncSurface):
    """An asyncio client; arguments, methods and errors are those of `Client`."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(rest_call, retry or RetryPolicy(), timeout_s)
        self._http = httpx.AsyncClient(
            base_url=base_url,
            limits=_LIMITS,
            headers=rest_call.key_headers(api_key),
            verify=True if tls is None else tls.context(),
        )

    async def add_image(self, session_id: str, image: ImageSource) -> SessionImage:
        """Upload one more image into a session."""
        data = await asyncio.to_thread(image_bytes, image)
        return await self._send(rest_call.add_image(session_id, data))

    async def segment_session_stream(
        self,
        session_id: str,
        prompts: Prompt | Sequence[Prompt],
        image_id: str | None = None,
        **keywords: Unpack[SegmentKeywords],
    ) -> AsyncIterator[PromptAnswer]:
        """Segment an image of a session and take each prompt's answer as soon as it is ready.

        As `Client.segment_session_stream`. Who leaves early closes the iterator (`contextlib`'s
        `aclosing`), so that the service drops the rest.
        """
        request = segment_request(prompts, session_id=session_id, image_id=image_id, **keywords)
        call = rest_call.segment_stream(request)
        response = await self._retried(call.deadline_ms, partial(self._open, call))
        events = rest_call.ResultEvents(response)
        try:
            async for piece in response.aiter_bytes():
                for answer in events.feed(piece):
                    yield answer
        except httpx.TransportError as error:
            raise rest_call.unanswered(error, str(self._http.base_url)) from error
        finally:
            await response.aclose()
        events.finish()

    async def ready(self) -> bool:
        """Whether the service can be reached and takes requests; asked once."""
        try:
            return (await self._http.get("/readyz", timeout=self._timeout_s)).is_success
        except httpx.TransportError:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _attempt(self, call: RestCall[Answer], remaining_ms: float | None) -> Answer:
        try:
            response = await self._http.request(**call.to_http(remaining_ms, self._timeout_s))
        except httpx.TransportError as error:
            raise rest_call.unanswered(error, str(self._http.base_url)) from error
        return call.from_http(response)

    async def _open(
        self, call: RestCall[SegmentResponse], remaining_ms: float | None
    ) -> httpx.Response:
        request = self._http.build_request(**call.to_http(remaining_ms, self._timeout_s))
        try:
            response = await self._http.send(request, stream=True)
            if response.is_success:
                return response
            try:
                await response.aread()
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise rest_call.unanswered(error, str(self._http.base_url)) from error
        raise rest_call.refused(response)
