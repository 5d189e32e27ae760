"""What the generator's own process needs to be quick and to hold many connections."""

import contextlib
import gc


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
