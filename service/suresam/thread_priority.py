"""Which threads wait for a core that several want."""

import os
import threading

_NICER = 10


def give_way() -> None:
    """Let this thread compute when no other of the process wants the core, where Linux does so.

    Elsewhere a priority is that of the whole process, and nothing is changed.
    """
    if hasattr(os, "sched_getaffinity"):  # Linux, where threads have priorities of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICER)
