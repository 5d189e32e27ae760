"""Telling how far a long measurement is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TextIO, TypeVar

from tqdm import tqdm

_LINE_EVERY_S = 20.0


class _HasTargets(Protocol):
    @property
    def targets(self) -> Sized: ...


Measured = TypeVar("Measured", bound=_HasTargets)


def tell_progress(pictures: Iterable[Measured], total: int, stream: TextIO) -> Iterator[Measured]:
    """Pass on what was measured of pictures, and tell how many of their targets are done.

    Args:
        pictures: each comes when its targets are measured.
        total: targets at most.
        stream: where it is told, usually stderr.
    """
    done, told = 0, time.monotonic()
    with tqdm(total=total, unit="target", file=stream, disable=not stream.isatty()) as bar:
        for picture in pictures:
            done += len(picture.targets)
            bar.update(len(picture.targets))
            if bar.disable and time.monotonic() - told > _LINE_EVERY_S:
                told = time.monotonic()
                print(f"{done} of at most {total} targets", file=stream, flush=True)
            yield picture


@contextmanager
def tell_counts(what: str, stream: TextIO) -> Iterator[Callable[[int, int], None]]:
    """Gives a function that is told how many things are done, and of how many.

    Args:
        what: the things' name.
        stream: where it is told, usually stderr.
    """
    told = float("-inf")
    with tqdm(desc=what, file=stream, disable=not stream.isatty()) as bar:

        def tell(done: int, total: int) -> None:
            nonlocal told
            bar.total = total
            bar.update(done - bar.n)
            if bar.disable and (done == total or time.monotonic() - told > _LINE_EVERY_S):
                told = time.monotonic()
                print(f"{done} of {total} {what}", file=stream, flush=True)

        yield tell
