"""Filling a store of observations in parallel processes, so that it can be interrupted."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from suresam.datasets import Dataset
from suresam.errors import ConfigurationError
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.observing import observe
from suresam.evaluation.observations.plan import PROMPTS
from suresam.evaluation.observations.store import ObservationStore
from suresam.evaluation.predictor import BackbonePredictor
from suresam.evaluation.targets import PictureDeck, TargetChoice
from suresam.processes import map_in_processes

_CHUNK = 5
"""Pictures that a process takes at a time."""


def collect(
    folder: Path,
    dataset: Dataset,
    members: Sequence[Contestant],
    choice: TargetChoice,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ObservationStore:
    """Ask all members about all pictures of a choice, or go on where somebody stopped.

    Args:
        folder: of the store.
        dataset: annotated pictures.
        members: of one family, cheapest first.
        choice: which targets; of pictures without limit, `num_targets` has no meaning here.
        workers: processes.
        progress: called with the number of pictures done and of all.

    Raises:
        ConfigurationError: the folder holds something else, a picture cannot be read, or there
            is not one usable target.
        NonFiniteOutput: a model answered with NaN or infinity.
    """
    deck = PictureDeck(dataset, choice)
    store = ObservationStore(
        folder,
        {
            "dataset": dataset.name,
            "images": sha256("\n".join(dataset.image_ids).encode()).hexdigest(),
            "choice": asdict(choice),
            "prompts": list(PROMPTS),
            "weights": {member.manifest.name: member.sha256 for member in members},
        },
        len(deck),
        choice.per_image * len(PROMPTS),
        len(members),
        members[0].manifest.architecture.d_model,
    )
    waiting = store.waiting()
    chunks = [waiting[start : start + _CHUNK] for start in range(0, len(waiting), _CHUNK)]
    done = len(deck) - len(waiting)
    if chunks:
        progress(done, len(deck))
    arguments = (store, deck, [member.predictor for member in members], choice.seed, workers)
    with closing(map_in_processes(_observe_chunk, chunks, workers, _prepare, arguments)) as counts:
        for count in counts:
            done += count
            progress(done, len(deck))
    if not store.num_rows():
        raise ConfigurationError(
            f"{dataset.name}: no mask covers {choice.min_share:.2%} to {choice.max_share:.0%} of "
            f"its picture"
        )
    return store


_here: dict[str, Any] = {}
"""What this process works on; set before its first chunk."""


def _prepare(
    store: ObservationStore,
    deck: PictureDeck,
    members: Sequence[BackbonePredictor],
    seed: int,
    workers: int,
) -> None:
    if workers > 1:
        torch.set_num_threads(1)  # the processes share the cores already
    _here.update(store=store, deck=deck, members=members, seed=seed)


def _observe_chunk(pictures: Sequence[int]) -> int:
    for number in pictures:
        picture = _here["deck"].draw(number)
        rows = None if picture is None else observe(picture, _here["members"], _here["seed"])
        _here["store"].write(number, rows)
    return len(pictures)
