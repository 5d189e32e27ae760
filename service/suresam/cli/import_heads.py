"""`suresam models import-heads`: keep a copy of published uncertainty heads as one file."""

import argparse
from pathlib import Path

from suresam.errors import ConfigurationError

PREFIX = "usam-"
"""Begins the names of head sets; the manifests of SAM 2 and 2.1 name them so."""


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    common: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Register the command; the caller says how it is run."""
    parser = commands.add_parser(
        "import-heads",
        parents=[common],
        help="store published UncertainSAM heads for a SAM 2 family",
        description="Read UncertainSAM's nine heads (one folder each, <head>/model.pth) and store "
        "them as one safetensors file, which `suresam serve` finds by itself. The published heads "
        "state no licence; ask their authors before you pass them on.",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="with one folder for each head, as published"
    )
    parser.add_argument(
        "--family",
        metavar="FAMILY",
        help="sam2.0 or sam2.1; default: the name of FOLDER, which upstream calls so",
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Store the heads and say where.

    Raises:
        ConfigurationError: heads are missing, unknown or damaged, or the file cannot be written.
    """
    # They bring torch along.
    from suresam.segmentation.model_folders import downloads_folder
    from suresam.uncertainty.heads import save_heads
    from suresam.uncertainty.member_heads import head_file
    from suresam.uncertainty.published_heads import PUBLISHED_FAMILIES, read_published_heads

    if not args.folder.is_dir():
        raise ConfigurationError(f"no folder {args.folder}")
    family = args.family or args.folder.resolve().name
    if family not in PUBLISHED_FAMILIES:
        raise ConfigurationError(
            f"heads for which family? --family is {' or '.join(PUBLISHED_FAMILIES)}, "
            f"and {family!r} is neither"
        )
    named = args.folder.resolve().name
    if named in PUBLISHED_FAMILIES and named != family:
        raise ConfigurationError(f"{args.folder} is named for {named}, and --family is {family}")
    heads = read_published_heads(args.folder, family)
    target = (args.models_dir or downloads_folder()) / head_file(f"{PREFIX}{family}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_heads(heads, target)
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
    print(f"{len(heads.info.names)} heads for {', '.join(heads.info.models)}: {target}")
    return 0
