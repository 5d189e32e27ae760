"""Which pictures heads learn from, which ones a search judges by, and which the report is about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.errors import ConfigurationError

_SEARCHES = 1
"""Told to the seed beside it, so that a search takes nothing from the draw of the held-out ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Questions by what their pictures are for; all those of a picture go together.

    Attributes:
        is_held_out: (Q,) those that the report is about; nothing is decided by them.
        is_judged_by: (Q,) those that a search judges its trials by; they are not held out.
    """

    is_held_out: NDArray[np.bool_]
    is_judged_by: NDArray[np.bool_]

    @property
    def is_tried_on(self) -> NDArray[np.bool_]:
        """(Q,) those that the trials of a search learn from: what is left."""
        return ~(self.is_held_out | self.is_judged_by)


def split_pictures(
    picture: NDArray[np.int64], share: float, seed: int, *, has_search: bool
) -> Split:
    """Draw the pictures; those held out are the same with a search and without one.

    Args:
        picture: (Q,) of every question.
        share: of all pictures, (0, 0.5]: so many are held out, and so many again judge a search
            where enough are left.
        seed: of the draw.
        has_search: whether trials are to be judged; otherwise no picture is spared for that.

    Raises:
        ConfigurationError: too few pictures.
    """
    pictures = np.unique(picture)
    if len(pictures) < 2:
        raise ConfigurationError("at least 2 pictures are needed: one to learn from, one to judge")
    if has_search and len(pictures) < 3:
        raise ConfigurationError(
            "at least 3 pictures are needed for a search: one to learn from, one to judge its "
            "trials, one to judge the heads"
        )
    wanted = max(1, round(share * len(pictures)))
    spared = 2 if has_search else 1
    count = min(wanted, len(pictures) - spared)
    held_out = np.random.default_rng(seed).choice(pictures, count, replace=False)
    is_held_out = np.isin(picture, held_out)
    if not has_search:
        return Split(is_held_out, np.zeros_like(is_held_out))
    left = np.setdiff1d(pictures, held_out)
    rng = np.random.default_rng([seed, _SEARCHES])
    judges = rng.choice(left, min(wanted, len(left) - 1), replace=False)
    return Split(is_held_out, np.isin(picture, judges))
