"""What wraps every gRPC call: its id, errors as status and trailing metadata, metrics."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import grpc

from suresam.api.closing import Closing
from suresam.api.grpc.caller import CALLER
from suresam.api.request_id import HEADER, request_id_of
from suresam.api.request_log import ADDRESS, log_answer, log_failure
from suresam.api.status import grpc_code, public_message, retry_after_s
from suresam.errors import ServiceError
from suresam.pb import segmentation_pb2 as pb
from suresam.telemetry import Telemetry
from suresam.wire.grpc.metadata import ERROR_CODE_KEY, PUSHBACK_KEY

if TYPE_CHECKING:
    from suresam.tracing.server import Tracer

Response = TypeVar("Response")

_SERVICE = pb.DESCRIPTOR.services_by_name["Segmentation"]

Context = grpc.aio.ServicerContext[Any, Any]


class Edge:
    """The outermost layer of the gRPC API. No exception passes it.

    Args:
        telemetry: of the service.
        closing: is told of every call in progress.
        tracer: traces calls, or None.
    """

    def __init__(
        self, telemetry: Telemetry, closing: Closing, tracer: "Tracer | None" = None
    ) -> None:
        self._telemetry = telemetry
        self._closing = closing
        self._tracer = tracer

    async def answer(
        self, method: str, context: Context, handler: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Run a handler; end the call with the documented status if it fails."""
        async with self._call(method, context):
            with CALLER.get().account.request():
                return await handler()
        raise AssertionError("a call that failed was aborted")

    async def stream(
        self,
        method: str,
        context: Context,
        handler: Callable[[str], AsyncGenerator[Response, None]],
    ) -> None:
        """Write what a handler yields, one after the other as the client takes it.

        Args:
            method: name of the call.
            context: of the call.
            handler: called with the request id.
        """
        async with self._call(method, context) as request_id:
            with CALLER.get().account.request():
                async with aclosing(handler(request_id)) as told:
                    async for response in told:
                        await context.write(response)

    async def refuse(self, method: str, context: Context, error: ServiceError) -> None:
        """End a call that did not come in."""
        async with self._call(method, context):
            raise error

    @asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncIterator[str]:
        started = time.monotonic()
        # Now: of a call that has ended gRPC cannot be asked.
        ADDRESS.set(partial(_address, context.peer()))
        pairs = context.invocation_metadata() or ()
        metadata = dict(pairs)
        proposed = metadata.get(HEADER)
        request_id = request_id_of(proposed if isinstance(proposed, str) else None)
        context.set_trailing_metadata(((HEADER, request_id),))
        traced = None
        if self._tracer is not None:
            is_ours = method in _SERVICE.methods_by_name
            traced = self._tracer.rpc(f"{_SERVICE.full_name}/{method}" if is_ours else None, pairs)
            traced.tell({"suresam.request_id": request_id})
        code, status = "cancelled", None
        try:
            with self._closing.exchange():
                yield request_id
            code, status = "ok", grpc.StatusCode.OK
        except grpc.aio.InternalError:  # nobody is there to write to any more
            code = "client_gone"
            raise
        except Exception as error:  # the transport's edge: nothing may pass it
            told = log_failure(error, request_id)
            code, status = told.code, grpc_code(told)
            if traced is not None:
                traced.fail(told)
            await _abort(context, told, request_id)
            raise AssertionError("abort raises") from error
        finally:
            log_answer(request_id, "grpc", method, code, started)
            self._telemetry.requests.labels("grpc", method, code).inc()
            seconds = time.monotonic() - started
            self._telemetry.request_seconds.labels("grpc", method).observe(seconds)
            if traced is not None:
                traced.end_rpc(None if status is None else status.name, code)


def _address(peer: str) -> str | None:
    # "ipv4:127.0.0.1:50000", "ipv6:%5B::1%5D:50000" or "unix:", as gRPC names whoever connected.
    family, _, address = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return None
    return unquote(address).rpartition(":")[0].strip("[]")


async def _abort(context: Context, error: ServiceError, request_id: str) -> None:
    trailing = [(HEADER, request_id), (ERROR_CODE_KEY, error.code)]
    wait_s = retry_after_s(error)
    if wait_s is not None:
        trailing.append((PUSHBACK_KEY, str(round(wait_s * 1000))))
    message = public_message(error, request_id)
    await context.abort(grpc_code(error), message, tuple(trailing))
