"""Much independent work, spread over processes of one thread each."""

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2

from suresam.errors import ConfigurationError

T = TypeVar("T")
R = TypeVar("R")


def map_in_processes(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Generator[R, None, None]:
    """Results of all items, in order.

    Leaving early, also by an exception, gives up what has not begun and waits for the rest.

    Args:
        work: a function of a module, so that it can travel.
        items: each small enough to travel.
        workers: processes; 1 works in this one.
        prepare, arguments: called once in every process before its first item.

    Raises:
        ConfigurationError: a process was ended from outside, for want of memory most likely.
    """
    if workers <= 1 or len(items) <= 1:
        if prepare is not None:
            prepare(*arguments)
        yield from map(work, items)
        return
    executor = ProcessPoolExecutor(
        min(workers, len(items)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(prepare, arguments),
    )
    try:
        yield from executor.map(work, items)
    except BrokenProcessPool as error:
        raise ConfigurationError(
            "a worker process was ended from outside; if memory ran short, use fewer --threads"
        ) from error
    finally:
        # Also when somebody stops us: without this, leaving would wait for every item there is.
        executor.shutdown(wait=True, cancel_futures=True)


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # Ctrl-C reaches every process of the terminal; the first one decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # the processes share the cores already
    if prepare is not None:
        prepare(*arguments)
