"""Names in the metadata of a call, and in the trailing metadata of one that failed."""

AUTHORIZATION_KEY = "authorization"
"""`Bearer KEY`, sent by the client."""

ERROR_CODE_KEY = "suresam-error-code"
"""The stable code of the error, as in REST."""

PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""Milliseconds to wait before another try."""
