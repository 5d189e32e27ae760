"""Cancelling a task's work after a while, and telling that from somebody else's cancellation."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def cancelled_after(limit_s: float, late: Callable[[], Exception]) -> Iterator[None]:
    """Cancel what the current task does in a `with` block when it takes over `limit_s` seconds.

    The work runs in the caller's own task, since one more for each request is not free.

    Args:
        limit_s: seconds.
        late: makes the error that is raised then.
    """
    task = asyncio.current_task()
    assert task is not None, "work is waited for in a task"
    is_late = False

    def stop() -> None:
        nonlocal is_late
        is_late = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(limit_s, stop)
    try:
        yield
    except asyncio.CancelledError:
        if not is_late or is_cancelled_by_others(task):
            raise
        raise late() from None
    finally:
        timer.cancel()


def is_cancelled_by_others(task: "asyncio.Task[Any]") -> bool:
    """Whether somebody besides us, who cancelled it once, wanted a task cancelled.

    It counts ours as dealt with. Before Python 3.11 nobody can know, and the answer is no.
    """
    return sys.version_info >= (3, 11) and task.uncancel() > 0
