"""`suresam scenes`: draw procedural scenes to look at, or to use as a data set."""

import argparse
import sys
from pathlib import Path

from suresam.cli.extras import needs_extra
from suresam.errors import ConfigurationError

_SPLITS = ("training", "calibration", "test", "heads")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "scenes",
        help="draw procedural scenes to look at",
        description="Draw the pictures that the demo family learns from. DIR gets images/, "
        "segments/ (parts and objects as label maps: a data set for `train --data`, or with "
        "`--split test` for `evaluate`) and contact.png with the first 24 scenes.",
    )
    add = parser.add_argument
    add("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    add("--count", type=int, default=24, metavar="N", help="scenes to draw (default 24)")
    add("--size", type=int, default=384, metavar="PX", help="side in pixels (default 384)")
    add("--first", type=int, default=0, metavar="N", help="number of the first scene (default 0)")
    add("--split", choices=_SPLITS, default="training",
        help="whose scenes: every split has seeds of its own (default training)")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("train")
def run(options: argparse.Namespace) -> int:
    """Draw, write, and say where."""
    from tqdm import tqdm

    from suresam.outputs import prepare_folder
    from suresam.scenes.album import write_album
    from suresam.scenes.scene import CALIBRATION_SEEDS, HEAD_SEEDS, TEST_SEEDS, TRAINING_SEEDS

    if not 64 <= options.size <= 2048:
        raise ConfigurationError(f"--size={options.size} must be 64 to 2048 pixels")
    if options.count < 1:
        raise ConfigurationError(f"--count={options.count} must be at least 1")
    ranges = (TRAINING_SEEDS, CALIBRATION_SEEDS, TEST_SEEDS, HEAD_SEEDS)
    split = dict(zip(_SPLITS, ranges, strict=True))
    seeds = split[options.split]
    if options.first < 0 or options.first + options.count > len(seeds):
        raise ConfigurationError(
            f"scenes {options.first} to {options.first + options.count - 1} are not among the "
            f"{len(seeds)} of the {options.split} split"
        )
    chosen = seeds[options.first : options.first + options.count]
    prepare_folder(options.out)
    progress = tqdm(total=len(chosen), desc="scenes", unit="scene", disable=None)
    try:
        with progress:
            for done in write_album(options.out, chosen, options.size):
                progress.update(done - progress.n)
    except OSError as error:
        raise ConfigurationError(f"cannot write into {options.out}: {error.strerror}") from error
    print(f"wrote {len(chosen)} scenes to {options.out}; look at {options.out / 'contact.png'}",
          file=sys.stderr)  # fmt: skip
    return 0
