"""SA-V's training split: videos, and their masklets in JSON."""

from functools import partial
from pathlib import Path
from typing import Any

from suresam.datasets.dataset import Example
from suresam.datasets.frames import Frames
from suresam.datasets.json_file import read_json
from suresam.datasets.lazy_masks import rle_masks
from suresam.datasets.listing import two_part_name
from suresam.datasets.segmentations import is_empty, segmentation_rle
from suresam.datasets.video_file import read_video_frame, require_video_reader
from suresam.errors import ConfigurationError

_MASKLETS, _VIDEO = "_manual.json", ".mp4"

FRAMES_PER_ANNOTATION = 4
"""Videos have 24 frames a second, of which every fourth is annotated, from the first on."""


def is_sav_videos(folder: Path) -> bool:
    """Whether a folder, or one `sav_NNN` in it, has masklets."""
    return any(
        next(folder.glob(pattern + _MASKLETS), None) is not None for pattern in ("*", "sav_*/*")
    )


def open_sav_videos(folder: Path) -> Frames:
    """List the annotated frames of `VIDEO.mp4` with `VIDEO_manual.json`, by video.

    They lie in the folder or in `sav_NNN/` in it. The image id has the number of the frame in the
    video, such as sav_000001/00008. Automatic masklets (`VIDEO_auto.json`) are not read. Listing
    reads all JSON files, and no video.

    Raises:
        ConfigurationError: PyAV is not installed, a video is missing, JSON is not of SA-V, or
            there is no masklet.
    """
    require_video_reader(folder)
    files: dict[str, Path] = {}
    image_ids: list[str] = []
    for file in sorted([*folder.glob("*" + _MASKLETS), *folder.glob("sav_*/*" + _MASKLETS)]):
        if file.name.startswith("."):  # of an archive packed on a Mac
            continue
        video = file.name.removesuffix(_MASKLETS)
        if video in files:
            raise ConfigurationError(f"{files[video]} and {file} have the same id")
        if not _video_of(file).is_file():
            raise ConfigurationError(f"{file} has no video: there is no {_video_of(file)}")
        files[video] = file
        image_ids += [
            f"{video}/{FRAMES_PER_ANNOTATION * k:05d}" for k, m in enumerate(_masklets(file)) if m
        ]
    if not image_ids:
        raise ConfigurationError(f"{folder} has no masks: all of its *{_MASKLETS} have no masklet")
    return Frames(two_part_name(folder), tuple(image_ids), partial(_read, files))


def _video_of(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(_MASKLETS) + _VIDEO)


def _masklets(file: Path) -> list[list[Any]]:
    """For every annotated frame the run lengths of every object, as the JSON has them."""
    content = read_json(file)
    masklets = content.get("masklet") if isinstance(content, dict) else None
    if not isinstance(masklets, list) or not all(isinstance(frame, list) for frame in masklets):
        raise ConfigurationError(
            f"{file} is not of SA-V: it needs a list 'masklet' with a list for every frame"
        )
    return masklets


def _read(files: dict[str, Path], image_id: str) -> Example:
    video, _, number = image_id.rpartition("/")
    file = files[video]
    image = read_video_frame(_video_of(file), int(number))
    height, width = image.shape[:2]
    rles = []
    for thing, runs in enumerate(_masklets(file)[int(number) // FRAMES_PER_ANNOTATION]):
        place = f"{file}: object {thing} of {image_id}"
        rle = segmentation_rle(runs, height, width, place)
        if not is_empty(rle, place):  # an object may be hidden
            rles.append(rle)
    return Example(image_id, image, rle_masks(rles))
