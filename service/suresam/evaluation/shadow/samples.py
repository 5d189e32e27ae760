"""What shadow mode recorded, as columns, for each part of a calibration that it speaks of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from suresam.domain import PromptKind
from suresam.errors import ConfigurationError
from suresam.routing.shadow.comparison import Comparison
from suresam.routing.shadow.record import ComparedModels, Record

Values = NDArray[np.float64]

ONE_CLICK, OTHER = "one_click", "other"
"""Parts of a member's calibration: single clicks, and all other prompts."""

PARTS: Mapping[PromptKind, str] = {
    kind: ONE_CLICK if kind == "one_click" else OTHER for kind in get_args(PromptKind)
}
WORDS = {ONE_CLICK: "one click", OTHER: "other prompts"}


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N comparisons, taken as independent: shadow mode draws one of a picture for each part.

    Attributes:
        expected: (N,) gain in IoU that was predicted.
        gain: (N,) that was recorded, an estimate.
        iou, matched_iou: (N,) between both answers, and between the first one and its like.
        small_ms, large_ms: (N,) of the device.
    """

    expected: Values
    gain: Values
    iou: Values
    matched_iou: Values
    small_ms: Values
    large_ms: Values

    def __len__(self) -> int:
        return len(self.expected)


def samples_of(comparisons: Sequence[Comparison]) -> dict[str, Samples]:
    """The comparisons of each part, in their order; none where there are none."""
    found = {part: [c for c in comparisons if PARTS[c.prompt] == part] for part in WORDS}
    return {
        part: Samples(
            np.array([c.expected_gain for c in mine], np.float64),
            np.array([c.gain for c in mine], np.float64),
            np.array([c.iou for c in mine], np.float64),
            np.array([c.matched_iou for c in mine], np.float64),
            np.array([c.small_ms for c in mine], np.float64),
            np.array([c.large_ms for c in mine], np.float64),
        )
        for part, mine in found.items()
    }


def require_own(record: Record, models: ComparedModels) -> None:
    """Refuse a record of other models than those in use, or of another calibration.

    Args:
        record: that was read.
        models: in use, with the calibration that is to be refitted.

    Raises:
        ConfigurationError: it is of others, or of nothing.
    """
    if not record.comparisons:
        raise ConfigurationError("the record holds no comparison")
    wanted = asdict(models)
    for found, where in record.models.items():
        for name, value in asdict(found).items():
            if value != wanted[name]:
                raise ConfigurationError(
                    f"{where} was recorded with {name} {value}, and in use is {wanted[name]}"
                )
