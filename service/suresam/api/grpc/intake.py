"""What comes in on a gRPC call before its method sees it: messages that cannot be read, or none."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from suresam.api.grpc.edge import Context, Edge
from suresam.api.grpc.weight import check_weight
from suresam.api.messages import next_message
from suresam.cancellation import cancelled_after
from suresam.errors import DeadlineExceeded, InvalidRequest, ServiceError

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Intake:
    """Makes of any method one that refuses what is no message of its kind.

    gRPC itself answers such a message with UNKNOWN and a stack trace in the log, and waits without
    end for the only message of a unary call.

    Args:
        edge: words refusals.
        max_first_s: seconds to wait for that message.
    """

    def __init__(self, edge: Edge, max_first_s: float) -> None:
        self._edge = edge
        self._max_first_s = max_first_s

    def checked(self, name: str, handler: Handler) -> Handler:
        """A handler that takes messages as they come and gives `handler` those that can be read.

        Args:
            name: of the method.
            handler: any of gRPC's four kinds.
        """
        decode = handler.request_deserializer
        if handler.response_streaming:
            make, in_stream, in_unary = (
                grpc.stream_stream_rpc_method_handler,
                handler.stream_stream,
                handler.unary_stream,
            )
        else:
            make, in_stream, in_unary = (
                grpc.stream_unary_rpc_method_handler,
                handler.stream_unary,
                handler.unary_unary,
            )

        async def take_stream(stream: AsyncIterator[bytes], context: Context) -> Any:
            return await self._call(name, in_stream, _decoded(decode, stream), context)

        async def take_one(stream: AsyncIterator[bytes], context: Context) -> Any:
            try:
                request = _decode(decode, await self._first(stream))
            except ServiceError as error:
                return await self._edge.refuse(name, context, error)
            return await self._call(name, in_unary, request, context)

        take = take_stream if handler.request_streaming else take_one
        return make(take, response_serializer=handler.response_serializer)

    async def _call(
        self, name: str, behaviour: Callable[..., Any] | None, request: Any, context: Context
    ) -> Any:
        assert behaviour is not None, "a handler has the behaviour of its kind"
        try:
            answer = behaviour(request, context)
            if not inspect.isasyncgen(answer):
                return await answer
            async for response in answer:
                await context.write(response)
        except ServiceError as error:  # of a method that is not ours, such as reflection
            await self._edge.refuse(name, context, error)

    async def _first(self, stream: AsyncIterator[bytes]) -> bytes:
        limit_s = self._max_first_s
        late = DeadlineExceeded(f"no message came within {limit_s:g} s (limit {limit_s:g} s)")
        with cancelled_after(limit_s, lambda: late):
            message = await next_message(stream)
        if message is None:
            raise InvalidRequest("the call ended before its message")
        return message


async def _decoded(
    decode: Callable[[bytes], Any] | None, stream: AsyncIterator[bytes]
) -> AsyncIterator[Any]:
    async for data in stream:
        yield _decode(decode, data)


def _decode(decode: Callable[[bytes], Any] | None, data: bytes) -> Any:
    assert decode is not None, "every method here takes a message of its own kind"
    # The decoder is `FromString` of the message's class.
    check_weight(data, decode.__self__.DESCRIPTOR)  # type: ignore[attr-defined]
    try:
        return decode(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message cannot be read: {error}") from None
