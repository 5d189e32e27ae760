"""Which prompts the large member answers again. Pure: no engine, no clock."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from suresam.domain import PromptKind

_MOST_REMEMBERED = 10_000


class Sampler:
    """Draws a share of the prompts, and of each picture one single click and one other prompt.

    Calibrations tell single clicks and others apart. A person's hundred clicks on one picture are
    not a hundred independent samples: with one of each, figures that take them for independent say
    how sure they are.

    Args:
        share: of the prompts, 0 to 1.
        seed: of the draw.
    """

    def __init__(self, share: float, seed: int = 0) -> None:
        self._share = share
        self._rng = np.random.default_rng(seed)
        self._taken: OrderedDict[Hashable, None] = OrderedDict()

    def choose(self, picture: Hashable | None, kinds: Sequence[PromptKind]) -> tuple[int, ...]:
        """Draw among the prompts of one request; every prompt is drawn about exactly once.

        Args:
            picture: what tells it from others; None for one that nobody knows yet.
            kinds: of the prompts.

        Returns:
            Their places, at most one of a group that was not taken.
        """
        drawn = np.flatnonzero(self._rng.random(len(kinds)) < self._share)
        chosen = []
        for is_click in (True, False):
            group = [place for place in drawn.tolist() if (kinds[place] == "one_click") is is_click]
            if group and not self._is_taken(picture, is_click):
                chosen.append(group[self._rng.integers(len(group))])
        return tuple(sorted(chosen))

    def take(self, picture: Hashable | None, kind: PromptKind) -> bool:
        """Take a picture's place for prompts like this one; whether it was free."""
        is_click = kind == "one_click"
        if self._is_taken(picture, is_click):
            return False
        if picture is not None:
            self._taken[picture, is_click] = None
            while len(self._taken) > _MOST_REMEMBERED:
                self._taken.popitem(last=False)
        return True

    def release(self, picture: Hashable | None, kind: PromptKind) -> None:
        """Nothing came of it: the picture's next prompt may be drawn."""
        self._taken.pop((picture, kind == "one_click"), None)

    def _is_taken(self, picture: Hashable | None, is_click: bool) -> bool:
        return (picture, is_click) in self._taken
