"""The grpc.aio server with health and reflection."""

from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from suresam.api.grpc.gate import Gate
from suresam.api.grpc.health import Health
from suresam.api.grpc.servicer import Servicer
from suresam.pb import segmentation_pb2 as pb
from suresam.pb.segmentation_pb2_grpc import add_SegmentationServicer_to_server

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["Segmentation"].full_name


@dataclass(frozen=True, slots=True)
class GrpcLimits:
    """Bounds on what a client may do to a connection, with a key and without.

    Attributes:
        max_message_bytes: above our own limits, so that our error is the one seen.
        max_connections: open at a time; more are closed at once.
        max_handshake_s: seconds for a new connection to begin to speak HTTP/2.
        max_idle_s: seconds after which a connection without a call is closed.
        max_streams: calls of one connection in progress; a client holds back what is over it.
        max_watches: health checks that go on, of all clients together.
        ping_every_s: seconds after which a client that says nothing is asked whether it is there.
        ping_timeout_s: seconds for its answer.
    """

    max_message_bytes: int
    max_connections: int = 20_000
    max_handshake_s: float = 10.0
    max_idle_s: float = 300.0
    max_streams: int = 1000
    max_watches: int = 256
    ping_every_s: float = 60.0
    ping_timeout_s: float = 20.0

    def options(self) -> list[tuple[str, int]]:
        """As gRPC takes them, together with its own limit of 16 KiB of headers for a call."""
        return [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.max_allowed_incoming_connections", self.max_connections),
            ("grpc.server_handshake_timeout_ms", round(self.max_handshake_s * 1000)),
            ("grpc.max_connection_idle_ms", round(self.max_idle_s * 1000)),
            ("grpc.max_concurrent_streams", self.max_streams),
            ("grpc.keepalive_time_ms", round(self.ping_every_s * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.ping_timeout_s * 1000)),
        ]


class GrpcServer:
    """Serves a `Servicer`; not serving, as health checks see it, until told otherwise.

    Args:
        servicer: answers the calls.
        gate: lets them in.
        limits: of connections.
    """

    def __init__(self, servicer: Servicer, gate: Gate, limits: GrpcLimits) -> None:
        self._health = Health(limits.max_watches)
        self._server = grpc.aio.server(interceptors=(gate,), options=limits.options())
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
