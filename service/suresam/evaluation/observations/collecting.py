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
from suresam.evaluation.targets import PictureDeck, TargetChoice
from suresam.processes import map_in_processes


def collect(
    folder: Path,
    dataset: Dataset,
    members: Sequence[Contestant],
    choice: TargetChoice,
    *,
    prompts: Sequence[str] = PROMPTS,
    next_clicks: bool = False,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ObservationStore:
    """Ask all members about all pictures of a choice, or go on where somebody stopped.

    Args:
        folder: of the store. What is in it is kept: pictures and annotations that have changed
            under their old names are not asked again.
        dataset: annotated pictures.
        members: of one family, cheapest first.
        choice: which targets; of pictures without limit, `num_targets` has no meaning here.
        prompts: those of `plan.PROMPTS` that every target gets.
        next_clicks: whether to try what one more click adds, which takes half as long again.
        workers: processes of one thread each; their number changes nothing but the time.
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
            "prompts": list(prompts),
            "next_clicks": next_clicks,
            "members": [[m.manifest.name, m.sha256, asdict(m.manifest.box)] for m in members],
        },
        len(deck),
        choice.per_image * len(prompts),
        len(members),
        members[0].manifest.architecture.d_model,
        deck.origins(),
    )
    waiting = store.waiting()
    done = len(deck) - len(waiting)
    if waiting:
        progress(done, len(deck))
    arguments = (store, deck, members, choice.seed, tuple(prompts), next_clicks)
    threads = torch.get_num_threads()
    try:
        made = map_in_processes(_observe_one, waiting, workers, _prepare, arguments)
        with closing(made) as finished:
            for _ in finished:
                done += 1
                progress(done, len(deck))
    finally:
        torch.set_num_threads(threads)
    if not store.num_rows():
        raise ConfigurationError(
            f"{dataset.name}: no mask covers {choice.min_share:.2%} to {choice.max_share:.0%} of "
            f"its picture"
        )
    return store


_here: dict[str, Any] = {}
"""What this process works on; set before its first picture."""


def _prepare(
    store: ObservationStore,
    deck: PictureDeck,
    members: Sequence[Contestant],
    seed: int,
    prompts: tuple[str, ...],
    next_clicks: bool,
) -> None:
    torch.set_num_threads(1)  # the sums of more come out otherwise, in the last digits
    _here.update(store=store, deck=deck, seed=seed, prompts=prompts, next_clicks=next_clicks)
    _here["members"] = [member.predictor for member in members]


def _observe_one(number: int) -> None:
    picture = _here["deck"].draw(number)
    rows = None
    if picture is not None:
        rows = observe(
            picture, _here["members"], _here["seed"], _here["prompts"], _here["next_clicks"]
        )
    _here["store"].write(number, rows)
