"""The one table from an error to its HTTP status and gRPC code."""

from http import HTTPStatus

from grpc import StatusCode

from suresam import errors

_TABLE: dict[type[errors.ServiceError], tuple[HTTPStatus, StatusCode]] = {
    errors.ServiceError: (HTTPStatus.INTERNAL_SERVER_ERROR, StatusCode.INTERNAL),
    errors.RequestError: (HTTPStatus.BAD_REQUEST, StatusCode.INVALID_ARGUMENT),
    errors.InvalidRequest: (HTTPStatus.BAD_REQUEST, StatusCode.INVALID_ARGUMENT),
    errors.NotAcceptable: (HTTPStatus.NOT_ACCEPTABLE, StatusCode.INVALID_ARGUMENT),
    errors.InvalidImage: (HTTPStatus.BAD_REQUEST, StatusCode.INVALID_ARGUMENT),
    errors.InvalidPrompt: (HTTPStatus.BAD_REQUEST, StatusCode.INVALID_ARGUMENT),
    errors.Unauthenticated: (HTTPStatus.UNAUTHORIZED, StatusCode.UNAUTHENTICATED),
    errors.PermissionDenied: (HTTPStatus.FORBIDDEN, StatusCode.PERMISSION_DENIED),
    errors.ImageTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, StatusCode.INVALID_ARGUMENT),
    errors.UnknownModel: (HTTPStatus.NOT_FOUND, StatusCode.NOT_FOUND),
    errors.UnknownMethod: (HTTPStatus.NOT_FOUND, StatusCode.NOT_FOUND),
    errors.SessionNotFound: (HTTPStatus.NOT_FOUND, StatusCode.NOT_FOUND),
    errors.ImageNotFound: (HTTPStatus.NOT_FOUND, StatusCode.NOT_FOUND),
    errors.SessionExists: (HTTPStatus.CONFLICT, StatusCode.ALREADY_EXISTS),
    errors.Superseded: (HTTPStatus.CONFLICT, StatusCode.ABORTED),
    errors.CapacityError: (HTTPStatus.SERVICE_UNAVAILABLE, StatusCode.UNAVAILABLE),
    errors.Overloaded: (HTTPStatus.TOO_MANY_REQUESTS, StatusCode.RESOURCE_EXHAUSTED),
    errors.RateLimited: (HTTPStatus.TOO_MANY_REQUESTS, StatusCode.RESOURCE_EXHAUSTED),
    errors.DeadlineExceeded: (HTTPStatus.GATEWAY_TIMEOUT, StatusCode.DEADLINE_EXCEEDED),
    errors.NotReady: (HTTPStatus.SERVICE_UNAVAILABLE, StatusCode.UNAVAILABLE),
    errors.ShuttingDown: (HTTPStatus.SERVICE_UNAVAILABLE, StatusCode.UNAVAILABLE),
    errors.WorkerFailed: (HTTPStatus.SERVICE_UNAVAILABLE, StatusCode.UNAVAILABLE),
    errors.InferenceError: (HTTPStatus.INTERNAL_SERVER_ERROR, StatusCode.INTERNAL),
    errors.OutOfMemory: (HTTPStatus.INTERNAL_SERVER_ERROR, StatusCode.INTERNAL),
    errors.NonFiniteOutput: (HTTPStatus.INTERNAL_SERVER_ERROR, StatusCode.INTERNAL),
    errors.Quarantined: (HTTPStatus.INTERNAL_SERVER_ERROR, StatusCode.INTERNAL),
}

_UNAVAILABLE_RETRY_S = 1.0


def http_status(error: errors.ServiceError) -> HTTPStatus:
    """The status of a REST answer."""
    return _TABLE[type(error)][0]


def grpc_code(error: errors.ServiceError) -> StatusCode:
    """The status of a gRPC answer."""
    return _TABLE[type(error)][1]


def retry_after_s(error: errors.ServiceError) -> float | None:
    """Seconds after which the caller should come back; None if that would not help."""
    if isinstance(error, errors.Overloaded):
        return error.retry_after_s
    if http_status(error) == HTTPStatus.SERVICE_UNAVAILABLE:
        return _UNAVAILABLE_RETRY_S
    return None


def public_message(error: errors.ServiceError, request_id: str) -> str:
    """What the client may read: ours say only where to look in the log."""
    if http_status(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"the service failed; the log has more under request id {request_id}"
    return error.message
