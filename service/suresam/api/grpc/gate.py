"""The gate of the gRPC API: each method with the scope it needs. What is not listed is shut."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import grpc

from suresam.access.caller import Scope
from suresam.access.door import Door
from suresam.api.grpc.caller import CALLER
from suresam.api.grpc.edge import Context, Edge
from suresam.api.grpc.intake import Handler, Intake
from suresam.errors import ServiceError
from suresam.wire.grpc.metadata import AUTHORIZATION_KEY

NEEDS: Mapping[str, Scope | Literal["nothing"]] = {
    "/suresam.v1.Segmentation/Segment": "infer",
    "/suresam.v1.Segmentation/UploadAndSegment": "infer",
    "/suresam.v1.Segmentation/CreateSession": "infer",
    "/suresam.v1.Segmentation/Interact": "infer",
    "/suresam.v1.Segmentation/GetSession": "infer",
    "/suresam.v1.Segmentation/DeleteSession": "infer",
    "/suresam.v1.Segmentation/ListModels": "infer",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "infer",
    "/grpc.health.v1.Health/Check": "nothing",
    "/grpc.health.v1.Health/List": "nothing",
    "/grpc.health.v1.Health/Watch": "nothing",
}
"""What each method needs. One of the server's that is missing here does not exist, with any key
and without."""


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """Lets a call through to its method if its key allows it.

    Args:
        door: knows the keys.
        edge: words refusals.
        max_first_s: seconds to wait for the only message of a unary call.
    """

    def __init__(self, door: Door, edge: Edge, max_first_s: float = 30.0) -> None:
        self._door = door
        self._edge = edge
        self._intake = Intake(edge, max_first_s)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The method that answers a call, or one that refuses it."""
        method = handler_call_details.method
        needs = NEEDS.get(method)
        name = method.rpartition("/")[2]
        if needs == "nothing":
            return self._intake.checked(name, await continuation(handler_call_details))
        pairs = handler_call_details.invocation_metadata or ()
        values = [value for name, value in pairs if name == AUTHORIZATION_KEY]
        try:
            caller = self._door.admit([value for value in values if isinstance(value, str)], needs)
        except ServiceError as error:
            return self._refusal("unknown" if needs is None else name, error)
        if needs is None:
            return grpc.stream_stream_rpc_method_handler(_tell_absent)
        # The method runs in the same task as this: one for each call.
        CALLER.set(caller)
        return self._intake.checked(name, await continuation(handler_call_details))

    def _refusal(self, method: str, error: ServiceError) -> Handler:
        async def refuse(_: Any, context: Context) -> None:
            await self._edge.refuse(method, context, error)

        # Of this kind for all methods: it does not wait for a message first.
        return grpc.stream_stream_rpc_method_handler(refuse)


async def _tell_absent(_: Any, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
