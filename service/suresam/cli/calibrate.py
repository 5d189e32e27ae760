"""`suresam calibrate`: what a family's scores are worth in IoU, on pictures of one's own."""

import argparse
import re
import sys
from pathlib import Path

from suresam.cli.extras import needs_extra
from suresam.cli.whole_family import all_members, check_threads, chosen_models_dir
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
        "may have learned from them. The file goes beside the heads, and `suresam serve "
        "--calibration NAME` follows it.",
    )
    add = parser.add_argument
    add("dataset", metavar="DATASET",
        help=f"scenes:N drawn for this purpose (default {_SCENES}), a folder with images/ and "
        "segments/ (label-map PNGs), or COCO JSON")  # fmt: skip
    add("--images", type=Path, metavar="DIR", help="where the pictures of a COCO file are")
    add("--name", metavar="NAME", help="of the calibration (default: that of the data set)")
    add("--models", default="demo", metavar="FAMILY", help="model family (default: demo)")
    add("--models-dir", type=Path, metavar="DIR",
        help="your own folder of manifests and weights, where the file goes (default: "
        "SURESAM_MODELS_DIR, else beside the downloads)")  # fmt: skip
    add("--state", type=Path, metavar="DIR",
        help="folder of observations, from which an interrupted run goes on (default "
        "runs/calibration-NAME)")  # fmt: skip
    add("--limit", type=int, metavar="N", help="most pictures (default: all)")
    add("--per-image", type=int, metavar="N",
        help="most targets of a picture (default: 2 for scenes, else 5)")  # fmt: skip
    add("--seed", type=int, default=0, help="of targets, prompts and halves (default 0)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where models run (default: auto)")  # fmt: skip
    add("--threads", type=int, default=1, metavar="N",
        help="CPU cores to use, each by one process (default 1)")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("evaluate")
def run(args: argparse.Namespace) -> int:
    """Observe, fit, judge and write."""
    from suresam.datasets import open_dataset
    from suresam.evaluation.calibration.judging import format_figures
    from suresam.evaluation.calibration.run import calibrate
    from suresam.evaluation.targets import usual_choice
    from suresam.scenes.scene import CALIBRATION_SEEDS
    from suresam.segmentation.manifests import load_family
    from suresam.segmentation.model_folders import downloads_folder
    from suresam.uncertainty.calibration import calibration_file, write_calibration
    from suresam.uncertainty.member_heads import load_member_heads

    check_threads(args)
    text = f"scenes:{_SCENES}" if args.dataset == "scenes" else args.dataset
    dataset = open_dataset(text, args.images, seeds=CALIBRATION_SEEDS)
    name = args.name or _UNUSUAL.sub("-", dataset.name)
    if _UNUSUAL.search(name):
        raise ConfigurationError(f"--name {name!r} may have letters, digits, '.', '_' and '-'")
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    heads = load_member_heads(family.members[0], family, "cpu", models_dir)
    if heads is None:
        raise ConfigurationError(
            f"family {family.name} has no uncertainty heads to calibrate: train them with `suresam "
            f"train usam`, or import published ones"
        )
    members = all_members(args, family, models_dir)
    choice = usual_choice(
        dataset, per_image=args.per_image, num_targets=None, num_images=args.limit, seed=args.seed
    )
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
