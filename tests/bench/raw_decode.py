"""The most that the model alone gives: batches of clicks in a bare loop, in its own process.

`python -m bench.raw_decode --seconds S` prints JSON: rows a second by batch size, decoded only,
and with masks at the picture's size as run lengths.
"""

import argparse
import json
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

from suresam.benchmarks.serve.pictures import Pictures
from suresam.domain import ImageSize, Point, Prompt
from suresam.masks.rle import encode_rle
from suresam.prediction import Wanted, predict
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone

SIZES = (1, 2, 4, 8, 16, 32)


def rows_per_s(work: Callable[[], object], rows: int, seconds: float) -> float:
    work()
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        work()
        done += rows
    return done / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="in all")
    parser.add_argument("--member", default="demo-small", help="whose weights")
    options = parser.parse_args()
    manifest = load_family("demo").member(options.member)
    backbone = Sam2Backbone(options.member, load_model(manifest), "cpu", box=manifest.box)
    pictures = Pictures(((640, 480), (1024, 768), (1600, 1200)), seed=0)
    rows, sizes = [], []
    for _ in range(max(SIZES)):
        picture = pictures.another()
        pixels = np.asarray(Image.open(BytesIO(picture.data)).convert("RGB"))
        size = ImageSize(picture.width, picture.height)
        [embedding] = backbone.encode([pixels])
        prompt = Prompt(points=(Point(size.width / 2, size.height / 3),))
        rows.append(prompt_row(prompt, size, embedding, backbone))
        sizes.append(size)
    each = options.seconds / len(SIZES) / 2

    def with_masks(number: int) -> None:
        wanted = [Wanted(size) for size in sizes[:number]]
        for made in predict(backbone, rows[:number], wanted):
            for i in range(len(made.tokens)):
                encode_rle(made.mask(i))

    decoded = {n: rows_per_s(lambda n=n: backbone.decode(rows[:n]), n, each) for n in SIZES}
    masked = {n: rows_per_s(lambda n=n: with_masks(n), n, each) for n in SIZES}
    print(json.dumps({"decoded": decoded, "with_masks": masked}))


if __name__ == "__main__":
    main()
