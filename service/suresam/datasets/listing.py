"""What is in the folders of a data set, without opening a picture."""

import os
from pathlib import Path

from suresam.errors import ConfigurationError

PICTURE, MASK = ".jpg", ".png"
"""File name endings of the pictures and masks of ADE20K, DAVIS, MOSE and SA-V."""


def two_part_name(folder: Path) -> str:
    """A folder's name and its parent's, such as "bsds500/val".

    Never the root's, since reports make folders of such a name below their own.
    """
    return "/".join(folder.resolve().parts[1:][-2:])


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted.

    Raises:
        ConfigurationError: it cannot be read.
    """
    return sorted(entry.name for entry in _entries(folder) if entry.is_dir())


def stems(folder: Path, suffix: str) -> list[str]:
    """Names, without it, of the files in a folder that end in a suffix, sorted.

    Raises:
        ConfigurationError: the folder cannot be read.
    """
    return sorted(e.name.removesuffix(suffix) for e in _entries(folder) if e.name.endswith(suffix))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            # Archives packed on a Mac bring a hidden `._NAME` for every file.
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise ConfigurationError(f"cannot read {folder}: {error.strerror}") from error


def mapped_pictures(pictures: Path, maps: Path) -> list[str]:
    """Names without ending of the pictures of a folder that have a map in another, sorted.

    Raises:
        ConfigurationError: a folder cannot be read, or a map has no picture.
    """
    found = stems(maps, MASK)
    require_pictures(found, pictures, maps)
    return found


def require_pictures(names: list[str], pictures: Path, maps: Path) -> None:
    """Check that masks have pictures of their name.

    Raises:
        ConfigurationError: the pictures' folder cannot be read, or one is missing.
    """
    there = set(stems(pictures, PICTURE))
    for name in names:
        if name not in there:
            raise ConfigurationError(
                f"{maps / name}{MASK} has no picture: there is no {pictures / name}{PICTURE}"
            )


def listed_names(file: Path) -> list[str]:
    """The lines of a text file that are not blank.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is no text file: {error}") from error
    return [name for line in lines if (name := line.strip())]
