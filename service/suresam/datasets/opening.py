"""Which data set a user means by one word on the command line."""

import re
from pathlib import Path

from suresam.datasets.coco import open_coco
from suresam.datasets.dataset import Dataset
from suresam.datasets.label_maps import IMAGES, SEGMENTS, is_label_maps, open_label_maps
from suresam.errors import ConfigurationError

_SCENES = re.compile(r"scenes(?::(?P<number>.*))?")


def open_dataset(text: str, images: Path | None = None, *, seeds: range | None = None) -> Dataset:
    """Open a data set by name or path.

    Args:
        text: `scenes` or `scenes:N` for N procedural scenes, a folder with `images/` and
            `segments/`, or a COCO `.json` file.
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
    raise ConfigurationError(
        f"no data set {text}: it is neither `scenes[:N]`, a folder with {IMAGES}/ and {SEGMENTS}/, "
        f"nor a COCO .json file"
    )


def _scenes(number: str | None, seeds: range | None) -> Dataset:
    # Scenes need SciPy, which a user's own pictures do not.
    from suresam.datasets.procedural import NUM_SCENES, SCENE_SIZE, Scenes
    from suresam.scenes.scene import TEST_SEEDS

    seeds = TEST_SEEDS if seeds is None else seeds
    if number is None:
        return Scenes(NUM_SCENES, SCENE_SIZE, seeds)
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 10**6):
        raise ConfigurationError(f"scenes:{number}: N must be a whole number from 1 to 1000000")
    return Scenes(int(number), SCENE_SIZE, seeds)


def _folder(path: Path) -> Dataset:
    if is_label_maps(path):
        return open_label_maps(path)
    inner = [str(child) for child in sorted(path.iterdir()) if is_label_maps(child)]
    if inner:
        raise ConfigurationError(f"{path} holds several data sets; choose {' or '.join(inner)}")
    files = sorted(str(file) for file in path.glob("*.json"))
    remedy = f"; is it {' or '.join(files)} that you mean?" if files else ""
    raise ConfigurationError(
        f"{path} is no data set: it has no folders {IMAGES}/ and {SEGMENTS}/{remedy}"
    )
