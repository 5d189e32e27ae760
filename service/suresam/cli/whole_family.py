"""What commands share that ask every member of a family."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.errors import ConfigurationError
from suresam.settings import read_settings

if TYPE_CHECKING:  # torch comes with these
    from suresam.evaluation.contestants import Contestant
    from suresam.segmentation.manifests import Family
    from suresam.uncertainty.head_reading import HeadReading
    from suresam.uncertainty.member_heads import HeadFile


def chosen_models_dir(args: argparse.Namespace) -> Path | None:
    """The folder of `--models-dir`, or else that of the settings."""
    folder = args.models_dir or read_settings({}).models_dir
    return None if folder is None else Path(folder)


def all_members(
    args: argparse.Namespace, family: "Family", models_dir: Path | None
) -> "list[Contestant]":
    """The members of the family of `--models` on `--device`, cheapest first.

    Raises:
        ConfigurationError: no such device; weights are missing or damaged.
    """
    from suresam.evaluation.contestants import family_contestants
    from suresam.segmentation.sam2 import choose_device

    names = [member.name for member in family.members]
    return family_contestants(args.models, names, choose_device(args.device), models_dir)


def family_heads(
    family: "Family", models_dir: Path | None, calibration: str | None
) -> "tuple[HeadFile | None, list[HeadReading]]":
    """The heads that all members share, and how each reads them; None where they share none.

    Args:
        family: whose manifests name them.
        models_dir: the user's folder, or None.
        calibration: name of one to follow instead of the manifests'.

    Raises:
        CheckpointError: a file is damaged, or belongs to something else.
    """
    from suresam.uncertainty.member_heads import load_member_heads

    found = [
        load_member_heads(member, family, "cpu", models_dir, calibration)
        for member in family.members
    ]
    own = [heads for heads in found if heads is not None]
    if len(own) < len(found) or len({heads.sha256 for heads in own}) > 1:
        return None, []
    return own[0], [heads.reading for heads in own]


def check_threads(args: argparse.Namespace) -> None:
    """Refuse a number of `--threads` that cannot be followed."""
    if args.threads < 1:
        raise ConfigurationError(f"--threads={args.threads} must be at least 1")
