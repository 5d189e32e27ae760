"""Batches in the order of the steps, drawn ahead where the device would wait for them."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import torch

from suresam.training.batches import Batch


class Drawn(NamedTuple):
    """A step's batch, and the seed of every other random choice of the step."""

    batch: Batch
    seed: int


class Feed:
    """Gives each step its batch.

    What a step gets follows from `draw` alone, so drawing ahead changes no training; only the
    size of the views may lag where it follows the clock.

    Args of the constructor:
        draw: makes the batch of a step at a size in pixels; from several threads if `ahead`.
        device: batches go there.
        ahead: batches that are drawn ahead, each by a thread of its own; 0 to draw on demand,
            which is right where drawing and training share the processor.
    """

    def __init__(self, draw: Callable[[int, int], Drawn], device: torch.device, ahead: int) -> None:
        self._draw, self._device, self._ahead = draw, device, ahead
        self._drawn: dict[int, Future[Drawn]] = {}
        self._threads = ThreadPoolExecutor(ahead, "draw") if ahead else None

    def take(self, step: int, size_at: Callable[[int], int]) -> Drawn:
        """The batch of a step, on the device; steps are asked for in order.

        Args:
            size_at: side of the views in pixels at a step.
        """
        if self._threads is None:
            drawn = self._draw(step, size_at(step))
        else:
            for later in range(step, step + self._ahead + 1):
                if later not in self._drawn:
                    size = size_at(later)
                    self._drawn[later] = self._threads.submit(self._draw, later, size)
            drawn = self._drawn.pop(step).result()
        return Drawn(drawn.batch.to(self._device), drawn.seed)

    def forget(self) -> None:
        """Drop what is drawn ahead: steps are counted anew, for another stage."""
        for drawn in self._drawn.values():
            drawn.cancel()
        wait(self._drawn.values())
        self._drawn.clear()

    def close(self) -> None:
        """Draw nothing any more."""
        self.forget()
        if self._threads is not None:
            self._threads.shutdown()
