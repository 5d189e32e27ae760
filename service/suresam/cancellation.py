"""Telling our own cancellation of a task from somebody else's."""

import asyncio
import sys
from typing import Any


def is_cancelled_by_others(task: "asyncio.Task[Any]") -> bool:
    """Whether somebody besides us, who cancelled it once, wanted a task cancelled.

    It counts ours as dealt with. Before Python 3.11 nobody can know, and the answer is no.
    """
    return sys.version_info >= (3, 11) and task.uncancel() > 0
