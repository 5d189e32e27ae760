"""What the log says of a request that failed."""

import logging

from suresam.api.status import http_status
from suresam.errors import ServiceError

logger = logging.getLogger(__name__)

_OWN_FAULT = 429
"""From this status on the trouble is the service's, and the message says which. Below, it is in the
request, and a message would repeat parts of it: places, names, ids."""


def log_failure(error: Exception, request_id: str, what: str = "request") -> ServiceError:
    """Log why a request failed.

    Args:
        error: that ended it.
        request_id: of the request.
        what: it was, where it was but a part of it.

    Returns:
        What its caller may be told.
    """
    about = {"request_id": request_id}
    if not isinstance(error, ServiceError):
        logger.error("%s %s failed", what, request_id, exc_info=error, extra=about)
        return ServiceError()
    if http_status(error) < _OWN_FAULT:
        logger.info("%s %s: %s", what, request_id, error.code, extra=about)
    else:
        logger.info("%s %s: %s: %s", what, request_id, error.code, error.message, extra=about)
    return error
