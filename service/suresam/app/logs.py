"""Where the log goes and in which form, in every process of the service."""

import json
import logging
import time
import warnings

import grpc

from suresam.api.request_log import ACCESS
from suresam.settings import Settings
from suresam.tracing import current

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OF_REQUESTS = ("request_id", "tenant", "address", "api", "method", "code", "ms")


class JsonLines(logging.Formatter):
    """One JSON object for each record, for those who collect logs.

    `time` (UTC, ISO 8601), `level`, `logger`, `message`, and `exception` with the stack. What is
    about a request has fields of its own besides, as far as they are known: `request_id`, `tenant`,
    `address`, `code`, in the access log `api`, `method` and `ms`, and `trace_id` and `span_id`
    where it is traced.
    """

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in _OF_REQUESTS:
            if (value := getattr(record, name, None)) is not None:
                told[name] = value
        if (traced := current()) is not None:
            told |= {"trace_id": traced.trace_id, "span_id": traced.span_id}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def _is_no_hang_up(record: logging.LogRecord) -> bool:
    """Whether it is anything but gRPC's stack for a client, or a stranger, who left too early."""
    return record.exc_info is None or not isinstance(record.exc_info[1], grpc.aio.InternalError)


def log_to_stderr(settings: Settings) -> None:
    """Log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_hang_up)
    if settings.access_log:
        logging.getLogger(ACCESS).setLevel(logging.INFO)
    # About odd uploads; their texts come from strangers and belong into no log.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
