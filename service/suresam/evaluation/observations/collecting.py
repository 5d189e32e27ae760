"""Filling a store of observations in parallel processes, so that it can be interrupted."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from suresam.datasets import Dataset
from suresam.evaluation.contestants import Contestant
from suresam.evaluation.observations.observing import observe
from suresam.evaluation.observations.plan import ObservationPlan
from suresam.evaluation.observations.store import ObservationStore
from suresam.evaluation.targets import PictureDeck, TargetChoice, no_target
from suresam.processes import map_in_processes


def collect(
    folder: Path,
    dataset: Dataset,
    members: Sequence[Contestant],
    choice: TargetChoice,
    plan: ObservationPlan,
    *,
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
        plan: what is asked about each.
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
            "plan": asdict(plan),
            "members": [[m.manifest.name, m.sha256, asdict(m.manifest.box)] for m in members],
        },
        len(deck),
        choice.per_image * plan.rows,
        len(members),
        members[0].manifest.architecture.d_model,
        deck.origins(),
    )
    waiting = store.waiting()
    done = len(deck) - len(waiting)
    if waiting:
        progress(done, len(deck))
    arguments = (store, deck, members, choice.seed, plan)
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
        raise no_target(dataset, choice)
    return store


_here: dict[str, Any] = {}
"""What this process works on; set before its first picture."""


def _prepare(
    store: ObservationStore,
    deck: PictureDeck,
    members: Sequence[Contestant],
    seed: int,
    plan: ObservationPlan,
) -> None:
    torch.set_num_threads(1)  # the sums of more come out otherwise, in the last digits
    _here.update(store=store, deck=deck, seed=seed, plan=plan)
    _here["members"] = [member.predictor for member in members]


def _observe_one(number: int) -> None:
    picture = _here["deck"].draw(number)
    rows = None
    if picture is not None:
        rows = observe(picture, _here["members"], _here["seed"], _here["plan"])
    _here["store"].write(number, rows)
