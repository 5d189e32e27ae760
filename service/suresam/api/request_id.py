"""The id under which a client and the log speak of one request."""

import random
import re

HEADER = "x-request-id"

_ACCEPTED = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


def request_id_of(proposed: str | None) -> str:
    """The client's own id if it is harmless in a log, else a new one."""
    if proposed is not None and _ACCEPTED.fullmatch(proposed):
        return proposed
    # Names a request and guards nothing; a secret would cost a system call.
    return f"{random.getrandbits(96):024x}"
