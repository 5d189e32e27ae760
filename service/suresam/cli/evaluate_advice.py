"""`suresam evaluate advice`: does following the advice pay?"""

import argparse
import shlex
import sys

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

_DESCRIPTION = """\
Asks every member of a calibrated family about annotated pictures (a click in the centre, a click
anywhere, a box) and does what the service advises: shows the best of the three masks for
choose_mask, adds the advised click with its true label for add_point, asks the large model for
use_large. Prints what one more click gains where it is advised, at random in the union of the
three masks, and in the middle of the largest true error, which bounds it; what each action was
expected to gain and did gain; and the mean IoU of following the advice beside that of always doing
one thing. Intervals are 95 %, by resampling pictures.

DIR from --out gets advice.txt, advice.png, advice.csv, report.json, and observations/, from which
an interrupted run goes on."""

_SCENES = 250


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `advice` to what `evaluate` can evaluate."""
    parser = add_evaluation(
        kinds,
        "advice",
        summary="what following the service's advice gains",
        description=_DESCRIPTION,
        scenes=_SCENES,
    )
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Observe, judge, print and write."""
    from suresam.evaluation.advice.figures import format_advice
    from suresam.evaluation.advice.run import evaluate_advice
    from suresam.segmentation.manifests import load_family

    check_threads(args)
    dataset, choice = chosen_pictures(args, args.dataset, args.images, _SCENES, None)
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    heads, readings = family_heads(family, models_dir, args.calibration)
    if heads is None:
        raise ConfigurationError(
            f"family {family.name} gives no advice: it has no uncertainty heads that all its "
            f"members share; train them with `suresam train usam`"
        )
    members = all_members(args, family, models_dir)
    figures = evaluate_advice(
        members, heads.heads, readings, dataset, choice, args.out, sys.stderr, threads=args.threads,
        circumstances={"command": shlex.join(["suresam", *sys.argv[1:]])},
    )  # fmt: skip
    for member, found in figures.items():
        print(format_advice(member, found), end="\n\n")
    print(f"wrote {args.out}", file=sys.stderr)
    return 0
