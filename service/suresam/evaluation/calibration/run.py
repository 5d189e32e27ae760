"""From a family, its heads and annotated pictures to a calibration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from suresam.datasets import Dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.calibration.fitting import LEVEL, fit_member
from suresam.evaluation.calibration.judging import Figures, judge_member
from suresam.evaluation.calibration.masks import ScoredMasks, masks_of_members
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.collecting import collect
from suresam.evaluation.observations.plan import ObservationPlan
from suresam.evaluation.progress import tell_counts
from suresam.evaluation.targets import PictureDeck, TargetChoice
from suresam.uncertainty.calibration import Calibration
from suresam.uncertainty.member_heads import HeadFile

_LEAST_PICTURES = 40


def calibrate(
    name: str,
    members: Sequence[Contestant],
    heads: HeadFile,
    dataset: Dataset,
    choice: TargetChoice,
    state: Path,
    stream: TextIO,
    threads: int = 1,
) -> tuple[Calibration, Figures]:
    """Fit a calibration on all pictures, and judge one that was fitted on half on the other half.

    Args:
        name: of the calibration.
        members: of the family, cheapest first.
        heads: of that family.
        dataset: annotated pictures that neither members nor heads learned from.
        choice: which targets.
        state: folder of the observations, from which an interrupted run goes on.
        stream: where progress is told.
        threads: processes that observe.

    Returns:
        The calibration, and by member the figures of `judging.MEASURES`.

    Raises:
        ConfigurationError: too few pictures, or the state of another run.
        NonFiniteOutput: a member answered with NaN or infinity.
    """
    names = [member.manifest.name for member in members]
    require_pictures(dataset, choice)
    with tell_counts("pictures", stream) as tell:
        store = collect(
            state, dataset, members, choice, ObservationPlan(next_clicks=True),
            workers=threads, progress=tell,
        )  # fmt: skip
    masks = masks_of_members(store.read(), heads.heads, names)
    _require(_num_pictures(masks[names[0]]))
    own = heads.heads.info.models
    figures = {}
    for member in names:
        pictures = np.unique(masks[member].picture)
        halves = np.array_split(np.random.default_rng(choice.seed).permutation(pictures), 2)
        half = fit_member(own[member], masks[member].of_pictures(halves[0]), choice.seed)
        figures[member] = judge_member(half, masks[member].of_pictures(halves[1]), choice.seed)
    return fit_calibration(name, members, heads, dataset.name, masks, choice.seed), figures


def fit_calibration(
    name: str,
    members: Sequence[Contestant],
    heads: HeadFile,
    dataset: str,
    masks: Mapping[str, ScoredMasks],
    seed: int,
) -> Calibration:
    """Fit a calibration on all pictures.

    Args:
        name: of the calibration.
        members: of the family, cheapest first.
        heads: of that family.
        dataset: name of the data set that the masks are of.
        masks: of every member.
        seed: of the halves.

    Raises:
        ConfigurationError: too few pictures.
    """
    names = [member.manifest.name for member in members]
    _require(_num_pictures(masks[names[0]]))
    own = heads.heads.info.models
    return Calibration(
        name=name,
        dataset=dataset,
        level=LEVEL,
        heads_sha256=heads.sha256,
        trained_on={member.manifest.name: member.sha256 for member in members},
        members={m: fit_member(own[m], masks[m], seed) for m in names},
    )


def require_pictures(dataset: Dataset, choice: TargetChoice) -> None:
    """Refuse a choice of too few pictures before they are asked; frames of a video are one.

    Raises:
        ConfigurationError: there are too few.
    """
    _require(len(set(PictureDeck(dataset, choice).origins())))


def _require(number: int) -> None:
    if number < _LEAST_PICTURES:
        raise ConfigurationError(
            f"{number} pictures with a usable mask are too few to calibrate on; at least "
            f"{_LEAST_PICTURES} are needed"
        )


def _num_pictures(masks: ScoredMasks) -> int:
    return len(np.unique(masks.picture))
