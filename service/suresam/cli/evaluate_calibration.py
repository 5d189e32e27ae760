"""`suresam evaluate calibration`: is a mask worth the IoU that the service expects of it?"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.cli.extras import needs_extra
from suresam.cli.whole_family import (
    add_evaluation,
    all_members,
    check_threads,
    chosen_models_dir,
    chosen_pictures,
    family_heads,
)
from suresam.errors import ConfigurationError

if TYPE_CHECKING:  # torch comes with these
    from suresam.segmentation.manifests import Family
    from suresam.uncertainty.calibration import Calibration
    from suresam.uncertainty.member_heads import HeadFile

_DESCRIPTION = """\
Asks every member of a family about annotated pictures with all kinds of prompts, as a service would
answer them, and judges the calibration that it is served with: how far the expected IoU is from the
true one (calibration error), how many true IoUs the interval holds and how wide it is, and how well
an order by expected IoU keeps bad masks back (area under the risk-coverage curve). Beside them are
the predicted IoU, which nobody calibrated, and an oracle that knows the truth. All intervals of
figures are 95 %, by resampling pictures.

With --refit, the same figures of a calibration that is fitted on other pictures, and what it
changes, both judged on the same resamples: what `suresam calibrate` on pictures like these would
bring. No picture may be in both data sets.

DIR from --out gets calibration.txt, calibration.json, calibration.csv (a row a figure, also by kind
of prompt), reliability.csv, calibration.png, and observations/ and refit-observations/, from which
an interrupted run goes on."""

_SCENES = 1000


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `calibration` to what `evaluate` can evaluate."""
    parser = add_evaluation(
        kinds,
        "calibration",
        summary="expected IoU and its interval: is a mask worth what is said?",
        description=_DESCRIPTION,
        scenes=_SCENES,
    )
    add = parser.add_argument
    add("--refit", metavar="DATASET2",
        help="fit another calibration on these pictures, and judge it, too; scenes are those for "
        "calibrations")  # fmt: skip
    add(
        "--refit-images", type=Path, metavar="DIR", help="where the pictures of a COCO DATASET2 are"
    )
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Observe, judge, print and write."""
    from suresam.evaluation.calibration.evaluating import Refit, evaluate_calibration
    from suresam.evaluation.calibration.table import format_report
    from suresam.scenes.scene import CALIBRATION_SEEDS
    from suresam.segmentation.manifests import load_family

    check_threads(args)
    if args.refit is None and args.refit_images is not None:
        raise ConfigurationError(f"--refit-images {args.refit_images} belongs to --refit")
    dataset, choice = chosen_pictures(args, args.dataset, args.images, _SCENES, None)
    refit = None
    if args.refit is not None:
        refit = Refit(
            *chosen_pictures(args, args.refit, args.refit_images, _SCENES, CALIBRATION_SEEDS)
        )
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    heads, calibration = _served(family, models_dir, args.calibration)
    members = all_members(args, family, models_dir)
    report = evaluate_calibration(
        members, heads, calibration, dataset, choice, args.out, sys.stderr,
        threads=args.threads, refit=refit,
        circumstances={"command": shlex.join(["suresam", *sys.argv[1:]])},
    )  # fmt: skip
    print(format_report(report))
    print(f"wrote {args.out}", file=sys.stderr)
    return 0


def _served(
    family: "Family", models_dir: Path | None, asked: str | None
) -> "tuple[HeadFile, Calibration]":
    """The heads and the calibration that all members are served with.

    Raises:
        ConfigurationError: they have none, or not all the same.
        CheckpointError: a file is missing, damaged, or of something else.
    """
    from suresam.segmentation.weights import find_file
    from suresam.uncertainty.calibration import calibration_file, read_calibration

    heads, readings = family_heads(family, models_dir, asked)
    if heads is None:
        raise ConfigurationError(
            f"family {family.name} has no uncertainty heads that all its members share, so there "
            f"is no calibration to judge"
        )
    names = list(dict.fromkeys(reading.calibration for reading in readings))
    if len(names) > 1:
        told = ", ".join(str(name) for name in names)
        raise ConfigurationError(
            f"the members of family {family.name} are served with different calibrations "
            f"({told}): choose one with --calibration"
        )
    path = names[0] and find_file(calibration_file(names[0]), family.members[0], models_dir)
    if not path:
        raise ConfigurationError(
            f"family {family.name} is served without a calibration: make one with `suresam "
            f"calibrate`, or choose one with --calibration"
        )
    return heads, read_calibration(path)
