"""What a model costs on this machine: time and arithmetic of one encode and one decode."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from suresam.domain import Point, Prompt
from suresam.evaluation.predictor import BackbonePredictor
from suresam.segmentation.prompts import prompt_row

_ENCODES, _DECODES = 7, 15

_Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one image, and of one click on it with three full-size masks.

    Attributes:
        encode_ms, decode_ms: medians of runs measured here, nothing else asked meanwhile.
        encode_gflops, decode_gflops: multiplications and additions in 1e9, of matrix products,
            convolutions and attention alone.
    """

    encode_ms: float
    decode_ms: float
    encode_gflops: float
    decode_gflops: float


def measure_cost(predictor: BackbonePredictor, image: NDArray[np.uint8]) -> Cost:
    """Time a predictor on one image, (H, W, 3) uint8 RGB, after a warm-up."""
    backbone = predictor.backbone
    embedded = predictor.embed(image)
    click = Prompt(points=(Point(image.shape[1] / 2, image.shape[0] / 2),))
    row = prompt_row(click, embedded.size, embedded.embedding, backbone)

    def encode() -> None:
        predictor.embed(image)
        if backbone.device.startswith("cuda"):
            torch.cuda.synchronize()

    return Cost(
        _median_ms(encode, _ENCODES),
        _median_ms(lambda: predictor.ask(embedded, [click], multimask=True), _DECODES),
        _gflops(lambda: backbone.encode([image])),
        _gflops(lambda: backbone.decode([row])),
    )


def _median_ms(run: Callable[[], object], times: int) -> float:
    run()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def _gflops(run: Callable[[], object]) -> float:
    # Torch counts the fused attention of every device but the processor.
    on_cpu = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
    with FlopCounterMode(display=False, custom_mapping=on_cpu) as counter:
        run()
    return float(counter.get_total_flops() / 1e9)


def _attention_flops(query: _Shape, key: _Shape, value: _Shape, *_: object, **__: object) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]
