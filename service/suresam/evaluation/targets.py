"""Which masks of a data set are asked for: the same ones for a seed, whoever asks."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suresam.datasets import Dataset, Example, Mask, origins
from suresam.datasets.procedural import Scenes
from suresam.errors import ConfigurationError

PER_IMAGE, SCENE_PER_IMAGE = 5, 2
"""Targets of an image, where nobody says otherwise."""

MIN_SHARE = 0.01
"""Smallest target, likewise, as a share of its picture."""


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """How targets are drawn.

    Attributes:
        per_image: most targets of one image, over all its annotators.
        min_share, max_share: of the picture's pixels that a target covers.
        prefers_large: draw by the root of the area, as scenes do, which mark every small part;
            otherwise all targets alike.
        num_targets: stop after so many in all; None for no end.
        num_images: most images.
        seed: of the order of the images and of the draw in each.
    """

    per_image: int = PER_IMAGE
    min_share: float = MIN_SHARE
    max_share: float = 0.95
    prefers_large: bool = False
    num_targets: int | None = 500
    num_images: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.per_image, self.num_targets, self.num_images)
        if any(count is not None and count < 1 for count in counts):
            raise ConfigurationError("at least 1 target an image, 1 target and 1 image are needed")
        if not 0 <= self.min_share < self.max_share <= 1:
            raise ConfigurationError(
                f"the smallest share of the picture {self.min_share:g} must lie in "
                f"[0, {self.max_share:g})"
            )


def usual_choice(
    dataset: Dataset,
    *,
    per_image: int | None = None,
    min_share: float | None = None,
    num_targets: int | None = 500,
    num_images: int | None = None,
    seed: int = 0,
) -> TargetChoice:
    """How targets of a data set are drawn in published figures; None stands for what is usual.

    From scenes 2 an image, large ones more often, as they mark every small part; from other
    pictures 5 an image, all alike. None covers less than 1 % of its picture.
    """
    is_scenes = isinstance(dataset, Scenes)
    return TargetChoice(
        per_image=(SCENE_PER_IMAGE if is_scenes else PER_IMAGE) if per_image is None else per_image,
        min_share=MIN_SHARE if min_share is None else min_share,
        prefers_large=is_scenes,
        num_targets=num_targets,
        num_images=num_images,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One mask that is asked for.

    Attributes:
        example, index: where the data set holds it: `dataset[example].masks[index]`.
        truth: (H, W) bool.
    """

    example: int
    index: int
    truth: Mask

    @property
    def share(self) -> float:
        """Part of the picture that it covers, (0, 1]."""
        return float(self.truth.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image and what is asked for in it, at least one target.

    Attributes:
        image_id: as the data set names it.
        image: (H, W, 3) uint8 RGB.
        targets: in the data set's order.
        origin: as `datasets.origins` tells it; None for the picture itself.
    """

    image_id: str
    image: NDArray[np.uint8]
    targets: tuple[Target, ...]
    origin: str | None = None


def chosen_pictures(dataset: Dataset, choice: TargetChoice) -> Iterator[Picture]:
    """Draw targets, image by image in an order drawn by the seed.

    An image's draw depends on its id and the seed alone. Images without a target of the wanted
    size are passed over.

    Raises:
        ConfigurationError: no image has a target of the wanted size, or one cannot be read.
    """
    deck = PictureDeck(dataset, choice)
    wanted = choice.num_targets
    found = 0
    for number in range(len(deck)):
        if wanted is not None and found >= wanted:
            break
        picture = deck.draw(number)
        if picture is not None:
            left = None if wanted is None else wanted - found
            found += len(picture.targets[:left])
            yield replace(picture, targets=picture.targets[:left])
    if not found:
        raise no_target(dataset, choice)


def no_target(dataset: Dataset, choice: TargetChoice) -> ConfigurationError:
    """What to raise where no picture has a target of the wanted size."""
    return ConfigurationError(
        f"{dataset.name}: no mask covers {choice.min_share:.2%} to {choice.max_share:.0%} of its "
        f"picture"
    )


class PictureDeck:
    """The pictures of a data set in the order that a choice draws, each to be had by its number.

    Args:
        dataset: annotated pictures.
        choice: which targets; its `num_targets` is left to the caller.
    """

    def __init__(self, dataset: Dataset, choice: TargetChoice) -> None:
        self._dataset, self._choice = dataset, choice
        self._examples: dict[str, list[int]] = {}
        for index, image_id in enumerate(dataset.image_ids):
            self._examples.setdefault(image_id, []).append(index)
        order = np.random.default_rng(choice.seed).permutation(sorted(self._examples))
        self._order = [str(image_id) for image_id in order[: choice.num_images]]
        self._origins = origins(dataset)

    def __len__(self) -> int:
        return len(self._order)

    def origins(self) -> list[str]:
        """Of every picture, as `datasets.origins` tells it."""
        return [self._origins[image_id] for image_id in self._order]

    def draw(self, number: int) -> Picture | None:
        """One picture with its targets; None if it has none of the wanted size.

        Args:
            number: its place in the order.

        Raises:
            ConfigurationError: the picture cannot be read.
        """
        image_id = self._order[number]
        picture = _draw(self._dataset, image_id, self._examples[image_id], self._choice)
        return None if picture is None else replace(picture, origin=self._origins[image_id])


def _draw(
    dataset: Dataset, image_id: str, examples: list[int], choice: TargetChoice
) -> Picture | None:
    read: dict[int, Example] = {number: dataset[number] for number in examples}
    usable = [
        (number, index, share)
        for number, example in read.items()
        for index in range(len(example.masks))
        if choice.min_share <= (share := float(example.masks[index].mean())) <= choice.max_share
    ]
    if not usable:
        return None
    rng = np.random.default_rng([choice.seed, zlib.crc32(image_id.encode())])
    weight = np.array([share**0.5 if choice.prefers_large else 1.0 for *_, share in usable])
    count = min(choice.per_image, len(usable))
    drawn = rng.choice(len(usable), count, replace=False, p=weight / weight.sum())
    places = [usable[i][:2] for i in sorted(drawn.tolist())]
    targets = tuple(Target(number, index, read[number].masks[index]) for number, index in places)
    return Picture(image_id, read[examples[0]].image, targets)
