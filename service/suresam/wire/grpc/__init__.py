"""The messages of the gRPC API to and from the domain.

Functions come in pairs, `..._to_proto` and `..._from_proto`. What an optional field does not say
is None or the default, and the defaults are REST's: both come from the domain.
"""

from suresam.wire.grpc.request import (
    interact_header_from_proto,
    interact_header_to_proto,
    options_from_proto,
    options_to_proto,
    prompt_from_proto,
    prompt_to_proto,
    segment_request_from_proto,
    segment_request_to_proto,
)
from suresam.wire.grpc.response import (
    interact_response_from_proto,
    interact_response_to_proto,
    segment_response_from_proto,
    segment_response_to_proto,
)
from suresam.wire.grpc.service import (
    service_info_from_proto,
    service_info_to_proto,
    session_from_proto,
    session_to_proto,
)

__all__ = [
    "interact_header_from_proto",
    "interact_header_to_proto",
    "interact_response_from_proto",
    "interact_response_to_proto",
    "options_from_proto",
    "options_to_proto",
    "prompt_from_proto",
    "prompt_to_proto",
    "segment_request_from_proto",
    "segment_request_to_proto",
    "segment_response_from_proto",
    "segment_response_to_proto",
    "service_info_from_proto",
    "service_info_to_proto",
    "session_from_proto",
    "session_to_proto",
]
