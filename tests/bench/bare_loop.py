"""Rows a second of the fake device alone: full batches in a bare loop, in a process of its own.

`python -m bench.bare_loop --seconds S --size WxH --rows N` prints the number.
"""

import argparse
import subprocess
import sys
import time

import numpy as np
from bench.contestant import child_environment
from bench.fake_device import fake_device

from suresam.benchmarks.serve.pictures import parse_sizes
from suresam.domain import ImageSize, Point, Prompt
from suresam.prediction import Wanted, predict
from suresam.segmentation.prompts import prompt_row


def bare_rows_per_s(seconds: float, size: str, rows: int) -> float:
    """Measured in a process of its own."""
    told = subprocess.run(
        (sys.executable, "-m", "bench.bare_loop",
         "--seconds", str(seconds), "--size", size, "--rows", str(rows)),
        env=child_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(told.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--size", default="640x480", help="of the picture")
    parser.add_argument("--rows", type=int, default=16, help="of a launch")
    options = parser.parse_args()
    [(width, height)] = parse_sizes(options.size)
    size = ImageSize(width, height)
    rows, device = options.rows, fake_device(options.rows)
    [embedding] = device.encode([np.zeros((height, width, 3), np.uint8)])
    row = prompt_row(Prompt((Point(width / 2, height / 3),)), size, embedding, device)
    # What the API asks of the engine where a request names nothing.
    wanted = Wanted(size, entropy=True, heads=True, advice=True)
    predict(device, [row] * rows, [wanted] * rows)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < options.seconds:
        predict(device, [row] * rows, [wanted] * rows)
        done += rows
    print(done / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
