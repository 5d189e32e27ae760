"""A server under load, through the part of the REST API that people's tools use."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from suresam.benchmarks.serve.exchange import TIMEOUT, UNREACHABLE, Reply
from suresam.benchmarks.serve.http import HttpAnswer, HttpConnections
from suresam.benchmarks.serve.pictures import Picture
from suresam.benchmarks.serve.rest_reply import read_deletion, read_masks, read_session
from suresam.domain import Point
from suresam.errors import ConfigurationError

_BOUNDARY = "suresam-bench-7d1f0c5e9a"
_FORM = f"multipart/form-data; boundary={_BOUNDARY}"
_JSON = "application/json"
_FILE = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="image"; filename="picture.jpg"\r\n'
    "Content-Type: image/jpeg\r\n\r\n"
).encode()
_FIELD = f'\r\n--{_BOUNDARY}\r\nContent-Disposition: form-data; name="request"\r\n\r\n'.encode()
_END = f"\r\n--{_BOUNDARY}--\r\n".encode()
_SLOW_PIECES = 20
_READY_TIMEOUT_S = 5.0


class RestServer:
    """Uploads, clicks and deletions, each with what became of it.

    Args:
        url: of the server.
        options: JSON fields of every `SegmentRequest` beside its prompts, such as `route`.
        timeout_s: seconds after which an answer is given up.
        authorization: that every request carries, or None.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(
        self,
        url: str,
        options: dict[str, Any],
        timeout_s: float,
        authorization: str | None = None,
    ) -> None:
        self._url = url
        self._http = HttpConnections(url, authorization)
        # What follows the prompts in a request's JSON, written once.
        self._tail = "".join(f',"{name}":{json.dumps(o)}' for name, o in options.items()) + "}"
        self._timeout_s = timeout_s

    async def check_ready(self) -> None:
        """Make sure that the server answers.

        Raises:
            ConfigurationError: it cannot be reached or is not ready.
        """
        request = [self._http.head("GET", "/readyz")]
        try:
            answer = await asyncio.wait_for(self._http.ask(request), _READY_TIMEOUT_S)
        except (OSError, EOFError, ValueError, asyncio.TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise ConfigurationError(f"{self._url} cannot be reached: {reason}") from None
        if answer.status != 200:
            raise ConfigurationError(f"{self._url}/readyz answers {answer.status}, not 200")

    async def upload(self, picture: Picture, slowly_s: float = 0.0) -> Reply:
        """Make a session of a picture.

        Args:
            picture: its file is sent as a form.
            slowly_s: seconds over which the body is spread.
        """
        body = (_FILE, picture.data, _END)
        head = self._http.head("POST", "/v1/sessions", _FORM, sum(map(len, body)))
        if not slowly_s:
            return await self._reply(self._http.ask([head, *body]), read_session)
        whole = b"".join(body)
        step = -(-len(whole) // _SLOW_PIECES)
        pieces = [head, *(whole[at : at + step] for at in range(0, len(whole), step))]
        asking = self._http.ask(pieces, slowly_s / len(pieces))
        return await self._reply(asking, read_session, slowly_s)

    async def click(self, session_id: str, point: Point) -> Reply:
        """Click on a session's picture."""
        return await self._reply(self._ask_click(session_id, point), read_masks)

    async def click_body(self, session_id: str, point: Point) -> bytes:
        """The same, with the answer itself.

        Raises:
            ConfigurationError: there is none, or another status than 200.
        """
        answer = await self._answer(self._ask_click(session_id, point))
        if isinstance(answer, Reply) or answer.status != 200:
            told = answer.code if isinstance(answer, Reply) else str(answer.status)
            raise ConfigurationError(f"{self._url} answers a click with {told}")
        return answer.body

    async def segment(self, picture: Picture, point: Point) -> Reply:
        """Send a picture and a click on it in one request."""
        body = (_FILE, picture.data, _FIELD, self._request(point), _END)
        head = self._http.head("POST", "/v1/segment", _FORM, sum(map(len, body)))
        return await self._reply(self._http.ask([head, *body]), read_masks)

    async def delete(self, session_id: str) -> Reply:
        """Forget a session."""
        head = self._http.head("DELETE", f"/v1/sessions/{session_id}")
        return await self._reply(self._http.ask([head]), read_deletion)

    async def metrics(self) -> str | None:
        """The text of `/metrics`; None if there is none."""
        answer = await self._answer(self._http.ask([self._http.head("GET", "/metrics")]))
        if isinstance(answer, Reply) or answer.status != 200:
            return None
        return answer.body.decode()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(self, point: Point) -> bytes:
        place = f"[{point.x:.1f},{point.y:.1f}]"
        return f'{{"prompts":[{{"points":[{place}],"labels":[1]}}]{self._tail}'.encode()

    def _ask_click(self, session_id: str, point: Point) -> Awaitable[HttpAnswer]:
        body = self._request(point)
        head = self._http.head("POST", f"/v1/sessions/{session_id}/segment", _JSON, len(body))
        return self._http.ask([head, body])

    async def _reply(
        self,
        asking: Awaitable[HttpAnswer],
        read: Callable[[HttpAnswer], Reply],
        longer_s: float = 0.0,
    ) -> Reply:
        answer = await self._answer(asking, longer_s)
        return answer if isinstance(answer, Reply) else read(answer)

    async def _answer(
        self, asking: Awaitable[HttpAnswer], longer_s: float = 0.0
    ) -> HttpAnswer | Reply:
        now = asyncio.get_running_loop().time
        try:
            return await asyncio.wait_for(asking, self._timeout_s + longer_s)
        except asyncio.TimeoutError:
            return Reply(TIMEOUT, now())
        except (OSError, EOFError, ValueError):
            return Reply(UNREACHABLE, now())
