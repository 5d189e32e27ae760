"""`suresam evaluate`: how good models are on annotated pictures, with intervals."""

import argparse
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suresam.cli import evaluate_advice, evaluate_calibration, evaluate_route, evaluate_usam
from suresam.cli.extras import needs_extra
from suresam.cli.whole_family import check_threads, chosen_models_dir
from suresam.errors import ConfigurationError

if TYPE_CHECKING:  # torch comes with these, and `suresam --help` should not wait for it
    from suresam.evaluation.contestants import Contestant

_DATASETS = """\
DATASET is one of
  scenes, scenes:N   N procedural scenes that no training has seen (default 250), also where there
                     is a folder of that name (which is ./scenes)
  DIR                a folder with images/ID.jpg (or .png, ...) and label maps segments/ID.png, or
                     segments/ID_K.png of annotator K, one channel of 8 or 16 bits, 0 unlabelled
  FILE.json          COCO instances (polygons or run lengths), the pictures beside the file, in
                     images/ beside it, or in --images
  DIR:SPLIT          a split of ADE20K, DAVIS 2017, MOSE or SA-V in the folder as published, known
                     by its layout: ADEChallengeData2016:validation, DAVIS:val, MOSE:train,
                     SA-V:sav_val (DAVIS:480p/val where both resolutions are there); :SPLIT can be
                     left out where there is only one. SA-V's training videos need
                     `make setup`, or .venv/bin/pip install -e '.[video]'
  DIR:SPLIT:N        at most N annotated frames of every video, evenly spread (default: all)

Every chosen target is asked for with one to six clicks (each corrects the answer before), with
its box, and with a mask input; models are compared target by target, beside baselines that know
nothing. Intervals are 95 %, by resampling pictures; frames of a video go together.

DIR from --out gets report.json, figures.csv (a row a figure), targets.csv (a row a target),
figures.png and contact-MODEL.png (best, middle and worst answers)."""

_GRABCUTS = 100
_TARGETS = 500


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `evaluate` and what it can evaluate."""
    evaluate = subparsers.add_parser("evaluate", help="measure how good models are")
    kinds = evaluate.add_subparsers(dest="kind", required=True, metavar="KIND")
    segmenter = kinds.add_parser(
        "segmenter",
        help="masks against annotated pictures, beside baselines",
        description=_DATASETS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = segmenter.add_argument
    add("dataset", metavar="DATASET", help="scenes[:N], a folder of label maps, or COCO JSON")
    add("--out", type=Path, metavar="DIR", help="write the report there (default: only print it)")
    add("--images", type=Path, metavar="DIR", help="where the pictures of a COCO file are")

    models = segmenter.add_argument_group("models")
    add = models.add_argument
    add("--models", default="demo", metavar="FAMILY", help="model family (default: demo)")
    add("--members", metavar="A,B", default=None,
        help="roles or names of its members; the others are compared with the cheapest "
        "(default: small,large)")  # fmt: skip
    add("--models-dir", type=Path, metavar="DIR",
        help="your own folder of manifests and weights (default: SURESAM_MODELS_DIR)")  # fmt: skip
    add("--weights", type=Path, action="append", default=[], metavar="FILE",
        help="weights that are not registered, instead of a family; repeatable, and the later "
        "are compared with the first. With --members they join the family's")  # fmt: skip
    add("--config", action="append", default=[], metavar="NAME|FILE.json",
        help="training config that has the architecture of --weights; one for all, or one for "
        "each")  # fmt: skip
    add("--corners-only", action="store_true",
        help="the unregistered --weights were not trained with boxes drawn as mask input, as "
        "`suresam train segmenter` does")  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where models run (default: auto)")  # fmt: skip
    add("--threads", type=int, metavar="N",
        help="CPU cores to use, each by one process, which suits small models (default: one "
        "process that uses all)")  # fmt: skip

    targets = segmenter.add_argument_group("targets")
    add = targets.add_argument
    add("--targets", type=int, metavar="N",
        help="most targets in all; pictures are drawn until there are so many (default: 500, of "
        "scenes:N all)")  # fmt: skip
    add("--limit", type=int, metavar="N", help="most pictures (default: all)")
    add("--per-image", type=int, metavar="N",
        help="most targets of a picture, over all its annotators (default: 2 for scenes, else 5)"
        )  # fmt: skip
    add("--min-area", type=float, metavar="PERCENT",
        help="smallest target as a percentage of its picture (default: 1)")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N",
        help="of the choice of targets and of the intervals (default: 0)")  # fmt: skip

    baselines = segmenter.add_argument_group("baselines")
    baselines.add_argument(
        "--no-baselines", action="store_true", help="leave out disc, flood fill, box and GrabCut"
    )
    baselines.add_argument(
        "--grabcut", type=int, default=_GRABCUTS, metavar="N",
        help="ask GrabCut, which is slow, for about N targets drawn from all (default: "
        f"{_GRABCUTS})",
    )  # fmt: skip
    baselines.add_argument(
        "--no-grabcut", dest="grabcut", action="store_const", const=0, help="leave GrabCut out"
    )
    segmenter.set_defaults(run=_evaluate_segmenter)
    evaluate_usam.add_parser(kinds)
    evaluate_calibration.add_parser(kinds)
    evaluate_advice.add_parser(kinds)
    evaluate_route.add_parser(kinds)


@needs_extra("evaluate")
def _evaluate_segmenter(args: argparse.Namespace) -> int:
    from suresam.datasets import open_dataset
    from suresam.evaluation.files import write_files
    from suresam.evaluation.run import evaluate
    from suresam.evaluation.table import format_table
    from suresam.evaluation.targets import usual_choice
    from suresam.machine import describe_machine
    from suresam.outputs import prepare_folder

    if args.grabcut < 0:
        raise ConfigurationError(f"--grabcut={args.grabcut} must be at least 0")
    if args.threads is not None:
        check_threads(args)
    if args.corners_only and not args.weights:
        raise ConfigurationError("--corners-only belongs to --weights; a manifest says it itself")
    dataset = open_dataset(args.dataset, args.images)
    choice = usual_choice(
        dataset,
        per_image=args.per_image,
        min_share=None if args.min_area is None else args.min_area / 100,
        num_targets=_num_targets(args),
        num_images=args.limit,
        seed=args.seed,
    )
    contestants = _contestants(args)
    if args.out is not None:
        prepare_folder(args.out)  # or all the work might be done in vain
    evaluation = evaluate(
        dataset,
        contestants,
        choice,
        stream=sys.stderr,
        threads=args.threads,
        with_baselines=not args.no_baselines,
        num_grabcuts=args.grabcut,
    )
    # The files first: a reader of the table, such as `head`, may close it early.
    try:
        if args.out is not None:
            circumstances = {
                "command": shlex.join(["suresam", *sys.argv[1:]]),
                "machine": describe_machine(),
                "weights": _describe_weights(contestants),
            }
            for path in write_files(evaluation, circumstances, args.out):
                print(f"wrote {path}", file=sys.stderr)
    finally:
        print(format_table(evaluation))
    return 0


def _num_targets(args: argparse.Namespace) -> int | None:
    """As many as the user wants; whoever tells how many scenes has told how much to measure."""
    wanted: int | None = args.targets
    if wanted is None and not args.dataset.startswith("scenes:"):
        return _TARGETS
    return wanted


def _contestants(args: argparse.Namespace) -> "list[Contestant]":
    from suresam.evaluation.contestants import family_contestants, weights_contestant
    from suresam.segmentation.box_convention import TRAINED_HERE
    from suresam.segmentation.sam2 import choose_device
    from suresam.training.recipe import load_recipe

    device = choose_device(args.device)
    is_for_all = len(args.config) == 1 and len(args.weights) > 1
    configs = args.config * len(args.weights) if is_for_all else args.config
    if len(configs) != len(args.weights):
        raise ConfigurationError(
            f"--weights and --config belong together: {len(args.weights)} weights, "
            f"{len(configs)} configs"
        )
    contestants = []
    if args.members is not None or not args.weights:
        members = (args.members or "small,large").split(",")
        contestants = family_contestants(args.models, members, device, chosen_models_dir(args))
    box = replace(TRAINED_HERE, as_mask_input=not args.corners_only)
    for path, config, name in zip(args.weights, configs, _names(args.weights), strict=True):
        architecture = load_recipe(config).architecture
        contestants.append(weights_contestant(path, architecture, name, device, box=box))
    return contestants


def _names(weights: list[Path]) -> list[str]:
    """The files' names, and their folders' before them where two files are called alike."""
    stems = [path.stem for path in weights]
    return [
        stem if stems.count(stem) == 1 else f"{path.absolute().parent.name}-{stem}"
        for path, stem in zip(weights, stems, strict=True)
    ]


def _describe_weights(contestants: "list[Contestant]") -> dict[str, Any]:
    return {
        contestant.manifest.name: {
            "file": contestant.weights.name,
            "size_bytes": contestant.weights.stat().st_size,
            "sha256": contestant.sha256,
            "input_size": contestant.manifest.architecture.input_size,
            "num_parameters": contestant.predictor.backbone.num_parameters,
            "box": asdict(contestant.manifest.box),
            "device": contestant.predictor.backbone.device,
            "dtype": contestant.predictor.backbone.dtype,
        }
        for contestant in contestants
    }
