"""Clients of the REST API, on httpx."""

import asyncio
from typing import TypeVar

import httpx

from suresam.client import rest_call
from suresam.client.image import ImageSource, image_bytes
from suresam.client.rest_call import RestCall
from suresam.client.retry import RetryPolicy
from suresam.client.surface import AsyncSurface, SyncSurface
from suresam.domain import SessionImage

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
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        super().__init__(rest_call, retry or RetryPolicy(), timeout_s)
        self._http = httpx.Client(base_url=base_url, limits=_LIMITS)

    def add_image(self, session_id: str, image: ImageSource) -> SessionImage:
        """Upload one more image into a session."""
        return self._send(rest_call.add_image(session_id, image_bytes(image)))

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


class AsyncClient(AsyncSurface):
    """An asyncio client; arguments, methods and errors are those of `Client`."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        retry: RetryPolicy | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        super().__init__(rest_call, retry or RetryPolicy(), timeout_s)
        self._http = httpx.AsyncClient(base_url=base_url, limits=_LIMITS)

    async def add_image(self, session_id: str, image: ImageSource) -> SessionImage:
        """Upload one more image into a session."""
        data = await asyncio.to_thread(image_bytes, image)
        return await self._send(rest_call.add_image(session_id, data))

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
