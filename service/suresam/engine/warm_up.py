"""First launches of a model: what comes later is fast, and the cost table has its first entries."""

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from suresam.domain import ImageSize, Point, Prompt
from suresam.engine.costs import CostTable
from suresam.engine.scheduler import DECODE, ENCODE
from suresam.prediction import Wanted, predict
from suresam.segmentation.backbone import Backbone, ImageEmbedding
from suresam.segmentation.prompts import prompt_row
from suresam.uncertainty.member_heads import MemberHeads

logger = logging.getLogger(__name__)

_SIZE = ImageSize(640, 480)
_RUNS = 3
_LONG_MS = 500.0
"""Milliseconds after which a launch is not run once more."""

MaxRows = Callable[[str, str], int]
"""Rows of one launch, by stage and model."""


def warm_up(
    backbone: Backbone,
    heads: MemberHeads | None,
    costs: CostTable,
    max_rows: MaxRows,
    prepare: Callable[[str], None],
) -> ImageEmbedding:
    """Run a model with one row and with as many as a launch may have, and note what that takes.

    Args:
        backbone: the model.
        heads: its heads, or None.
        costs: where to note it.
        max_rows: of a launch; asked when one row's cost is known, from which it may follow.
        prepare: called with the stage before it is run.

    Returns:
        An embedding, as the model makes them.
    """
    values = np.linspace(0, 255, _SIZE.height * _SIZE.width * 3)
    image = values.astype(np.uint8).reshape(_SIZE.height, _SIZE.width, 3)
    [embedding] = backbone.encode([image])
    prompt = Prompt(points=(Point(_SIZE.width / 2, _SIZE.height / 2),))
    row = prompt_row(prompt, _SIZE, embedding, backbone)
    wanted = Wanted(_SIZE, entropy=True, heads=True)
    launches: dict[str, Callable[[int], object]] = {
        ENCODE: lambda rows: backbone.encode([image] * rows),
        DECODE: lambda rows: predict(backbone, [row] * rows, [wanted] * rows, heads),
    }
    launches[DECODE](1)  # what is done once only costs nobody later
    for stage, launch in launches.items():
        prepare(stage)
        for rows in _sizes(partial(max_rows, stage, backbone.name)):
            try:
                launch_ms = _median_ms(partial(launch, rows), _RUNS if rows == 1 else 1)
            except torch.OutOfMemoryError:
                if rows == 1:
                    raise
                logger.warning("%s: no memory to %s %d rows", backbone.name, stage, rows)
                continue  # the worker splits such launches
            costs.record(stage, backbone.name, rows, launch_ms)
            logger.info("%s: %s of %d rows: %.1f ms", backbone.name, stage, rows, launch_ms)
    return embedding


def _sizes(max_rows: Callable[[], int]) -> Iterator[int]:
    yield 1
    if (most := max_rows()) > 1:
        yield most


def _median_ms(run: Callable[[], object], num_runs: int) -> float:
    times: list[float] = []
    while len(times) < num_runs and sum(times) < _LONG_MS:
        started = time.monotonic()
        run()
        times.append((time.monotonic() - started) * 1000)
    return statistics.median(times)
