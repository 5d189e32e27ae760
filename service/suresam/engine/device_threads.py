"""How many threads a launch on a CPU computes with."""

import os

import torch

from suresam.engine.scheduler import DECODE


class DeviceThreads:
    """Encodes take every core, decodes leave one to those who parse, answer and decode images.

    A decode is a few hundred short operators, and each of them wakes its threads and waits for the
    slowest. On two cores a click alone takes the server's device 10 to 11 ms with one thread and 15
    to 17 with two (`timings_ms.decode`, one click after the other, `demo-small`); for 16 people at
    once there is no difference. An encode is long enough to gain.

    Args:
        device: that the models are on; only "cpu" has threads.
        for_decode: threads of a decode; None is all cores but one.
    """

    def __init__(self, device: str, for_decode: int | None) -> None:
        self._is_cpu = device == "cpu"
        self._for_encode = torch.get_num_threads()
        all_but_one = max(1, (os.cpu_count() or 1) - 1)
        self._for_decode = for_decode or min(all_but_one, self._for_encode)

    def set_for(self, stage: str) -> None:
        """To be called by the thread that launches."""
        if self._is_cpu:
            torch.set_num_threads(self._for_decode if stage == DECODE else self._for_encode)
