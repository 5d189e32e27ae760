"""The JSON of the REST API: one pydantic model for each body, each with both directions."""

from suresam.wire.rest.error import ErrorBody
from suresam.wire.rest.events import EVENT_STREAM, EventReader, done_event, result_event
from suresam.wire.rest.request import SegmentRequestBody, parse_segment_request
from suresam.wire.rest.response import SegmentResponseBody, json_bytes
from suresam.wire.rest.service import (
    ModelInfoBody,
    ModelsBody,
    SessionBody,
    SessionImageBody,
)

__all__ = [
    "EVENT_STREAM",
    "ErrorBody",
    "EventReader",
    "ModelInfoBody",
    "ModelsBody",
    "SegmentRequestBody",
    "SegmentResponseBody",
    "SessionBody",
    "SessionImageBody",
    "done_event",
    "json_bytes",
    "parse_segment_request",
    "result_event",
]
