"""What was decided for a session's prompts the last time."""

from collections import OrderedDict
from collections.abc import Hashable

_MOST_REMEMBERED = 10_000


class DecisionMemory:
    """Decisions by prompt, the oldest forgotten first."""

    def __init__(self) -> None:
        self._escalated: OrderedDict[Hashable, bool] = OrderedDict()

    def recall(self, key: Hashable | None) -> bool | None:
        """Whether it was escalated; None if it is new or has no name."""
        return None if key is None else self._escalated.get(key)

    def note(self, key: Hashable | None, escalated: bool) -> None:
        """Remember a decision."""
        if key is None:
            return
        self._escalated[key] = escalated
        self._escalated.move_to_end(key)
        while len(self._escalated) > _MOST_REMEMBERED:
            self._escalated.popitem(last=False)
