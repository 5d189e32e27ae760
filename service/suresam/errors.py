"""The error tree. A class's `code` is part of both APIs and never changes."""


class ServiceError(Exception):
    """Anything that a client may be told. The message holds value, limit and unit."""

    code = "internal"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class RequestError(ServiceError):
    """The caller can mend it."""

    code = "invalid_request"


class InvalidRequest(RequestError):
    """The request does not have the documented form."""

    code = "invalid_request"


class NotAcceptable(RequestError):
    """The `Accept` header names no form that the route answers in; REST alone has it."""

    code = "not_acceptable"


class InvalidImage(RequestError):
    """The uploaded bytes are not an image that can be read."""

    code = "invalid_image"


class InvalidPrompt(RequestError):
    """A prompt lies outside the image, is malformed or says nothing."""

    code = "invalid_prompt"


class Unauthenticated(RequestError):
    """No valid key came with the request."""

    code = "unauthenticated"


class PermissionDenied(RequestError):
    """The key does not allow this."""

    code = "permission_denied"


class ImageTooLarge(RequestError):
    """The body or the picture is over a limit in bytes or pixels."""

    code = "image_too_large"


class UnknownModel(RequestError):
    """No loaded model has that name or role."""

    code = "unknown_model"


class UnknownMethod(RequestError):
    """No uncertainty method has that name."""

    code = "unknown_method"


class SessionNotFound(RequestError):
    """No such session, or it expired; upload the image again."""

    code = "session_not_found"


class ImageNotFound(RequestError):
    """The session has no image of that id."""

    code = "image_not_found"


class SessionExists(RequestError):
    """A session of the chosen id is alive already."""

    code = "session_exists"


class Superseded(RequestError):
    """A newer request for the same prompt took this one's place."""

    code = "superseded"


class CapacityError(ServiceError):
    """The caller can try again; `retry_after_s` (seconds) says when, if the server told."""

    code = "unavailable"
    retry_after_s: float | None = None


class Overloaded(CapacityError):
    """Too much is waiting; `retry_after_s` (seconds) says when to come back."""

    code = "overloaded"

    def __init__(self, message: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """The key's own limit is reached; `retry_after_s` (seconds) says when to come back."""

    code = "rate_limited"


class DeadlineExceeded(CapacityError):
    """The deadline passed before the answer was ready."""

    code = "deadline_exceeded"


class NotReady(CapacityError):
    """The models are still loading or warming up."""

    code = "not_ready"


class ShuttingDown(CapacityError):
    """The server is stopping and takes no new work."""

    code = "shutting_down"


class WorkerFailed(CapacityError):
    """The device's worker died while it held the request; a new one takes over."""

    code = "worker_failed"


class InferenceError(ServiceError):
    """Our fault: the client learns the code and the request id, the log has the rest."""

    code = "inference_failed"


class OutOfMemory(InferenceError):
    """The device ran out of memory even for this row alone."""

    code = "out_of_memory"


class NonFiniteOutput(InferenceError):
    """The model answered with NaN or infinity."""

    code = "non_finite_output"


class Quarantined(InferenceError):
    """This input killed a worker before and is not tried again."""

    code = "quarantined"


class ConfigurationError(Exception):
    """A setting, manifest or file is wrong; told at start on one line, exit 2."""


class CheckpointError(ConfigurationError):
    """Weights are missing, damaged or of another shape."""


def from_code(code: str, message: str, retry_after_s: float | None = None) -> ServiceError:
    """The error of a wire code, as a client raises it.

    Args:
        code: a class's `code`; one that no class has gives a `ServiceError` that keeps it.
        message: what the server said.
        retry_after_s: seconds after which the server expects to have room, if it told.
    """
    kind = _classes_by_code(ServiceError).get(code)
    error = ServiceError(message) if kind is None else kind(message)
    error.code = code
    if retry_after_s is not None and isinstance(error, CapacityError):
        error.retry_after_s = retry_after_s
    return error


def _classes_by_code(root: type[ServiceError]) -> dict[str, type[ServiceError]]:
    # A child follows its parent: InvalidRequest, not RequestError, answers to the code they share.
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _classes_by_code(child)
    return found
