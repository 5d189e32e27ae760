"""What the generator's own process needs to be quick and to hold many connections."""

import contextlib
import gc
import os
from collections.abc import Iterator

_NICER = 10


def prepare_process() -> None:
    """Allow as many open files as the system lets us, and make garbage collections short.

    A server that is started afterwards may open as many.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A collection that walks through all modules stops the generator for tens of milliseconds.
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def raised_priority() -> Iterator[None]:
    """Let this thread run before a busy server of the same machine, where the system allows it.

    Visitors elsewhere would not wait for the server's processor either. Here they need a few
    percent of one core, but in time.
    """
    try:
        before = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, before - _NICER)
    except (AttributeError, OSError):  # not allowed, or not such a system
        yield
        return
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
