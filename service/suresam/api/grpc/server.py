"""The grpc.aio server with health and reflection."""

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from suresam.api.grpc.gate import Gate
from suresam.api.grpc.servicer import Servicer
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import add_SegmentationServicer_to_server

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["Segmentation"].full_name


class GrpcServer:
    """Serves a `Servicer`; not serving, as health checks see it, until told otherwise.

    Args:
        servicer: answers the calls.
        gate: lets them in.
        max_message_bytes: above our own limits, so that our error is the one seen.
    """

    def __init__(self, servicer: Servicer, gate: Gate, max_message_bytes: int) -> None:
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in the stubs
        self._server = grpc.aio.server(
            interceptors=(gate,),
            options=[
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
        )
        add_SegmentationServicer_to_server(servicer, self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    async def start(
        self, host: str, port: int, credentials: grpc.ServerCredentials | None = None
    ) -> int:
        """Listen, and return the port (a free one for 0).

        Args:
            host, port: of this machine.
            credentials: for encryption; None is without.

        Raises:
            OSError: the address is taken or not this machine's.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if credentials is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}") from error
        await self.set_serving(False)
        await self._server.start()
        return int(bound)

    async def set_serving(self, is_serving: bool) -> None:
        """What health checks are told."""
        status = health_pb2.HealthCheckResponse
        value = status.SERVING if is_serving else status.NOT_SERVING
        for service in ("", SERVICE_NAME):
            await self._health.set(service, value)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, wait at most `grace_s` seconds for those in progress."""
        await self._server.stop(grace_s)
