"""Messages of client streams."""

from collections.abc import AsyncIterator
from typing import TypeVar

Message = TypeVar("Message")


async def next_message(stream: AsyncIterator[Message]) -> Message | None:
    """The next message of a stream; None when it has ended."""
    async for message in stream:
        return message
    return None
