"""Annotated frames of videos, each an example of its own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from suresam.datasets.dataset import Example
from suresam.datasets.label_maps import read_labelled
from suresam.datasets.listing import MASK, PICTURE, mapped_pictures
from suresam.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Frames:
    """Every annotated frame of some videos.

    Frames are pictures of their own, so each has its own image id. Those of one video are no
    independent sample, though: `origins.origins` tells who resamples or holds out pictures.

    Attributes:
        name: what reports call them, such as "MOSE/valid".
        image_ids: VIDEO/FRAME, the frames of a video together and in their order.
        read: gives the example of an image id. It can be pickled.
    """

    name: str
    image_ids: tuple[str, ...]
    read: Callable[[str], Example]

    @property
    def videos(self) -> Sequence[str]:
        """The video of every frame."""
        return [_video(image_id) for image_id in self.image_ids]

    def thinned(self, most: int) -> "Frames":
        """The same videos with fewer frames.

        Args:
            most: frames of a video, at least 1. They are spread evenly: each is the middle one of
                its part of the video.
        """
        kept: list[str] = []
        for _, group in groupby(self.image_ids, _video):
            frames = list(group)
            count = min(most, len(frames))
            kept += [frames[(2 * k + 1) * len(frames) // (2 * count)] for k in range(count)]
        return replace(self, name=f"{self.name}:{most}", image_ids=tuple(kept))

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Example:
        """Read one frame and its masks."""
        return self.read(self.image_ids[index])


def _video(image_id: str) -> str:
    return image_id.rpartition("/")[0]


def open_label_map_frames(
    name: str, pictures: Path, maps: Path, videos: Iterable[str], source: Path
) -> Frames:
    """List frames `VIDEO/FRAME.jpg` with label maps `VIDEO/FRAME.png`, in the order of the videos.

    Args:
        name: what reports call them.
        pictures, maps: the folders of the videos' folders.
        videos: their names.
        source: what to blame if there is nothing.

    Raises:
        ConfigurationError: a folder is missing, a map has no frame, or there is no map.
    """
    image_ids = tuple(
        f"{video}/{frame}"
        for video in videos
        for frame in mapped_pictures(pictures / video, maps / video)
    )
    if not image_ids:
        raise ConfigurationError(f"{source} has no masks: there is no VIDEO/FRAME{MASK} in {maps}")
    return Frames(name, image_ids, partial(_read_label_map_frame, pictures, maps))


def _read_label_map_frame(pictures: Path, maps: Path, image_id: str) -> Example:
    return read_labelled(image_id, pictures / f"{image_id}{PICTURE}", maps / f"{image_id}{MASK}")
