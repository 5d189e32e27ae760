"""`suresam train usam`: uncertainty heads for a family, from annotated pictures."""

import argparse
import sys
from pathlib import Path

from suresam.cli.extras import needs_extra
from suresam.cli.whole_family import DATASET, all_members, chosen_models_dir

_SCENES = "scenes:2000"


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `usam` to what `train` can train."""
    parser = kinds.add_parser(
        "usam",
        help="train UncertainSAM heads for a family",
        description="Ask every member of a family about annotated pictures (clicks, corrections, "
        "boxes, mask inputs), then teach heads to tell from the decoder's tokens how good each "
        "mask is and what would make it better. Use pictures that the members did not learn from. "
        "A search takes as many pictures again as are held out to judge its trials by, and lets "
        "the final heads learn from them; those held out decide nothing. "
        "SIGTERM and Ctrl-C save and exit 0; the same command goes on.",
    )
    add = parser.add_argument
    add("dataset", nargs="*", default=[_SCENES], metavar="DATASET",
        help=f"`scenes:N` drawn for this purpose (default: {_SCENES}), or {DATASET}")  # fmt: skip
    add("--images", type=Path, metavar="DIR", help="where the pictures of a COCO file are")
    add("--models", default="demo", metavar="FAMILY",
        help="family to train heads for (default demo)")  # fmt: skip
    add("--models-dir", type=Path, metavar="DIR",
        help="your own folder of manifests and weights; searched first (default: "
        "SURESAM_MODELS_DIR)")  # fmt: skip
    add("--out", required=True, type=Path, metavar="FILE.safetensors",
        help="head file to write; a manifest that names it as its `heads` uses it")  # fmt: skip
    add("--state", type=Path, metavar="DIR",
        help="folder of observations and trials, which are kept and used again, log and report "
        "(default "
        "runs/NAME of --out)")  # fmt: skip
    add("--pictures", type=int, metavar="N", help="most pictures of each data set (default: all)")
    add("--per-image", type=int, metavar="N",
        help="most targets of a picture (default: 2 of a scene, else 5)")  # fmt: skip
    add("--prompts", type=int, metavar="N",
        help="prompts of each target: its centre click and others drawn, for more pictures in "
        "the same time (default: all seven kinds)")  # fmt: skip
    add("--hold-out", type=float, default=0.1, metavar="SHARE",
        help="share of the pictures that the report is about, not learned from "
        "(default 0.1)")  # fmt: skip
    add("--epochs", type=int, default=20, metavar="N", help="passes over all masks (default 20)")
    add("--learning-rate", type=float, default=2e-3, metavar="X", help="of AdamW (default 0.002)")
    add("--weight-decay", type=float, default=1.5, metavar="X",
        help="of AdamW, times the learning rate at every step (default 1.5)")  # fmt: skip
    add("--hidden", type=int, default=64, metavar="N",
        help="width of the hidden layers (default 64; published ones are as wide as their "
        "input)")  # fmt: skip
    add("--tokens", choices=("both", "iou", "mask"), default="both",
        help="what heads see of the decoder: its IoU token and that of the mask, or one of the two "
        "alone, to find out what each is worth (default both)")  # fmt: skip
    add("--search", type=int, metavar="N",
        help="try N settings (learning rate, weight decay, epochs, masks a "
        "step), those of the other options first, and teach the heads with the best (default: no "
        "search)")  # fmt: skip
    add("--seed", type=int, default=0,
        help="of the choice of targets and prompts, of first weights, order and search "
        "(default 0)")  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto",
        help="where the models run (default: auto)")  # fmt: skip
    add("--threads", type=int, default=1, metavar="N",
        help="CPU cores to use, each by one process (default 1)")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("train")
def run(args: argparse.Namespace) -> int:
    """Observe, teach, judge and write."""
    import torch

    from suresam.datasets import open_dataset
    from suresam.scenes.scene import HEAD_SEEDS
    from suresam.segmentation.manifests import load_family
    from suresam.training.usam.fitting import FitOptions
    from suresam.training.usam.run import UsamOptions, train_usam
    from suresam.training.usam.search import SearchOptions

    options = UsamOptions(
        out=args.out,
        state=args.state or Path("runs") / args.out.stem,
        pictures=args.pictures,
        per_image=args.per_image,
        prompts=args.prompts,
        hold_out=args.hold_out,
        threads=args.threads,
        fit=FitOptions(
            hidden=args.hidden,
            epochs=args.epochs,
            learning_rate=args.learning_rate,
            weight_decay=args.weight_decay,
            seed=args.seed,
        ),
        tokens=args.tokens,
        search=None if args.search is None else SearchOptions(args.search),
    )
    datasets = [open_dataset(name, args.images, seeds=HEAD_SEEDS) for name in args.dataset]
    models_dir = chosen_models_dir(args)
    family = load_family(args.models, models_dir)
    members = all_members(args, family, models_dir)
    torch.set_num_threads(args.threads)
    train_usam(members, datasets, options, sys.stderr)
    return 0
