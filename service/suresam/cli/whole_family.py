"""What commands share that ask every member of a family."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.errors import ConfigurationError
from suresam.settings import read_settings

if TYPE_CHECKING:  # torch comes with these
    from suresam.evaluation.contestants import Contestant
    from suresam.segmentation.manifests import Family


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


def check_threads(args: argparse.Namespace) -> None:
    """Refuse a number of `--threads` that cannot be followed."""
    if args.threads < 1:
        raise ConfigurationError(f"--threads={args.threads} must be at least 1")
