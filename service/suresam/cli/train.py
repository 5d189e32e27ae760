"""`suresam train`: make a segmenter of the demo family from nothing but a seed."""

import argparse
import sys
from pathlib import Path

from suresam.errors import ConfigurationError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `train` and what it can train; each sets `run`, which returns the exit status."""
    train = subparsers.add_parser("train", help="train a model of the demo family")
    kinds = train.add_subparsers(dest="kind", required=True, metavar="KIND")
    segmenter = kinds.add_parser(
        "segmenter",
        help="train the image model on procedural scenes",
        description="Draw scenes, train an image model on them, write its weights and a report. "
        "SIGTERM and Ctrl-C save and exit 0; --resume goes on.",
    )
    add = segmenter.add_argument
    add("--config", required=True, metavar="NAME|FILE.json",
        help="demo-small, demo-large, or a recipe of your own")  # fmt: skip
    add("--out", required=True, type=Path, metavar="FILE.safetensors",
        help="weights to write, float16")  # fmt: skip
    add("--init-from", type=Path, metavar="FILE.safetensors",
        help="begin with these weights instead of the encoder stage")  # fmt: skip
    add("--seed", type=int, default=0, help="0 to 999; fixes scenes and weights (default 0)")
    add("--max-minutes", type=float, metavar="N",
        help="training time over all sittings, drawing scenes not included; the schedule "
        "then follows the clock (default: as many steps as the recipe says)")  # fmt: skip
    add("--state", type=Path, metavar="FOLDER",
        help="state, log, scenes and report (default runs/NAME)")  # fmt: skip
    add("--resume", action="store_true", help="go on from the state in --state")
    add("--scenes", type=int, metavar="N", help="training scenes instead of the recipe's number")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, default=1, metavar="N",
        help="CPU cores to use, each by one process (default 1)")  # fmt: skip
    segmenter.set_defaults(run=_train_segmenter)


def _train_segmenter(args: argparse.Namespace) -> int:
    try:
        from suresam.training.segmenter import SegmenterOptions, train_segmenter
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"training needs {error.name}: pip install 'suresam[train]', in a checkout `make setup`"
        ) from None

    options = SegmenterOptions(
        config=args.config,
        out=args.out,
        init_from=args.init_from,
        seed=args.seed,
        max_minutes=args.max_minutes,
        state=args.state or Path("runs") / Path(args.config).stem,
        resume=args.resume,
        scenes=args.scenes,
        device=args.device,
        threads=args.threads,
    )
    train_segmenter(options, sys.stderr)
    return 0
