"""A user's own pictures as a source of pool entries, some of them held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from suresam.datasets import Dataset, Example, open_dataset, origins
from suresam.errors import ConfigurationError
from suresam.training.arrangement import MAX_LEAVES, arrange
from suresam.training.pool import PoolEntry

_SPLIT = 3
"""Sets the draw of the held-out pictures apart from the other draws of a run's seed."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureSource:
    """Examples of one data set: every annotator of a picture is an entry of its own.

    Attributes:
        path: a folder of label maps or a COCO `.json` file.
        images: folder of the pictures of a COCO file, None for the usual places.
        size: side in pixels that pictures are brought to; the aspect ratio is not kept, as
            SAM 2 does.
        indices: (N,) the examples that are taken.
        identity: what tells the data set and the choice of examples from others, for JSON.
    """

    path: Path
    images: Path | None
    size: int
    indices: NDArray[np.int64]
    identity: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def max_targets(self) -> int:
        """No more than there are leaves that somebody labelled."""
        return MAX_LEAVES - 1

    def entry(self, index: int) -> PoolEntry | None:
        """Read one example; None if no mask is large enough."""
        example = _opened(self.path, self.images)[int(self.indices[index])]
        return picture_entry(example, self.size)

    def description(self) -> dict[str, Any]:
        """Kind, data set and choice."""
        return {"kind": "pictures", **self.identity}


@lru_cache(maxsize=8)
def _opened(path: Path, images: Path | None) -> Dataset:
    # Once in every process: listing a large COCO file takes longer than reading a picture.
    return open_dataset(str(path), images)


def picture_entry(example: Example, size: int) -> PoolEntry | None:
    """One annotated picture as batches are cut from it; None if no mask is large enough.

    Args:
        example: a picture and its masks.
        size: side of the entry in pixels.
    """
    arrangement = arrange(example.masks, size)
    if len(arrangement.targets) == 0:
        return None
    # Pillow's bilinear filter widens as it reduces, which is what SAM 2's preprocessing does.
    image = Image.fromarray(example.image).resize((size, size), Image.Resampling.BILINEAR)
    return PoolEntry(
        image=np.asarray(image),
        leaves=arrangement.leaves,
        leaf_object=arrangement.leaf_object,
        targets=arrangement.targets,
        levels=arrangement.levels,
    )


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutPictures:
    """A data set of the examples that training never sees.

    Attributes:
        places: for every example a data set, the index in it, and an id of the picture that no
            other data set's pictures share.
        longest: side in pixels; larger pictures are reduced to it. None leaves them as they are.
    """

    places: tuple[tuple[Dataset, int, str], ...]
    longest: int | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "held-out pictures"

    @property
    def image_ids(self) -> Sequence[str]:
        """The picture of every example; its data set's number stands before it."""
        return [image_id for _, _, image_id in self.places]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Example:
        """Read one example."""
        dataset, place, image_id = self.places[index]
        example = replace(dataset[place], image_id=image_id)
        return example if self.longest is None else _reduced(example, self.longest)


def _reduced(example: Example, longest: int) -> Example:
    height, width = example.image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return example
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    image = cv2.resize(example.image, size, interpolation=cv2.INTER_AREA)
    masks = [
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) > 0
        for mask in example.masks
    ]
    return Example(
        example.image_id, np.asarray(image, np.uint8), [mask for mask in masks if mask.any()]
    )


@dataclass(frozen=True, slots=True)
class UserData:
    """The data sets of a run, every picture either for training or held out.

    Attributes:
        sources: what is trained on, one for every data set.
        held_out: the examples of the other pictures, the pictures in random order.
    """

    sources: tuple[PictureSource, ...]
    held_out: HeldOutPictures


def open_user_data(
    paths: Sequence[Path], images: Path | None, size: int, hold_out: float, seed: int
) -> UserData:
    """Open a user's data sets and hold some of their pictures out.

    All annotations that a data set has of a picture go the same way, and all frames of a video.
    Two data sets over the same photographs are split apart from each other: join them first.

    Args:
        paths: different data sets other than scenes, as `open_dataset` takes them.
        images: folder of the pictures of the COCO file, of which there must then be one.
        size: side in pixels of the entries.
        hold_out: share of the pictures of each data set, in [0, 1); unless it is 0 at least one
            of two pictures is held out.
        seed: with it the same pictures are held out again.

    Raises:
        ConfigurationError: a path is no data set, or an argument is out of its range.
    """
    if not 0 <= hold_out < 1:
        raise ConfigurationError(f"--hold-out must be at least 0 and below 1, got {hold_out:g}")
    if images is not None and sum(path.suffix.lower() == ".json" for path in paths) != 1:
        raise ConfigurationError("--images needs exactly one COCO .json file among --data")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigurationError(f"--data names one place twice: {', '.join(map(str, paths))}")
    sources: list[PictureSource] = []
    places: list[tuple[Dataset, int, str]] = []
    for number, path in enumerate(paths):
        if not path.exists() and (":" not in path.name or path.name.startswith("scenes:")):
            # Scenes have names of their own there, and those are the ones that figures come from.
            raise ConfigurationError(
                f"no data at {path}: --data takes a folder, a split of one as DIR:SPLIT, or a "
                f".json file"
            )
        folder = images if path.suffix.lower() == ".json" else None
        dataset = open_dataset(str(path.resolve()), folder)
        ids = list(dataset.image_ids)
        rng = np.random.default_rng([seed, _SPLIT, number])
        chosen = _held_out_ids(origins(dataset), hold_out, rng)
        of_image: dict[str, list[int]] = {image_id: [] for image_id in chosen}
        for index, image_id in enumerate(ids):
            if image_id in of_image:
                of_image[image_id].append(index)
        places += [(dataset, k, f"{number}/{i}") for i, found in of_image.items() for k in found]
        identity = {
            "name": dataset.name,
            "pictures": len(set(ids)),
            "held_out": len(chosen),
            "examples_sha256": sha256("\n".join(ids).encode()).hexdigest(),
            "seed": seed,
        }
        trained = np.array([k for k, image_id in enumerate(ids) if image_id not in of_image])
        sources.append(PictureSource(path.resolve(), folder, size, trained, identity))
    return UserData(tuple(sources), HeldOutPictures(tuple(places)))


def _held_out_ids(origin: Mapping[str, str], share: float, rng: np.random.Generator) -> list[str]:
    """Image ids in random order; those of one origin go together."""
    images: dict[str, list[str]] = {}
    for image_id in sorted(origin):
        images.setdefault(origin[image_id], []).append(image_id)
    known = sorted(images)
    if share == 0 or len(known) < 2:
        return []
    count = min(max(1, round(share * len(known))), len(known) - 1)
    return [image for k in rng.permutation(len(known))[:count] for image in images[known[k]]]
