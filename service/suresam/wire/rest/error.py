"""The JSON of a refusal or failure."""

from suresam.errors import ServiceError, from_code
from suresam.wire.rest.model import AnswerModel


class ErrorDetailsBody(AnswerModel):
    """The stable code, a message for people, and the id to quote."""

    code: str
    message: str
    request_id: str | None


class ErrorBody(AnswerModel):
    """Why a request has no answer."""

    error: ErrorDetailsBody

    @classmethod
    def from_domain(cls, error: ServiceError, request_id: str | None) -> "ErrorBody":
        """Write an error."""
        return cls(
            error=ErrorDetailsBody(code=error.code, message=error.message, request_id=request_id)
        )

    def to_domain(self, retry_after_s: float | None = None) -> ServiceError:
        """The error.

        Args:
            retry_after_s: the answer's Retry-After in seconds, or None.
        """
        return from_code(self.error.code, self.error.message, retry_after_s)
