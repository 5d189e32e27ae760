"""What a device makes of a model: encodes and decodes a second beside the arithmetic they take."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from suresam.domain import ImageSize, Point, Prompt
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.decoding import MaskDecoding
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone

ENCODE, DECODE = "encode", "decode"

_RUNS_BEFORE = 2
"""Runs that are not counted."""

_TOKENS_OF_A_CLICK = 2
"""The point, and upstream's padding point."""

_MATMUL_SIDE = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True, slots=True)
class Launch:
    """One stage at one number of rows, measured.

    Attributes:
        model, stage, dtype: what was launched.
        is_compiled: or run as it is.
        rows: of a launch.
        launch_ms: median milliseconds, from arrays on the host to results on the device.
        row_gflop: arithmetic of a row, 10^9 operations.
        peak_tflops: of the device at this precision, 10^12 operations a second.
    """

    model: str
    stage: str
    dtype: str
    is_compiled: bool
    rows: int
    launch_ms: float
    row_gflop: float
    peak_tflops: float

    @property
    def rows_per_s(self) -> float:
        """Rows a second."""
        return 1000 * self.rows / self.launch_ms

    @property
    def floor_ms(self) -> float:
        """Milliseconds of the arithmetic alone, at peak."""
        return self.rows * self.row_gflop / self.peak_tflops

    @property
    def share_of_peak(self) -> float:
        """Part of the device's peak that is used, 0 to 1."""
        return self.floor_ms / self.launch_ms


def count_gflop(architecture: Architecture) -> dict[str, float]:
    """Arithmetic of one row by stage: an image, and a click on one; 10^9 operations.

    Counts matrix products, those of attention too, and convolutions; a multiplication and an
    addition are two. Nothing is computed: the tensors are on torch's "meta" device.
    """
    model = architecture.build().to("meta").eval()
    side, cells, width = architecture.input_size, architecture.embedding_size, architecture.d_model
    with torch.inference_mode(), torch.device("meta"):
        with FlopCounterMode(display=False) as of_encode:
            maps = model.forward_image(torch.empty(1, 3, side, side))
        position = torch.empty(1, width, cells, cells)
        decoding = MaskDecoding(model.sam_mask_decoder, position)
        with FlopCounterMode(display=False) as of_decode, decoding.tap:
            decoding.run(*maps, torch.empty(1, _TOKENS_OF_A_CLICK, width), position)
    return {
        ENCODE: of_encode.get_total_flops() / 1e9,
        DECODE: of_decode.get_total_flops() / 1e9,
    }


def measure_peak_tflops(device: str, dtype: str, repeats: int) -> float:
    """What a large square matrix product attains, 10^12 operations a second."""
    kind = torch.device(device).type
    side = _MATMUL_SIDE[kind]
    matrix = torch.randn(side, side, device=device).to(getattr(torch, dtype))
    product_ms = _median_ms(lambda: matrix @ matrix, kind, repeats)
    return float(2 * side**3 / product_ms / 1e9)


def measure_launches(
    backbone: Sam2Backbone,
    rows_by_stage: Mapping[str, Sequence[int]],
    row_gflop: Mapping[str, float],
    peak_tflops: float,
    repeats: int,
) -> Iterator[Launch]:
    """Time launches of one model, each number of rows after it was compiled, if it is.

    Args:
        backbone: the model.
        rows_by_stage: numbers of rows to launch.
        row_gflop: by stage, see `count_gflop`.
        peak_tflops: of the device.
        repeats: timed launches of each.
    """
    side = backbone.input_size
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    [embedding] = backbone.encode([image])
    prompt = Prompt(points=(Point(side / 2, side / 2),))
    row = prompt_row(prompt, ImageSize(side, side), embedding, backbone)
    launches: dict[str, Callable[[int], object]] = {
        ENCODE: lambda rows: backbone.encode([image] * rows),
        DECODE: lambda rows: backbone.decode([row] * rows),
    }
    kind = torch.device(backbone.device).type
    for stage, sizes in rows_by_stage.items():
        for rows in sizes:
            with backbone.compiling():
                launches[stage](rows)
            launch_ms = _median_ms(partial(launches[stage], rows), kind, repeats)
            yield Launch(
                backbone.name,
                stage,
                backbone.dtype,
                backbone.is_compiled,
                rows,
                launch_ms,
                row_gflop[stage],
                peak_tflops,
            )


def _median_ms(run: Callable[[], object], kind: str, repeats: int) -> float:
    runs_ms = []
    for _ in range(_RUNS_BEFORE + repeats):
        _wait(kind)
        started = time.perf_counter()
        run()
        _wait(kind)
        runs_ms.append((time.perf_counter() - started) * 1000)
    return statistics.median(runs_ms[_RUNS_BEFORE:])


def _wait(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.synchronize()
