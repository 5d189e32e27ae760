"""Clients that hang up before they are answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")


class ClientGone(Exception):
    """The client hung up; there is nobody to answer."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do work, but drop it as soon as the client hangs up.

    The work runs in the caller's own task; a second task, for the watch alone, cancels it.

    Raises:
        ClientGone: nobody is there to answer.
    """
    task = asyncio.current_task()
    assert task is not None, "an endpoint runs in a task"
    is_gone = is_over = False

    def leave(watch: "asyncio.Task[None]") -> None:
        nonlocal is_gone
        # It may have been called already when the work ended: what comes then is not its to stop.
        if not watch.cancelled() and not is_over:
            is_gone = True
            task.cancel()

    watch = asyncio.ensure_future(_disconnect(request))
    watch.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if is_gone:
            raise ClientGone from None
        raise
    finally:
        is_over = True
        watch.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
