"""Names in the trailing metadata of a call that failed."""

ERROR_CODE_KEY = "suresam-error-code"
"""The stable code of the error, as in REST."""

PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""Milliseconds to wait before another try."""
