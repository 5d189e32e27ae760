"""`suresam train family`: rebuild a family from nothing, with figures, manifests and card."""

import argparse
import sys
from pathlib import Path

from suresam.cli.extras import needs_extra


def add_parser(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `family` to what `train` can train."""
    parser = kinds.add_parser(
        "family",
        help="rebuild a whole family: weights, figures, manifests and model card",
        description="Train every member of a family on procedural scenes, measure them side by "
        "side on held-out scenes and your photographs, and only then write weights, manifests, "
        "the family's file and the model card. SIGTERM and Ctrl-C save and exit 0; the same "
        "command goes on. Serve the result with `suresam serve --models OUT/families/NAME.json`.",
    )
    add = parser.add_argument
    add("family", metavar="NAME|FILE.json", help="demo, or a plan of your own")
    add("--hours", type=float, metavar="H",
        help="training time of all members together; drawing scenes and measuring come on "
        "top")  # fmt: skip
    add("--keep-weights", action="store_true",
        help="train no member: heads, calibration, figures and card are made anew for the weights "
        "in --state (NAME.safetensors, NAME/report.json, as `train segmenter` writes them), or "
        "else for those in --out")  # fmt: skip
    add("--out", type=Path, default=Path("models"), metavar="DIR",
        help="folder for weights and manifests (default models)")  # fmt: skip
    add("--card", type=Path, metavar="FILE.md",
        help="model card to write or to bring up to date (default OUT/NAME.md)")  # fmt: skip
    add("--state", type=Path, metavar="DIR",
        help="folder for all that is not finished (default runs/family-NAME)")  # fmt: skip
    add("--evaluate", action="append", default=[], metavar="DATASET", dest="datasets",
        help="measure on these annotated pictures too (see `suresam evaluate segmenter "
        "--help`); may be given several times")  # fmt: skip
    add("--refit", metavar="DATASET",
        help="also fit a calibration to these annotated pictures, and tell how it does on those "
        "of --evaluate beside the one of scenes")  # fmt: skip
    add("--seed", type=int, default=0, help="0 to 999; the second member uses the next (default 0)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=int, default=1, metavar="N",
        help="CPU cores to use, each by one process (default 1)")  # fmt: skip
    add("--scenes", type=int, metavar="N", help="training scenes instead of the recipes' number")
    add("--targets", type=int, default=500, metavar="N",
        help="most targets of each data set that are measured (default 500)")  # fmt: skip
    parser.set_defaults(run=run)


@needs_extra("train")
def run(options: argparse.Namespace) -> int:
    """Train, measure and install."""
    from suresam.training.family import FamilyOptions, train_family

    stem = Path(options.family).stem
    train_family(
        FamilyOptions(
            plan=options.family,
            hours=options.hours,
            out=options.out,
            card=options.card or options.out / f"{stem}.md",
            state=options.state or Path("runs") / f"family-{stem}",
            datasets=tuple(options.datasets),
            refit=options.refit,
            seed=options.seed,
            device=options.device,
            threads=options.threads,
            scenes=options.scenes,
            targets=options.targets,
            keep_weights=options.keep_weights,
        ),
        sys.stderr,
    )
    return 0
