"""`suresam train`: make a segmenter, from nothing but a seed or from pictures of your own."""

import argparse
import sys
from pathlib import Path

from suresam.cli import train_family, train_usam
from suresam.cli.extras import needs_extra


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `train` and what it can train; each sets `run`, which returns the exit status."""
    train = subparsers.add_parser("train", help="train a model")
    kinds = train.add_subparsers(dest="kind", required=True, metavar="KIND")
    segmenter = kinds.add_parser(
        "segmenter",
        help="train the image model on procedural scenes or your own pictures",
        description="Draw scenes, or read annotated pictures, train an image model on them, write "
        "its weights and a report. SIGTERM and Ctrl-C save and exit 0; --resume goes on.",
    )
    add = segmenter.add_argument
    add("--config", required=True, metavar="NAME|FILE.json",
        help="demo-small, demo-large, or a recipe of your own")  # fmt: skip
    add("--out", required=True, type=Path, metavar="FILE.safetensors",
        help="weights to write, float16")  # fmt: skip
    add("--init-from", type=Path, metavar="FILE.safetensors",
        help="begin with these weights instead of the encoder stage")  # fmt: skip
    add("--average-start", action="store_true",
        help="write the mean of the weights of --init-from and of what they became, which is often "
        "better than both")  # fmt: skip
    add("--seed", type=int, default=0, help="0 to 999; fixes scenes and weights (default 0)")
    add("--max-minutes", type=float, metavar="N",
        help="training time over all sittings, preparing pictures not included; the schedule "
        "then follows the clock (default: as many steps as the recipe says)")  # fmt: skip
    add("--state", type=Path, metavar="FOLDER",
        help="state, log, prepared pictures and report (default runs/NAME)")  # fmt: skip
    add("--resume", action="store_true", help="go on from the state in --state")
    add("--data", type=Path, action="append", default=[], metavar="PATH",
        help="train on these pictures instead of scenes: a folder with images/ and segments/ "
        "(label-map PNGs) or a COCO .json file; may be given several times")  # fmt: skip
    add("--images", type=Path, metavar="FOLDER",
        help="pictures of the COCO file, if they lie neither beside it nor in images/")  # fmt: skip
    add("--hold-out", type=float, default=0.1, metavar="SHARE",
        help="share of the pictures in --data to look at, not to train on "
        "(default 0.1)")  # fmt: skip
    add("--scenes", type=int, metavar="N",
        help="training scenes instead of the recipe's number; beside --data, half of the training "
        "is on scenes (without --scenes, none of it)")  # fmt: skip
    add("--picture-every", type=float, default=10.0, metavar="MIN",
        help="minutes of training between contact sheets of held-out pictures, with their mean "
        "IoU in the log; 0 for none (default 10)")  # fmt: skip
    add("--plot", action="store_true",
        help="draw the log's curves into --state with every contact sheet and at the "
        "end")  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, default=1, metavar="N",
        help="CPU cores to use, each by one process (default 1)")  # fmt: skip
    segmenter.set_defaults(run=_train_segmenter)
    train_family.add_parser(kinds)
    train_usam.add_parser(kinds)
    curves = kinds.add_parser(
        "curves",
        help="draw the curves of a training",
        description="Draw loss and IoUs from the log of a training, running or finished.",
    )
    curves.add_argument("state", type=Path, metavar="FOLDER", help="the training's --state")
    curves.add_argument("--out", type=Path, metavar="FILE.png", help="default FOLDER/curves.png")
    curves.add_argument("--against", choices=("minutes", "steps"), default="minutes")
    curves.set_defaults(run=_draw_curves)


@needs_extra("train")
def _train_segmenter(args: argparse.Namespace) -> int:
    from suresam.training.segmenter import SegmenterOptions, train_segmenter

    options = SegmenterOptions(
        config=args.config,
        out=args.out,
        init_from=args.init_from,
        average_start=args.average_start,
        seed=args.seed,
        max_minutes=args.max_minutes,
        state=args.state or Path("runs") / Path(args.config).stem,
        resume=args.resume,
        scenes=args.scenes,
        device=args.device,
        threads=args.threads,
        data=tuple(args.data),
        images=args.images,
        hold_out=args.hold_out,
        picture_every=args.picture_every,
        plot=args.plot,
    )
    train_segmenter(options, sys.stderr)
    return 0


@needs_extra("train")
def _draw_curves(args: argparse.Namespace) -> int:
    from suresam.training.curves import CURVES_FILE, draw_curves, read_log

    out = args.out or args.state / CURVES_FILE
    draw_curves(read_log(args.state), out, args.against)
    print(f"wrote {out}", file=sys.stderr)
    return 0
