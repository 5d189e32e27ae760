"""Measuring pictures one by one, spread over processes."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import torch

from suresam.datasets import Dataset
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.measuring import PictureScores, measure_picture
from suresam.evaluation.targets import PictureDeck, TargetChoice, no_target
from suresam.processes import map_in_processes


def measure_pictures(
    dataset: Dataset,
    contestants: Sequence[Contestant],
    choice: TargetChoice,
    *,
    workers: int | None,
    with_baselines: bool,
    grabcut_share: float,
) -> Iterator[PictureScores]:
    """What everybody scores on each picture of a choice, in its order.

    Args:
        dataset, contestants, choice: see `run.evaluate`.
        workers: processes of one thread each; their number changes nothing but the time. None
            works in this one with all its threads.
        with_baselines, grabcut_share: as `measure_picture` takes them.

    Raises:
        ConfigurationError: no picture has a target of the wanted size, or one cannot be read.
        NonFiniteOutput: a model answered with NaN or infinity.
    """
    deck = PictureDeck(dataset, choice)
    how = {
        "with_baselines": with_baselines,
        "grabcut_share": grabcut_share,
        "seed": choice.seed,
    }
    found, wanted = 0, choice.num_targets
    threads = torch.get_num_threads()
    try:
        arguments = (deck, contestants, how, None if workers is None else 1)
        made = map_in_processes(_measure_one, range(len(deck)), workers or 1, _prepare, arguments)
        with closing(made) as finished:
            for scores in finished:
                if scores is None:
                    continue
                kept = scores if wanted is None else scores.first(wanted - found)
                found += len(kept.targets)
                yield kept
                if found == wanted:
                    break
    finally:
        torch.set_num_threads(threads)
    if not found:
        raise no_target(dataset, choice)


_here: dict[str, Any] = {}
"""What this process works on; set before its first picture."""


def _prepare(
    deck: PictureDeck, contestants: Sequence[Contestant], how: dict[str, Any], threads: int | None
) -> None:
    if threads is not None:
        torch.set_num_threads(threads)  # the sums of more come out otherwise, in the last digits
    _here.update(deck=deck, how=how)
    _here["predictors"] = [contestant.predictor for contestant in contestants]


def _measure_one(number: int) -> PictureScores | None:
    picture = _here["deck"].draw(number)
    return (
        None if picture is None else measure_picture(_here["predictors"], picture, **_here["how"])
    )
