"""`suresam calibrate route`: the gain from the large model, fitted to what shadow mode recorded."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.cli.calibrate import checked_name
from suresam.cli.extras import needs_extra
from suresam.cli.whole_family import chosen_models_dir
from suresam.errors import ConfigurationError

if TYPE_CHECKING:  # torch comes with these
    from suresam.routing.shadow.record import ComparedModels
    from suresam.segmentation.manifests import Family
    from suresam.uncertainty.calibration import Calibration

NAME = "calibrate route"
"""The command: a data set in a folder called route is ./route."""

_DESCRIPTION = """\
Fits what the small member's answers let expect of the large one to what `suresam serve --route
shadow --shadow-file RECORD` found on your own traffic: an isotonic curve behind the calibration
that was served, for single clicks and for other prompts, where there are at least 100 comparisons.
It can correct how much is expected, and not the order of requests. Everything else stays as it was.

Prints how expected and recorded gains agree before and after, judged on the half of the comparisons
that was not fitted to. Recorded gains are estimates (README.md, section Shadow mode): where both
members' expected IoUs are wrong on your pictures, `suresam calibrate DATASET` on annotated ones
comes first.

The calibration goes beside the heads, and `suresam serve --calibration NAME` follows it. DIR from
--out gets gain.txt, gain.png (reliability of the gain) and gain.json."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        NAME,
        help="fit the gain from the large model to what shadow mode recorded",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("records", metavar="RECORD", type=Path, nargs="+", help="files of --shadow-file")
    add("--out", type=Path, metavar="DIR", help="write a report there (default: only print it)")
    add("--models", default="demo", metavar="FAMILY", help="that was served (default: demo)")
    add("--models-dir", type=Path, metavar="DIR",
        help="your own folder of manifests, weights, heads and calibrations (default: "
        "SURESAM_MODELS_DIR)")  # fmt: skip
    add("--calibration", metavar="NAME",
        help="that was served (default: that of the family's manifests)")  # fmt: skip
    add("--name", metavar="NAME", help="of the new one (default: the old one's, and -shadow)")
    add("--seed", type=int, default=0, metavar="N",
        help="of the halves and the intervals (default: 0)")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Read, fit, judge and write."""
    from suresam.evaluation.shadow.run import refit_gain, write_report
    from suresam.machine import describe_machine
    from suresam.outputs import prepare_folder
    from suresam.routing.shadow.record import read_record
    from suresam.segmentation.manifests import load_family
    from suresam.segmentation.model_folders import downloads_folder
    from suresam.uncertainty.calibration import calibration_file, write_calibration

    models_dir = chosen_models_dir(args)
    calibration, models = _served(load_family(args.models, models_dir), models_dir, args)
    name = checked_name(args.name or f"{calibration.name}-shadow")
    if name == calibration.name:
        raise ConfigurationError(
            f"--name {name} is that of the calibration whose predictions were recorded; without "
            f"it the record would mean nothing"
        )
    if args.out is not None:
        prepare_folder(args.out)
    record = read_record(args.records)
    print(f"{len(record.comparisons)} comparisons", file=sys.stderr)
    if record.num_torn:
        print(f"{record.num_torn} lines are not whole and were passed over", file=sys.stderr)
    refit = refit_gain(record, calibration, models, name, args.seed)
    target = (models_dir or downloads_folder()) / calibration_file(name)
    try:
        write_calibration(refit.calibration, target)
    except OSError as error:
        raise ConfigurationError(f"cannot write {target}: {error.strerror}") from error
    if args.out is not None:
        circumstances = {
            "command": shlex.join(["suresam", *sys.argv[1:]]), "machine": describe_machine(),
        }  # fmt: skip
        write_report(refit, circumstances, args.out)
        print(f"wrote {args.out}", file=sys.stderr)
    print(refit.text)
    where = "" if args.models_dir is None else f" --models-dir {args.models_dir}"
    print(
        f"wrote {target}; `suresam serve{where} --calibration {name}` follows it", file=sys.stderr
    )
    return 0


def _served(
    family: "Family", models_dir: Path | None, args: argparse.Namespace
) -> "tuple[Calibration, ComparedModels]":
    """The calibration that is followed, and whose comparisons fit to it."""
    from suresam.routing.shadow.record import ComparedModels
    from suresam.segmentation.weights import check_sha256, require_weights
    from suresam.uncertainty.member_heads import find_calibration, load_family_heads

    small, large = family.members[0], family.members[-1]
    heads = load_family_heads(family, models_dir)
    found = heads and find_calibration(small, heads, models_dir, args.calibration)
    if not heads or not found:
        raise ConfigurationError(
            f"family {family.name} expects no gains that could be fitted: it has no heads or no "
            f"calibration; make one with `suresam calibrate DATASET`"
        )
    small_sha256, large_sha256 = (
        member.sha256 or check_sha256(member, require_weights(member, models_dir))
        for member in (small, large)
    )
    return found.calibration, ComparedModels(
        small=small.name,
        large=large.name,
        small_sha256=small_sha256,
        large_sha256=large_sha256,
        heads_sha256=heads.sha256,
        calibration=found.calibration.name,
        calibration_sha256=found.sha256,
    )
