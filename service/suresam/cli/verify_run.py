"""`suresam models verify --run`: what a model says of one image, in numbers and as a picture."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.columns import aligned
from suresam.domain import Point
from suresam.errors import ConfigurationError

if TYPE_CHECKING:  # torch comes with these
    from suresam.segmentation.manifests import ModelManifest
    from suresam.segmenter import Segmentation

_HEADINGS = ("mask", "predicted IoU", "stability", "entropy", "area")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a trial run to `suresam models verify`."""
    add = parser.add_argument
    add("--run", action="store_true", dest="is_tried",
        help="segment an image with every model: print its scores, draw its masks")  # fmt: skip
    add("--image", type=Path, metavar="FILE",
        help="what to segment, by a click in its middle (default: a cup of coffee)")  # fmt: skip
    add("--out", type=Path, metavar="DIR", default=Path("verified"),
        help="folder for the pictures, NAME.png each (default: verified)")  # fmt: skip


def try_out(manifest: "ModelManifest", args: argparse.Namespace) -> None:
    """Segment the image with one model, print what it says and draw it into a folder that is there.

    Raises:
        ConfigurationError: the image cannot be read, or the picture cannot be written.
        ServiceError: the image is damaged, or the model failed.
    """
    from suresam.masks.overlay import draw_overlay
    from suresam.segmentation.images import ImageLimits, read_pixels
    from suresam.segmentation.model_folders import SAMPLE_CLICK, sample_image
    from suresam.segmenter import Segmenter

    path = args.image or sample_image()
    try:
        pixels = read_pixels(path.read_bytes(), ImageLimits())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    middle = (pixels.shape[1] // 2, pixels.shape[0] // 2)
    click = SAMPLE_CLICK if args.image is None else middle
    family = family_of(manifest, args.models_dir)
    model = Segmenter(family, manifest.name, models_dir=args.models_dir)
    answer = model.segment(pixels, points=[click])
    print("\n".join(_told(answer)))
    captions = [f"{i}  predicted IoU {iou:.2f}" for i, iou in enumerate(answer.predicted_iou)]
    overlay = draw_overlay(
        pixels, list(answer.masks), [Point(*click)], [1], captions=captions, best=answer.best
    )
    picture = args.out / f"{manifest.name}.png"
    try:
        overlay.save(picture)
    except OSError as error:
        raise ConfigurationError(f"cannot write {picture}: {error.strerror}") from error
    print(f"  drawn: {picture}", flush=True)


def family_of(manifest: "ModelManifest", models_dir: Path | None) -> str:
    """A family that it serves in, which says which gaps there are; else itself."""
    from suresam.segmentation.manifests import list_families

    families = list_families(models_dir)
    return next((f.name for f in families if manifest in f.members), manifest.name)


def _told(answer: "Segmentation") -> list[str]:
    masks: list[tuple[str, ...]] = [_HEADINGS]
    for i, mask in enumerate(answer.masks):
        numbers = (answer.predicted_iou[i], answer.stability[i], answer.entropy[i])
        mark = "*" if i == answer.best else " "
        masks.append((f"{mark} {i}", *(f"{n:.3f}" for n in numbers), f"{mask.sum()} px"))
    lines = aligned(masks, left=0)
    if answer.heads is None:
        lines.append("no uncertainty heads are installed for it")
    else:
        heads = [("head", *(f"mask {i}" for i in range(len(answer.masks))))]
        for name in answer.heads[0].values:
            signed = "+" if "_gap" in name else ""
            heads.append((name, *(f"{scores.values[name]:{signed}.3f}" for scores in answer.heads)))
        lines += aligned(heads, left=0)
        if not answer.heads[0].in_regime:
            lines.append("the heads were not trained on single clicks")
    return [f"  {line}" for line in lines]
