"""What every collection of annotated pictures can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One picture and the masks that somebody marked in it.

    Attributes:
        image_id: names the picture within its data set. Examples that share it show the same
            picture (several annotators), so they are resampled together.
        image: (H, W, 3) uint8 RGB, EXIF orientation applied.
        masks: the marked things, each (H, W) bool and not empty; they may overlap, and there may
            be none. Each is made anew when it is asked for: keep it rather than ask twice.
    """

    image_id: str
    image: NDArray[np.uint8]
    masks: Sequence[Mask]


class Dataset(Protocol):
    """Annotated pictures in a fixed order, read one at a time."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def image_ids(self) -> Sequence[str]:
        """The `image_id` of every example in order, known without reading any picture."""

    def __len__(self) -> int:
        """How many examples there are; at least one."""

    def __getitem__(self, index: int) -> Example:
        """Read one example.

        Raises:
            ConfigurationError: the picture or its masks cannot be read, or do not fit together;
                the message names the file.
            IndexError: there are fewer examples.
        """
