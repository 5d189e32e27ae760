"""Waiting: for all of several, and for nobody longer than his deadline."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from suresam.cancellation import cancelled_after
from suresam.errors import DeadlineExceeded

T = TypeVar("T")


async def wait_all(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all; if one fails, the others are cancelled, since nobody waits for them."""
    every = list(works)
    if len(every) == 1:  # most requests have one prompt, and need no task for it
        return [await every[0]]
    tasks = [asyncio.create_task(work) for work in every]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def within(remaining_ms: float, work: Coroutine[Any, Any, T]) -> T:
    """Wait for work until the caller's deadline; what is still queued then is dropped.

    Raises:
        DeadlineExceeded
    """
    with cancelled_after(
        remaining_ms / 1000,
        lambda: DeadlineExceeded(
            f"the answer was not ready within the {remaining_ms:.0f} ms that were left"
        ),
    ):
        return await work
