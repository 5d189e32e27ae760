"""Whether two choices of pictures have one in common, under whatever name."""

from collections.abc import Callable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Dataset
from suresam.datasets.procedural import Scenes
from suresam.errors import ConfigurationError
from suresam.evaluation.targets import PictureDeck, TargetChoice


def refuse_shared_pictures(
    fitted: Dataset,
    fitted_choice: TargetChoice,
    judged: Dataset,
    judged_choice: TargetChoice,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """See to it that nothing is judged on what it is fitted on.

    Pictures are compared pixel by pixel, as equal ids may name different pictures and the same
    picture may have two. One that was scaled or compressed again is not recognised.

    Args:
        fitted, fitted_choice: pictures that something is fitted on.
        judged, judged_choice: pictures that it is judged on.
        progress: called with the number of pictures compared and of all.

    Raises:
        ConfigurationError: it is one data set, a picture is in both, or one cannot be read.
    """
    if fitted == judged:
        raise ConfigurationError(
            f"{fitted.name} is also the data set that is judged: nothing can be judged on the "
            f"pictures that it is fitted on"
        )
    if isinstance(fitted, Scenes) and isinstance(judged, Scenes):  # drawing them would take long
        same = sorted(set(fitted.image_ids) & set(judged.image_ids))
        if same:
            raise _shared(fitted.name, judged.name, f"scene {same[0]}")
        return
    decks = [PictureDeck(fitted, fitted_choice), PictureDeck(judged, judged_choice)]
    total, done = sum(map(len, decks)), 0
    known: dict[str, str] = {}
    for is_judged, deck in enumerate(decks):
        for number in range(len(deck)):
            picture = deck.draw(number)
            if picture is not None:
                digest = _digest(picture.image)
                if not is_judged:
                    known[digest] = picture.image_id
                elif digest in known:
                    what = f"{known[digest]} is {picture.image_id}"
                    raise _shared(fitted.name, judged.name, what)
            done += 1
            progress(done, total)


def _digest(image: NDArray[np.uint8]) -> str:
    return sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()


def _shared(fitted: str, judged: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{fitted} and {judged} share pictures ({what}): nothing can be judged on the pictures "
        f"that it is fitted on"
    )
