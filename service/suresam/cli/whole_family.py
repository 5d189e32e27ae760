"""What commands share that ask every member of a family."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.errors import ConfigurationError
from suresam.settings import read_settings

if TYPE_CHECKING:  # torch comes with these
    from suresam.datasets import Dataset
    from suresam.evaluation.contestants import Contestant
    from suresam.evaluation.targets import TargetChoice
    from suresam.segmentation.manifests import Family
    from suresam.uncertainty.head_reading import HeadReading
    from suresam.uncertainty.member_heads import HeadFile


DATASET = "a data set as `suresam evaluate segmenter --help` lists them"


def add_observing(parser: argparse.ArgumentParser, scenes: int, drawn: str = "") -> None:
    """What every command takes that asks a family about annotated pictures.

    Args:
        parser: of the command.
        scenes: number of scenes that "scenes" alone stands for.
        drawn: what is to be said of them beside their number.
    """
    add = parser.add_argument
    add("dataset", metavar="DATASET", help=f"scenes:N{drawn} (default {scenes}), or {DATASET}")
    add("--images", type=Path, metavar="DIR", help="where the pictures of a COCO file are")
    add("--models", default="demo", metavar="FAMILY", help="model family (default: demo)")
    add("--models-dir", type=Path, metavar="DIR",
        help="your own folder of manifests, weights, heads and calibrations (default: "
        "SURESAM_MODELS_DIR)")  # fmt: skip
    add("--limit", type=int, metavar="N", help="most pictures of a data set (default: all)")
    add("--per-image", type=int, metavar="N",
        help="most targets of a picture (default: 2 for scenes, else 5)")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N",
        help="of the choice of targets, prompts, halves and intervals (default: 0)")  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where models run (default: auto)")  # fmt: skip
    add("--threads", type=int, default=1, metavar="N",
        help="CPU cores to use, each by one process (default 1)")  # fmt: skip


def add_evaluation(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    *,
    summary: str,
    description: str,
    scenes: int,
) -> argparse.ArgumentParser:
    """A command that judges what a family says of its masks, and writes a report.

    Args:
        kinds: of `suresam evaluate`.
        name, summary, description: of the command.
        scenes: number of scenes that "scenes" alone stands for.
    """
    parser = kinds.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_observing(parser, scenes)
    add = parser.add_argument
    add("--out", type=Path, metavar="DIR", required=True, help="write the report there")
    add("--calibration", metavar="NAME",
        help="calibration to judge (default: that of the family's manifests)")  # fmt: skip
    return parser


def chosen_pictures(
    args: argparse.Namespace, text: str, images: Path | None, scenes: int, seeds: range | None
) -> "tuple[Dataset, TargetChoice]":
    """A data set and which of its targets, by the arguments of `add_observing`.

    Args:
        args: of the command line.
        text: the data set's name.
        images: where the pictures of a COCO file are.
        scenes: number of scenes that "scenes" alone stands for.
        seeds: of scenes; None for those that figures are published of.
    """
    from suresam.datasets import open_dataset
    from suresam.evaluation.targets import usual_choice

    dataset = open_dataset(f"scenes:{scenes}" if text == "scenes" else text, images, seeds=seeds)
    return dataset, usual_choice(
        dataset, per_image=args.per_image, num_targets=None, num_images=args.limit, seed=args.seed
    )


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
