"""A calibration whose model gap is that of another, corrected."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from suresam.errors import ConfigurationError
from suresam.evaluation.calibration.fitting import rising_curve
from suresam.evaluation.shadow.samples import ONE_CLICK, OTHER, WORDS, Samples
from suresam.uncertainty.calibration import Calibration, Curve, Expectations, Reading
from suresam.uncertainty.head_info import MODEL_GAP

LEAST_SAMPLES = 100
"""Comparisons below which a part keeps the curve that it has: half of them judge the other half."""


def fit_corrections(samples: Mapping[str, Samples]) -> dict[str, Curve]:
    """For each part with enough comparisons, from the expected gain to the recorded one.

    Isotonic: whoever was expected to gain more still is. The order of requests is the scores' own,
    and a record of predictions cannot better it.

    Raises:
        ConfigurationError: no part has enough.
    """
    enough = {part: mine for part, mine in samples.items() if len(mine) >= LEAST_SAMPLES}
    if not enough:
        told = " and ".join(f"{len(samples[part])} of {words}" for part, words in WORDS.items())
        raise ConfigurationError(
            f"{told} are too few comparisons to fit to; at least {LEAST_SAMPLES} of either are "
            f"needed"
        )
    return {part: rising_curve(mine.expected, mine.gain) for part, mine in enough.items()}


def refitted(
    calibration: Calibration, member: str, corrections: Mapping[str, Curve], name: str, dataset: str
) -> Calibration:
    """The same calibration with corrected gains of one member, under another name.

    Args:
        calibration: that made the predictions.
        member: whose gain is corrected.
        corrections: by part, from what it predicts to what should be expected.
        name: of the new one.
        dataset: what its gain was fitted on.

    Raises:
        ConfigurationError: it expects no gain of the member.
    """
    own = calibration.members[member]
    parts = {ONE_CLICK: own.one_click, OTHER: own.other}
    corrected = {
        part: _corrected(told, corrections.get(part), f"{calibration.name} for {member}")
        for part, told in parts.items()
    }
    return replace(
        calibration,
        name=name,
        dataset=dataset,
        members=calibration.members | {member: replace(own, **corrected)},
    )


def _corrected(told: Expectations, correction: Curve | None, where: str) -> Expectations:
    if correction is None:
        return told
    if MODEL_GAP not in told.gains:
        raise ConfigurationError(f"calibration {where} expects no {MODEL_GAP} that could be fitted")
    reading = told.gains[MODEL_GAP]
    gap = Reading(reading.weights, followed_by(reading.curve, correction))
    return replace(told, gains=told.gains | {MODEL_GAP: gap})


def followed_by(first: Curve, then: Curve) -> Curve:
    """The curve that has at every x what `then` has at `first`'s value there.

    Both are straight between their points, so this is as well: between the points of the first,
    and the places where it passes a point of the second.
    """
    x, y = np.array(first.x), np.array(first.y)
    bends = np.array(then.x)
    inside = bends[(bends > y[0]) & (bends < y[-1]) & ~np.isin(bends, y)]
    places = np.unique(np.concatenate([x, np.interp(inside, y, x)]))
    values = np.maximum.accumulate(then(first(places)))  # rounding may let it fall
    return Curve(tuple(places.tolist()), tuple(values.tolist()))
