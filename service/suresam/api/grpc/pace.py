"""Client streams that must not stall: a limit between messages and one for the whole."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator

from suresam.api.messages import Message, next_message
from suresam.api.upload_times import UploadTimes
from suresam.errors import DeadlineExceeded


async def paced(
    stream: AsyncIterator[Message], times: UploadTimes
) -> AsyncGenerator[Message, None]:
    """The messages of an upload, as long as they come in time.

    Running late is `DeadlineExceeded` and not `InvalidRequest`: nothing is wrong with what was
    sent, and over a better line the same upload may succeed.

    Args:
        stream: the messages as they arrive.
        times: to wait for any one message, and for all of them.

    Raises:
        DeadlineExceeded: with the limit that was passed.
    """
    iterator = aiter(stream)
    max_idle_s, max_total_s = times.max_idle_s, times.max_total_s
    started, num_messages = time.monotonic(), 0
    while True:
        left_s = max_total_s - (time.monotonic() - started)
        try:
            message = await asyncio.wait_for(next_message(iterator), min(max_idle_s, left_s))
        except (asyncio.TimeoutError, TimeoutError):
            if left_s <= max_idle_s:
                spent_s = time.monotonic() - started
                raise DeadlineExceeded(
                    f"the upload is not complete after {spent_s:.3g} s and {num_messages} "
                    f"messages (limit {max_total_s:g} s)"
                ) from None
            raise DeadlineExceeded(
                f"the upload stood still for {max_idle_s:g} s after {num_messages} messages "
                f"(limit {max_idle_s:g} s between messages)"
            ) from None
        if message is None:
            return
        num_messages += 1
        yield message
