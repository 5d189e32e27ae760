"""What the log says of requests: of those that failed, and on demand of all."""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar

from suresam.access.caller import TENANT
from suresam.api.status import http_status
from suresam.errors import ServiceError

logger = logging.getLogger(__name__)

ACCESS = "suresam.access"
"""Name of the log that has a line for each answer. Quiet until its level is lowered to `INFO`."""

_access = logging.getLogger(ACCESS)
_access.setLevel(logging.WARNING)

_OWN_FAULT = 429
"""From this status on the trouble is the service's, and the message says which. Below, it is in the
request, and a message would repeat parts of it: places, names, ids."""


def _nowhere() -> None:
    """The address of a request that came over no network."""


ADDRESS: ContextVar[Callable[[], str | None]] = ContextVar("address", default=_nowhere)
"""Tells whence the request of the current task came: the peer's address without its port, which is
the proxy's behind one. Set by each transport's edge, and called only where something is logged."""


def log_failure(error: Exception, request_id: str, what: str = "request") -> ServiceError:
    """Log why a request of the current task failed, and whose it was.

    Args:
        error: that ended it.
        request_id: of the request.
        what: it was, where it was but a part of it.

    Returns:
        What its caller may be told.
    """
    about, who = _about(request_id)
    if not isinstance(error, ServiceError):
        about["code"] = ServiceError.code
        logger.error("%s %s%s failed", what, request_id, who, exc_info=error, extra=about)
        return ServiceError()
    about["code"] = error.code
    if http_status(error) < _OWN_FAULT:
        logger.info("%s %s%s: %s", what, request_id, who, error.code, extra=about)
    else:
        text = "%s %s%s: %s: %s"
        logger.info(text, what, request_id, who, error.code, error.message, extra=about)
    return error


def log_answer(request_id: str, api: str, method: str, code: str, started: float) -> None:
    """Log that a request of the current task was answered, if that is asked for.

    Args:
        request_id: of the request.
        api: rest or grpc.
        method: as in the metrics.
        code: of its error, or ok.
        started: monotonic seconds at which it came.
    """
    if not _access.isEnabledFor(logging.INFO):
        return
    ms = (time.monotonic() - started) * 1000
    about, who = _about(request_id)
    about |= {"api": api, "method": method, "code": code, "ms": round(ms, 1)}
    text = "request %s%s: %s %s: %s after %.1f ms"
    _access.info(text, request_id, who, api, method, code, ms, extra=about)


def _about(request_id: str) -> tuple[dict[str, object], str]:
    """The fields of a record about a request, and who made it as text."""
    told = {"tenant": TENANT.get(), "address": ADDRESS.get()()}
    known = {name: value for name, value in told.items() if value is not None}
    who = ", ".join(f"{name} {value}" for name, value in known.items())
    return {"request_id": request_id, **known}, f" ({who})" if who else ""
