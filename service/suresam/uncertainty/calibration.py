"""What a member's scores are worth in IoU: fitted on annotated pictures, kept with the family."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from suresam.domain import PromptKind
from suresam.errors import CheckpointError
from suresam.segmentation.manifests import told_problems

Values = NDArray[np.float64]

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Curve:
    """A function that never falls: straight between its points, flat beyond the ends.

    Attributes:
        x: where its points are, rising.
        y: its values there.

    Raises:
        CheckpointError: no point, differing numbers, or a curve that falls.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __post_init__(self) -> None:
        """Refuse what is no rising curve."""
        is_rising = np.all(np.diff(self.x) > 0) and np.all(np.diff(self.y) >= 0)
        if not self.x or len(self.x) != len(self.y) or not is_rising:
            raise CheckpointError("a curve of the calibration does not rise, or lacks points")

    def __call__(self, values: ArrayLike) -> Values:
        """Its values at any places, in their shape."""
        return np.asarray(np.interp(np.asarray(values, np.float64), self.x, self.y))


@dataclass(frozen=True, slots=True)
class Interval:
    """How far the truth lies from what was expected, by what was expected.

    Attributes:
        edges: K - 1 expected IoUs, rising, between the K ranges.
        low, high: K values each, added to the expected IoU.
    """

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __post_init__(self) -> None:
        """Refuse ranges that do not fit together."""
        is_rising = np.all(np.diff(self.edges) > 0)
        if not len(self.edges) + 1 == len(self.low) == len(self.high) or not is_rising:
            raise CheckpointError("ranges of the calibration's interval do not fit together")

    def around(self, expected: ArrayLike) -> tuple[Values, Values]:
        """The ends of the intervals, cut to [0, 1]."""
        expected = np.asarray(expected, np.float64)
        place = np.searchsorted(self.edges, expected, side="right")
        low, high = expected + np.array(self.low)[place], expected + np.array(self.high)[place]
        return np.clip(low, 0, 1), np.clip(high, 0, 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mix of a mask's scores is worth in IoU.

    Attributes:
        weights: of each score in the mix; heads by name and scores of `answer_scores`.
        curve: from the mix to what is expected.
    """

    weights: dict[str, float]
    curve: Curve

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def __call__(self, scores: Mapping[str, ArrayLike]) -> Values:
        """What is expected of masks with these scores, of one or of many."""
        mix = sum(weight * np.asarray(scores[name]) for name, weight in self.weights.items())
        return self.curve(mix)


class Readings:
    """Several readings of the same scores at once: one product, and a curve for each.

    Args:
        readings: by the names of what they tell.
    """

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        names = dict.fromkeys(name for reading in readings.values() for name in reading.weights)
        self._scores = tuple(names)
        self._weights = np.array(
            [[reading.weights.get(name, 0.0) for name in names] for reading in readings.values()]
        )
        self._curves = {
            told: (np.array(reading.curve.x), np.array(reading.curve.y))
            for told, reading in readings.items()
        }

    def __call__(self, scores: Mapping[str, Values]) -> dict[str, Values]:
        """What each expects of masks with these scores, all finite and (T,)."""
        mixes = self._weights @ np.stack([scores[name] for name in self._scores])
        return {
            told: np.interp(mix, *curve)
            for mix, (told, curve) in zip(mixes, self._curves.items(), strict=True)
        }


@dataclass(frozen=True, slots=True)
class Expectations:
    """What is expected of masks.

    Attributes:
        expected: the expected IoU.
        interval: round it.
        gains: expected gains by name: the gaps of an answer, and what an advised click adds; one
            that is missing is not told.
    """

    expected: Reading
    interval: Interval
    gains: dict[str, Reading]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def told_gains(self, scores: Mapping[str, ArrayLike]) -> dict[str, Values]:
        """Every gain that these scores tell: of the last member none knows the model gap."""
        return {gain: reading(scores) for gain, reading in self.readable(scores.keys()).items()}

    def readable(self, known: Set[str]) -> dict[str, Reading]:
        """The gains whose scores are all known."""
        return {
            gain: reading for gain, reading in self.gains.items() if reading.weights.keys() <= known
        }


@dataclass(frozen=True, slots=True)
class MemberCalibration:
    """Of one checkpoint.

    Attributes:
        one_click: where a single click asked, which may mean several things.
        other: where any other prompt did.
    """

    one_click: Expectations
    other: Expectations

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def of(self, kind: PromptKind) -> Expectations:
        """What is expected of the answers to such prompts."""
        return self.one_click if kind == "one_click" else self.other


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of a family, as its file holds it.

    Attributes:
        name: of the calibration.
        dataset: what it was fitted on.
        level: nominal coverage of the intervals.
        heads_sha256: of the heads that it reads.
        trained_on: SHA-256 of the weights, by checkpoint.
        members: by checkpoint.
    """

    name: str
    dataset: str
    level: float
    heads_sha256: str
    trained_on: dict[str, str]
    members: dict[str, MemberCalibration]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


_FILE = TypeAdapter(Calibration)


def calibration_file(name: str) -> str:
    """Path of a calibration in a folder of models, where every other JSON is a manifest."""
    return f"calibrations/{name}.json"


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write the file, all or nothing; its folder is made if absent.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(_FILE.dump_json(calibration, indent=1) + b"\n")
    partial.replace(path)


def read_calibration(path: Path) -> Calibration:
    """Read the file.

    Raises:
        CheckpointError: it is missing or malformed.
    """
    try:
        return _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise CheckpointError(f"{path}: {told_problems(error)}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
