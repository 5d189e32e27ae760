"""`suresam evaluate usam`: does uncertainty find the answers worth paying for?"""

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

if TYPE_CHECKING:  # torch comes with these
    from suresam.evaluation.usam.comparison import Rival
    from suresam.segmentation.manifests import Family
    from suresam.uncertainty.head_reading import HeadReading
    from suresam.uncertainty.member_heads import HeadFile

_DESCRIPTION = """\
Asks every member of a family about annotated pictures and prints UncertainSAM's three tables:
which clicks would the large model, more clicks, or the choice of another mask improve? Each row is
one measure, and its figure the relative area under the curve of mean IoU when the highest scores
are paid for first: 50 % is no better than chance, 100 % knows the answer. Each table is given as a
service can know it (the mask of highest predicted IoU) and as upstream measured (the mask that
turned out best). Intervals are 95 %, by resampling pictures.

SamScore is the predicted IoU; Entropy that of the mask; H_Theta, H_Xp, H_A and H_Y those of masks
mixed over members, over eight clicks, over the three candidates, and over all of them. Delta is the
difference of two IoU heads, Delta* the head that learned the gain itself (D*_Theta, D*_Xp and D*_A
for model, prompt and task), Calibrated what a service tells with a calibration: the gap of an
answer, mixed of heads, predicted IoUs, entropies and the agreement of its masks. USAM is the
model's own IoU head.

With --compare, the heads' own rows of further head files stand side by side on the same clicks,
each with its difference to the first and the interval of that, resampled in pairs. UncertainSAM's
token ablation is such a comparison, of heads by `suresam train usam --tokens both`, iou and mask.

DIR from --out gets tables.txt, report.json, tables.csv, correlations.csv, the supervision curves
curves-known.png and curves-truth.png, with --compare comparison.csv, and observations/, from which
an interrupted run goes on."""

_SCENES = 1000


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `usam` to what `evaluate` can evaluate."""
    parser = add_evaluation(
        kinds,
        "usam",
        summary="uncertainty measures: which answers are worth paying for",
        description=_DESCRIPTION,
        scenes=_SCENES,
    )
    add = parser.add_argument
    add("--heads", type=Path, metavar="FILE.safetensors",
        help="heads to judge (default: those of the family's manifests)")  # fmt: skip
    add("--compare", type=Path, nargs="+", default=[], metavar="FILE.safetensors",
        help="further head files for the same weights, to stand beside the heads")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Observe, judge, print and write."""
    from suresam.evaluation.usam.run import evaluate_usam, format_evaluation
    from suresam.segmentation.manifests import load_family

    check_threads(args)
    dataset, choice = chosen_pictures(args, args.dataset, args.images, _SCENES, None)
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    heads, readings = _heads(args.heads, family, models_dir, args.calibration)
    rivals = _rivals(args.compare, heads, readings, family)
    if heads is None:
        print(f"family {family.name} has no uncertainty heads that all its members share; the "
              f"tables go without them",
              file=sys.stderr)  # fmt: skip
    members = all_members(args, family, models_dir)
    found = evaluate_usam(
        members, None if heads is None else heads.heads, readings, dataset, choice, args.out,
        sys.stderr, threads=args.threads, rivals=rivals,
        circumstances={"command": shlex.join(["suresam", *sys.argv[1:]])},
    )  # fmt: skip
    print(format_evaluation(found))
    print(f"wrote {args.out}", file=sys.stderr)
    return 0


def _heads(
    path: Path | None, family: "Family", models_dir: Path | None, calibration: str | None
) -> "tuple[HeadFile | None, list[HeadReading]]":
    """Those of a file, uncalibrated, or else the family's own, and how every member reads them."""
    from suresam.uncertainty.member_heads import read_family_heads

    if path is not None:
        return read_family_heads(path, family)
    return family_heads(family, models_dir, calibration)


def _rivals(
    paths: list[Path],
    heads: "HeadFile | None",
    readings: "list[HeadReading]",
    family: "Family",
) -> "list[Rival]":
    """The heads that are judged, then those of further files; none where none were asked for."""
    from suresam.errors import ConfigurationError
    from suresam.evaluation.usam.comparison import Rival
    from suresam.uncertainty.member_heads import read_family_heads

    if not paths:
        return []
    if heads is None:
        raise ConfigurationError(
            f"--compare needs heads to compare with, and family {family.name} has none that all "
            f"its members share: give --heads"
        )
    return [Rival(heads, readings), *(Rival(*read_family_heads(path, family)) for path in paths)]
