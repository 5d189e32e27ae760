"""Which of several devices is asked: the one that knows the image, else the least busy."""

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence

from suresam.engine.device import Device
from suresam.errors import NotReady

_MOST_REMEMBERED = 100_000
"""Images whose device is remembered, many more than devices have room for."""


class Affinity:
    """Sends an image where it was sent before, as long as that device works.

    A new image goes to the device with the fewest requests; of equals to the one with the least
    work in progress. Images of one request stay together. Used by the event loop alone.

    Args:
        devices: at least one.
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        self._requests: Counter[Device] = Counter()
        self._homes: OrderedDict[str, Device] = OrderedDict()

    @contextlib.contextmanager
    def device_for(self, keys: Sequence[str]) -> Iterator[Device]:
        """The device for images, which counts as busy for the length of a `with` block.

        Args:
            keys: of the images, at least one; the first decides.

        Raises:
            NotReady: no device works.
        """
        device = self.home_of(*keys)
        self._requests[device] += 1
        try:
            yield device
        finally:
            self._requests[device] -= 1

    def home_of(self, *keys: str) -> Device:
        """The device for images, from now on at least, without counting as busy.

        Raises:
            NotReady: no device works.
        """
        device = self._homes.get(keys[0])
        if device is None or not device.is_ready():
            device = self._least_busy()
        for key in keys:
            self._homes[key] = device
            self._homes.move_to_end(key)
        while len(self._homes) > _MOST_REMEMBERED:
            self._homes.popitem(last=False)
        return device

    def _least_busy(self) -> Device:
        ready = [device for device in self._devices if device.is_ready()]
        if not ready:
            raise NotReady("no device is ready; try again")
        # What was last heard of a device's work may be a second old; requests are counted here.
        return min(ready, key=lambda device: (self._requests[device], device.backlog_ms()))
