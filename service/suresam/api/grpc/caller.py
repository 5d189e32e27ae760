"""Who makes the call that the current task answers."""

from contextvars import ContextVar

from suresam.access.caller import Caller

CALLER: ContextVar[Caller] = ContextVar("caller")
"""Set by the gate; a call that did not pass it has none, and fails."""
