"""Which data set a user means by one word on the command line."""

import re
from pathlib import Path

from suresam.datasets.coco import open_coco
from suresam.datasets.dataset import Dataset
from suresam.datasets.frames import Frames
from suresam.datasets.label_maps import IMAGES, SEGMENTS, is_label_maps, open_label_maps
from suresam.datasets.layouts import TITLES, recognise
from suresam.errors import ConfigurationError

_SCENES = re.compile(r"scenes(?::(?P<number>.*))?")
_MOST = 10**6
_KNOWN = f"{', '.join(TITLES[:-1])} or {TITLES[-1]}"


def open_dataset(text: str, images: Path | None = None, *, seeds: range | None = None) -> Dataset:
    """Open a data set by name or path.

    Args:
        text: one of

            - `scenes` or `scenes:N` for N procedural scenes,
            - a folder with `images/` and `segments/`,
            - a COCO `.json` file,
            - `DIR:SPLIT` for a split of ADE20K, DAVIS 2017, MOSE or SA-V in a folder as it was
              published: `ADEChallengeData2016:validation`, `DAVIS:val` (`DAVIS:480p/val` where
              both resolutions are there), `MOSE:train`, `SA-V:sav_val`. `:SPLIT` can be left out
              where there is one, and a split that is a folder can be named itself
              (`MOSE/valid`, `SA-V/sav_val`, `SA-V/sav_train/sav_000`),
            - `DIR:SPLIT:N` or `DIR:N` for N frames at most of every video, evenly spread, instead
              of all that are annotated.
        images: folder of the pictures of a COCO file, if it is not the file's own.
        seeds: of scenes; those that figures are published of, unless told otherwise.

    Raises:
        ConfigurationError: there is no such data set, or nothing in it.
    """
    scenes = _SCENES.fullmatch(text)
    path = Path(text)
    is_coco = scenes is None and path.suffix.lower() == ".json" and not path.is_dir()
    if images is not None and not is_coco:
        raise ConfigurationError(f"--images belongs to a COCO .json file, not to {text}")
    if images is not None and not images.is_dir():
        raise ConfigurationError(f"--images {images} is no folder")
    if scenes is not None:
        return _scenes(scenes["number"], seeds)
    if is_coco:
        return open_coco(path, images)
    if path.is_dir():
        return _folder(path)
    return _split(text)


def _scenes(number: str | None, seeds: range | None) -> Dataset:
    # Scenes need SciPy, which a user's own pictures do not.
    from suresam.datasets.procedural import NUM_SCENES, SCENE_SIZE, Scenes
    from suresam.scenes.scene import TEST_SEEDS

    seeds = TEST_SEEDS if seeds is None else seeds
    if number is None:
        return Scenes(NUM_SCENES, SCENE_SIZE, seeds)
    return Scenes(_count(number, f"scenes:{number}"), SCENE_SIZE, seeds)


def _count(number: str, text: str) -> int:
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= _MOST):
        raise ConfigurationError(f"{text}: N must be a whole number from 1 to {_MOST}")
    return int(number)


def _folder(path: Path) -> Dataset:
    if is_label_maps(path):
        return open_label_maps(path)
    if collection := recognise(path):
        return collection.open(None)
    inner = [str(child) for child in sorted(path.iterdir()) if is_label_maps(child)]
    if inner:
        raise ConfigurationError(f"{path} holds several data sets; choose {' or '.join(inner)}")
    raise ConfigurationError(
        f"{path} is no data set: it has no folders {IMAGES}/ and {SEGMENTS}/, and is not laid out "
        f"as {_KNOWN}{_remedy(path)}"
    )


def _remedy(path: Path) -> str:
    found = sorted(str(file) for file in path.glob("*.json"))
    for child in sorted(path.iterdir()):
        if child.is_dir() and (collection := recognise(child)):
            found.append(collection.choices)
    return f"; is it {' or '.join(found)} that you mean?" if found else ""


def _split(text: str) -> Dataset:
    """Open `DIR:SPLIT`, `DIR:SPLIT:N` or `DIR:N`."""
    place, colon, number = text.rpartition(":")
    has_number = bool(colon) and re.fullmatch(r"-?\d+", number) is not None
    most = _count(number, text) if has_number else None
    name = place if has_number else text
    split = None
    if not Path(name).is_dir():
        name, _, split = name.rpartition(":")
    folder = Path(name)
    if not name or not folder.is_dir():
        raise ConfigurationError(_missing(text))
    collection = recognise(folder)
    if collection is None:
        raise ConfigurationError(
            f"no data set {text}: {folder} has no splits or videos, it is not laid out as {_KNOWN}"
        )
    dataset = collection.open(split)
    if most is None:
        return dataset
    if not isinstance(dataset, Frames):
        raise ConfigurationError(
            f"{text}: N frames can be taken of videos, and {collection.title} has pictures"
        )
    return dataset.thinned(most)


def _missing(text: str) -> str:
    message = (
        f"no data set {text}: it is neither `scenes[:N]`, a folder with {IMAGES}/ and {SEGMENTS}/, "
        f"a COCO .json file, nor `DIR:SPLIT[:N]` with the folder of {_KNOWN}"
    )
    # A split that has no folder is easily written as if it had one.
    parent = Path(text).parent
    if parent.is_dir() and (collection := recognise(parent)):
        message += f"; is it {collection.choices} that you mean?"
    return message
