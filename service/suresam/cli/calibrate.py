"""`suresam calibrate`: what a family's scores are worth in IoU, on pictures of one's own."""

import argparse
import re
import sys
from pathlib import Path

from suresam.cli.extras import needs_extra
from suresam.cli.whole_family import (
    add_observing,
    all_members,
    check_threads,
    chosen_models_dir,
    chosen_pictures,
)
from suresam.errors import ConfigurationError

_SCENES = 1000
_UNUSUAL = re.compile(r"[^\w.-]")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "calibrate",
        help="fit expected IoU and gaps to annotated pictures",
        description="Ask every member of a family about annotated pictures, and fit what their "
        "scores are worth: expected IoU with a 90 % interval, and gains from the large model, more "
        "clicks, or another mask. Use pictures like those that you serve; neither models nor heads "
        "may have learned from them. At least 40 are needed, and several hundred are better. The "
        "file goes beside the heads, and `suresam serve --calibration NAME` follows it. `suresam "
        "calibrate route` fits the gain from the large model alone, to what shadow mode recorded.",
    )
    add_observing(parser, _SCENES, " drawn for this purpose")
    add = parser.add_argument
    add("--name", metavar="NAME", help="of the calibration (default: that of the data set)")
    add("--state", type=Path, metavar="DIR",
        help="folder of observations, from which an interrupted run goes on (default "
        "runs/calibration-NAME)")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Observe, fit, judge and write."""
    from suresam.evaluation.calibration.judging import format_figures
    from suresam.evaluation.calibration.run import calibrate
    from suresam.scenes.scene import CALIBRATION_SEEDS
    from suresam.segmentation.manifests import load_family
    from suresam.segmentation.model_folders import downloads_folder
    from suresam.uncertainty.calibration import calibration_file, write_calibration
    from suresam.uncertainty.member_heads import load_family_heads

    check_threads(args)
    dataset, choice = chosen_pictures(args, args.dataset, args.images, _SCENES, CALIBRATION_SEEDS)
    name = checked_name(args.name or _UNUSUAL.sub("-", dataset.name))
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    heads = load_family_heads(family, models_dir)
    if heads is None:
        raise ConfigurationError(
            f"family {family.name} has no uncertainty heads to calibrate: train them with `suresam "
            f"train usam`, or import published ones"
        )
    members = all_members(args, family, models_dir)
    state = args.state or Path("runs") / f"calibration-{name}"
    calibration, figures = calibrate(
        name, members, heads, dataset, choice, state, sys.stderr, args.threads
    )
    target = (models_dir or downloads_folder()) / calibration_file(name)
    try:
        write_calibration(calibration, target)
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
    print("fitted on half of the pictures, on the other half (95 % intervals by picture):")
    print(format_figures(figures))
    where = "" if args.models_dir is None else f" --models-dir {args.models_dir}"
    print(
        f"wrote {target}; `suresam serve{where} --calibration {name}` follows it", file=sys.stderr
    )
    return 0


def checked_name(name: str) -> str:
    """The name of a calibration, if it can be that of a file.

    Raises:
        ConfigurationError: it cannot.
    """
    if _UNUSUAL.search(name):
        raise ConfigurationError(f"--name {name!r} may have letters, digits, '.', '_' and '-'")
    return name
