"""Clients of the service over REST and gRPC, synchronous and asyncio, in the domain's types.

All four have the same methods and raise the errors of `suresam.errors`. What is asked and how an
answer is read stands once for each transport (`rest_call`, `grpc_call`); the clients only send it,
so that the synchronous and the asyncio ones cannot drift apart.
"""

from suresam.client.grpc import AsyncGrpcClient, GrpcClient
from suresam.client.image import ImageSource
from suresam.client.rest import AsyncClient, Client
from suresam.client.retry import RetryPolicy
from suresam.client.session import AsyncClientSession, ClientSession
from suresam.client.tls import Tls

__all__ = [
    "AsyncClient",
    "AsyncClientSession",
    "AsyncGrpcClient",
    "Client",
    "ClientSession",
    "GrpcClient",
    "ImageSource",
    "RetryPolicy",
    "Tls",
]
