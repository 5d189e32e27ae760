"""`suresam evaluate route`: what asking the large model about some requests buys."""

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
anywhere, a box) and escalates as the service would: whoever is expected to gain min_gain is asked
again. Prints how much of the gain from the small to the large model is realised when 10, 20, 30 and
50 % of the requests are escalated by the expected gain, by SamScore, by entropy, by the head that
learned the gap, by lot, and by an oracle; the area under these curves of mean IoU against cost (0
for lots, 1 for the oracle); where 90 % of the gain is reached; and who answers at which min_gain.
Intervals are 95 %, by resampling pictures; differences are paired.

An escalated request has paid both members. Who draws lots before anybody is asked pays one, and
gets further for the same cost: that line stands beside the others. Costs are counted in GFLOP,
which are the same everywhere, for a new picture and one prompt; milliseconds as measured here
stand beside them.

DIR from --out gets route.txt, route.png, route.csv, curves.csv, report.json, and observations/,
from which an interrupted run goes on."""

_SCENES = 1000


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `route` to what `evaluate` can evaluate."""
    parser = add_evaluation(
        kinds,
        "route",
        summary="what asking the large model about some requests buys",
        description=_DESCRIPTION,
        scenes=_SCENES,
    )
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Observe, judge, print and write."""
    from suresam.evaluation.route.run import evaluate_route
    from suresam.segmentation.manifests import load_family

    check_threads(args)
    dataset, choice = chosen_pictures(args, args.dataset, args.images, _SCENES, None)
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    heads, readings = family_heads(family, models_dir, args.calibration)
    if heads is None:
        raise ConfigurationError(
            f"family {family.name} expects no gains: it has no uncertainty heads that all its "
            f"members share; train them with `suresam train usam`"
        )
    members = all_members(args, family, models_dir)
    text = evaluate_route(
        members, heads.heads, readings, dataset, choice, args.out, sys.stderr, threads=args.threads,
        circumstances={"command": shlex.join(["suresam", *sys.argv[1:]])},
    )  # fmt: skip
    print(text)
    print(f"wrote {args.out}", file=sys.stderr)
    return 0
