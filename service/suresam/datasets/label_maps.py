"""A folder of pictures with label maps, as BSDS500 is laid out here."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from suresam.datasets.dataset import Example
from suresam.datasets.lazy_masks import LazyMasks
from suresam.datasets.listing import two_part_name
from suresam.datasets.pictures import SUFFIXES, read_picture
from suresam.errors import ConfigurationError
from suresam.segmentation.images import UNREADABLE

IMAGES, SEGMENTS = "images", "segments"
"""The two folders of such a data set."""

UNLABELLED = 0
"""Pixels of this label belong to no mask. BSDS500 labels every pixel, from 1 on."""

_ANNOTATOR = re.compile(r"(?P<image>.+)_\d+")
_ONE_CHANNEL = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True, slots=True)
class LabelMaps:
    """Pictures `images/ID.jpg` (or .png, ...) with maps `segments/ID.png` or `segments/ID_K.png`.

    A map is a PNG of one channel, 8 or 16 bits or a palette, of the picture's size as displayed.
    The pixels of one label are one mask; 0 is unlabelled. Every annotator K is an example of
    its own, all with the image id of their picture.

    Attributes:
        name: what reports call them, such as "bsds500/val".
        entries: for every example the image id, the picture's file and the map's, in order.
    """

    name: str
    entries: tuple[tuple[str, Path, Path], ...]

    @property
    def image_ids(self) -> Sequence[str]:
        """The `image_id` of every example."""
        return [image_id for image_id, _, _ in self.entries]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Example:
        """Read a picture and one annotator's map of it."""
        return read_labelled(*self.entries[index])


def read_labelled(image_id: str, picture: Path, segments: Path) -> Example:
    """A picture with a mask for every label of its map but 0, in the order of the labels.

    Raises:
        ConfigurationError: one of the files is missing or damaged, or their sizes differ.
    """
    image, labels = read_picture(picture), read_labels(segments)
    require_same_size(segments, labels, picture, image)
    values = np.unique(labels)
    values = values[values != UNLABELLED]
    return Example(image_id, image, LazyMasks(len(values), lambda i: labels == values[i]))


def require_same_size(
    segments: Path, labels: NDArray[np.integer], picture: Path, image: NDArray[np.uint8]
) -> None:
    """Check that a map covers its picture as displayed.

    Raises:
        ConfigurationError: it does not; the message names both files and sizes.
    """
    if labels.shape != image.shape[:2]:
        raise ConfigurationError(
            f"{segments} is {labels.shape[1]} x {labels.shape[0]} pixels, "
            f"{picture} as displayed {image.shape[1]} x {image.shape[0]}"
        )


def read_labels(path: Path) -> NDArray[np.integer]:
    """The label of every pixel, (H, W), in the file's own dtype.

    A palette gives its indices, not its colours; one bit a pixel gives uint8.

    Raises:
        ConfigurationError: missing, damaged, or with several channels.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in _ONE_CHANNEL:
                raise ConfigurationError(
                    f"{path} has {len(image.getbands())} channels ({image.mode}); a label map "
                    f"has one, of 8 or 16 bits"
                )
            labels: NDArray[np.integer] = np.asarray(image)
            return labels.astype(np.uint8) if image.mode == "1" else labels
    except UNREADABLE as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error


def is_label_maps(folder: Path) -> bool:
    """Whether a folder has both of the folders that such a data set needs."""
    return (folder / IMAGES).is_dir() and (folder / SEGMENTS).is_dir()


def open_label_maps(folder: Path) -> LabelMaps:
    """List a folder's examples, sorted by picture and annotator.

    Pictures without a map are left out.

    Raises:
        ConfigurationError: a map has no picture, two pictures share an id, or there is no map.
    """
    pictures = _pictures(folder / IMAGES)
    maps: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in sorted((folder / SEGMENTS).iterdir()):
        if path.suffix.lower() != ".png":
            continue
        image_id, annotator = _owner(path.stem, pictures)
        if image_id is None:
            raise ConfigurationError(
                f"{path} has no picture: there is no {folder / IMAGES / path.stem}.jpg or .png "
                f"(or other format), nor one without the annotator's number"
            )
        maps[image_id].append((annotator, path))
    if not maps:
        raise ConfigurationError(
            f"{folder} has no masks: {folder / SEGMENTS} needs ID.png or ID_K.png"
        )
    return LabelMaps(
        two_part_name(folder),
        tuple(
            (image_id, pictures[image_id], path)
            for image_id in sorted(maps)
            for _, path in sorted(maps[image_id])
        ),
    )


def _pictures(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in found:
            raise ConfigurationError(f"{found[path.stem]} and {path} have the same id")
        found[path.stem] = path
    return found


def _owner(stem: str, pictures: Iterable[str]) -> tuple[str | None, int]:
    """The picture that a map belongs to, if any, and the annotator's number."""
    if stem in pictures:  # before the number is taken off: a picture's own id may end in one
        return stem, -1
    match = _ANNOTATOR.fullmatch(stem)
    if match and match["image"] in pictures:
        return match["image"], int(stem[len(match["image"]) + 1 :])
    return None, -1
