"""How far a figure could have come out otherwise, had other images been drawn."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

NUM_RESAMPLES = 2000
LEVEL = 0.95

_AT_ONCE = 100
"""Resamples whose weights are in memory together."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: on the targets themselves.
        low, high: ends of the 95 % interval; NaN with fewer than two images.
        num_targets, num_images: that it rests on.
    """

    value: float
    low: float
    high: float
    num_targets: int
    num_images: int


class ImageBootstrap:
    """Percentile intervals that resample images, each with all its targets.

    Targets of one image share its light, its camera and its annotator, so resampling them one by
    one would make intervals too narrow.

    Args:
        images: (N,) int, the image of every target.
        seed: of the resampling; equal seeds give equal intervals.
        num_resamples: how often all images are drawn anew, with replacement.

    Source: Efron and Tibshirani (1993), chapter 13, on clusters as Davison and Hinkley (1997),
    section 3.8, draw them.
    """

    def __init__(
        self, images: ArrayLike, seed: int = 0, num_resamples: int = NUM_RESAMPLES
    ) -> None:
        _, self._image = np.unique(np.asarray(images), return_inverse=True)
        self._seed = seed
        self._num_resamples = num_resamples

    def repeated(self, times: int) -> "ImageBootstrap":
        """The same for `times` values of every target, all targets' first ones first."""
        return ImageBootstrap(np.tile(self._image, times), self._seed, self._num_resamples)

    def mean(self, values: NDArray[np.float64]) -> Estimate:
        """The mean over targets of (N,) values; NaN are left out."""
        there = ~np.isnan(values)
        _, image = np.unique(self._image[there], return_inverse=True)
        sums, counts = np.bincount(image, values[there]), np.bincount(image)
        drawn = self._draw(len(counts))
        with np.errstate(invalid="ignore"):
            means = (drawn @ sums) / (drawn @ counts)
        value = float(values[there].mean()) if there.any() else float("nan")
        return _estimate(value, means, int(there.sum()), len(counts))

    def statistic(
        self, function: Callable[..., NDArray[np.float64]], *columns: NDArray[np.float64]
    ) -> Estimate:
        """Any function of (N,) columns and (R, N) weights, how often a resample holds each row.

        It returns the (R,) values of the resamples. Rows with NaN in a column are left out.
        """
        if np.isnan(np.stack(columns)).any(axis=0).all():
            return Estimate(np.nan, np.nan, np.nan, 0, 0)
        return self.statistics(lambda *given: function(*given)[:, None], *columns)[0]

    def statistics(
        self, function: Callable[..., NDArray[np.float64]], *columns: NDArray[np.float64]
    ) -> list[Estimate]:
        """K statistics of the same resamples: the function returns (R, K). At least one row."""
        there = ~np.isnan(np.stack(columns)).any(axis=0)
        kept = [column[there] for column in columns]
        _, image = np.unique(self._image[there], return_inverse=True)
        num_images = int(image.max(initial=-1)) + 1
        drawn = self._draw(num_images).astype(np.float64)
        values = [
            function(*kept, drawn[start : start + _AT_ONCE, image])
            for start in range(0, len(drawn), _AT_ONCE)
        ]
        exact = function(*kept, np.ones((1, len(image))))
        resampled = np.concatenate([exact[:0], *values])
        return [
            _estimate(float(value), of_it, len(image), num_images)
            for value, of_it in zip(exact[0], resampled.T, strict=True)
        ]

    def _draw(self, num_images: int) -> NDArray[np.int64]:
        """How often every image is in every resample, (resamples, images)."""
        rng = np.random.default_rng(self._seed)
        if num_images < 2:  # nothing to resample
            return np.zeros((0, num_images), np.int64)
        even = np.full(num_images, 1 / num_images)
        return rng.multinomial(num_images, even, self._num_resamples)


def _estimate(
    value: float, resampled: NDArray[np.float64], num_targets: int, num_images: int
) -> Estimate:
    usable = resampled[~np.isnan(resampled)]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(usable, [tail, 1 - tail]) if len(usable) else (np.nan, np.nan)
    return Estimate(value, float(low), float(high), num_targets, num_images)
