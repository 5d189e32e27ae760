"""First launches of a model: what comes later is fast, and the cost table has its first entries."""

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch

from suresam.engine.costs import CostTable
from suresam.engine.golden import PROMPTS, SIZE, check_golden, golden_pictures
from suresam.engine.scheduler import DECODE, ENCODE
from suresam.prediction import Wanted, predict
from suresam.segmentation.backbone import Backbone, DecodeRow, ImageEmbedding
from suresam.segmentation.prompts import prompt_row
from suresam.uncertainty.member_heads import MemberHeads

logger = logging.getLogger(__name__)

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

    One that compiles is compiled for the powers of two between, too. In the end its masks are
    compared with those of eager float32, see `check_golden`.

    Args:
        backbone: the model.
        heads: its heads, or None.
        costs: where to note it.
        max_rows: of a launch; asked when one row's cost is known, from which it may follow.
        prepare: called with the stage before it is run.

    Returns:
        An embedding, as the model makes them.

    Raises:
        ConfigurationError: it cannot be compiled, or its masks are not those of eager float32.
    """
    image, _ = golden_pictures()
    launched: dict[str, list[int]] = {ENCODE: [], DECODE: []}
    with backbone.compiling():
        prepare(ENCODE)
        [embedding] = backbone.encode([image])
        kinds = _kinds_of_rows(backbone, embedding)
        wanted = Wanted(SIZE, entropy=True, heads=True, advice=True)
        launches: dict[str, Callable[[int], object]] = {
            ENCODE: lambda rows: backbone.encode([image] * rows),
            DECODE: lambda rows: predict(backbone, [kinds[0]] * rows, [wanted] * rows, heads),
        }
        all_kinds: dict[str, Callable[[int], object]] = {
            ENCODE: launches[ENCODE],
            DECODE: lambda rows: [
                predict(backbone, [row] * rows, [wanted] * rows, heads) for row in kinds
            ],
        }
        prepare(DECODE)
        launches[DECODE](1)  # what is done once only costs nobody later
        for stage, launch in launches.items():
            prepare(stage)
            for rows in _sizes(partial(max_rows, stage, backbone.name), backbone.is_compiled):
                try:
                    if backbone.is_compiled:  # not while the time is taken
                        all_kinds[stage](rows)
                    launch_ms = _median_ms(partial(launch, rows), _RUNS if rows == 1 else 1)
                except torch.OutOfMemoryError:
                    if rows == 1:
                        raise
                    logger.warning("%s: no memory to %s %d rows", backbone.name, stage, rows)
                    continue  # the worker splits such launches
                launched[stage].append(rows)
                costs.record(stage, backbone.name, rows, launch_ms)
                logger.info("%s: %s of %d rows: %.1f ms", backbone.name, stage, rows, launch_ms)
    for stage, iou in check_golden(backbone, launched, prepare).items():
        logger.info("%s: %s as eager float32 does: mask IoU %.4f", backbone.name, stage, iou)
    return embedding


def _kinds_of_rows(backbone: Backbone, embedding: ImageEmbedding) -> list[DecodeRow]:
    """A row of each shape that prompts of the golden pictures have, one point first."""
    rows = [prompt_row(prompt, SIZE, embedding, backbone) for prompt in PROMPTS]
    return list({row.shape: row for row in rows}.values())


def _sizes(max_rows: Callable[[], int], is_compiled: bool) -> Iterator[int]:
    yield 1
    most = max_rows()
    size = 2
    while is_compiled and size < most:
        yield size
        size *= 2
    if most > 1:
        yield most


def _median_ms(run: Callable[[], object], num_runs: int) -> float:
    times: list[float] = []
    while len(times) < num_runs and sum(times) < _LONG_MS:
        started = time.monotonic()
        run()
        times.append((time.monotonic() - started) * 1000)
    return statistics.median(times)
