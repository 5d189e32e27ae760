"""The span that the running task works under."""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suresam.tracing.server import Span

CURRENT: ContextVar["Span | None"] = ContextVar("span", default=None)
"""As it was set; it may be over, or not recorded."""

_NOTHING = nullcontext()


def current() -> "Span | None":
    """The span that the running task works under, if its request is traced and not over."""
    found = CURRENT.get()
    return found if found is not None and found.is_open else None


def span(name: str) -> "AbstractContextManager[Span | None]":
    """A part of the request that the running task works on, for the length of a `with` block.

    An exception that passes is told by its code, never by its message, which may repeat parts of
    the request.

    Args:
        name: one of few; what differs between requests are attributes.

    Returns:
        Gives the span to whoever has attributes for it; None where nothing is traced.
    """
    found = CURRENT.get()
    return _NOTHING if found is None or not found.is_open else found.under(name)
