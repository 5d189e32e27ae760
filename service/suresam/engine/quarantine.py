"""Inputs that a worker died of: tried once more, alone, and then never again. Pure."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable

_MOST_REMEMBERED = 1024


class Quarantine:
    """Who was on the device when its worker died.

    All rows of such a launch are suspects. A suspect shares no further launch, so that it can
    take no neighbour along: if it passes alone it is cleared, and if the worker dies once more it
    is known to be the cause.
    """

    def __init__(self) -> None:
        self._is_guilty: OrderedDict[Hashable, bool] = OrderedDict()

    def blame(self, inputs: Iterable[Hashable]) -> None:
        """A worker died with these in its launch."""
        held = list(inputs)
        for identity in held:
            self._is_guilty[identity] = len(held) == 1 and identity in self._is_guilty
            self._is_guilty.move_to_end(identity)
        self._forget_oldest()

    def take_over(self, other: "Quarantine") -> None:
        """Suspect whom another one suspects, as much as it does."""
        for identity, is_guilty in other._is_guilty.items():
            self._is_guilty[identity] = is_guilty or self._is_guilty.get(identity, False)
        self._forget_oldest()

    def clear(self, identity: Hashable) -> None:
        """It was launched and nothing happened."""
        self._is_guilty.pop(identity, None)

    def is_suspect(self, identity: Hashable) -> bool:
        """Whether it must be launched alone."""
        return identity in self._is_guilty

    def is_guilty(self, identity: Hashable) -> bool:
        """Whether it must not be launched any more."""
        return self._is_guilty.get(identity, False)

    def _forget_oldest(self) -> None:
        while len(self._is_guilty) > _MOST_REMEMBERED:
            self._is_guilty.popitem(last=False)
