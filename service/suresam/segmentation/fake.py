"""A deterministic backbone whose time and faults are set by hand, for tests of everything else.

Its masks are discs round the first point, so an answer can be told from its neighbours'.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from suresam.segmentation.backbone import (
    NUM_MASK_TOKENS,
    Decoded,
    DecodeRow,
    ImageEmbedding,
)
from suresam.segmentation.box_convention import OFFICIAL, BoxConvention


@dataclass(frozen=True, slots=True)
class FakeCosts:
    """Milliseconds of one launch: a fixed part and a part for each row."""

    encode_ms: float = 0.0
    encode_row_ms: float = 0.0
    decode_ms: float = 0.0
    decode_row_ms: float = 0.0


@dataclass(slots=True)
class FakeBackbone:
    """A `Backbone` without weights.

    Attributes:
        costs: how long launches take.
        poison: an image whose first pixel's red value is this makes any decode batch it is in
            fail.
        nan: an image with this red value gives non-finite logits in its own row only.
        deadly: an image with this red value kills the worker's thread.
        lost: an image with this red value fails as a lost CUDA device does.
        gate: launches wait for it; set at first. Clear it to hold the device still.
        launches: (stage, rows) of every launch that passed the gate.
        num_entered: launches that came to the gate.
        reference: what it must agree with before it serves; nothing at first.
    """

    name: str = "fake-small"
    costs: FakeCosts = field(default_factory=FakeCosts)
    input_size: int = 64
    box: BoxConvention = OFFICIAL
    poison: int = 201
    nan: int = 202
    deadly: int = 203
    lost: int = 204
    gate: threading.Event = field(default_factory=threading.Event)
    launches: list[tuple[str, int]] = field(default_factory=list)
    num_entered: int = 0
    device: str = "fake"
    dtype: str = "float32"
    num_parameters: int = 0
    is_compiled: bool = False
    reference: "FakeBackbone | None" = None

    def __post_init__(self) -> None:
        """Open the gate."""
        self.gate.set()

    @property
    def low_res_size(self) -> int:
        """A quarter of the input."""
        return self.input_size // 4

    def padded_rows(self, stage: str, rows: int) -> int:
        """Just these."""
        return rows

    def compiling(self) -> AbstractContextManager[None]:
        """There is nothing to compile."""
        return nullcontext()

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[ImageEmbedding]:
        """Keep each image's first red value."""
        self._launch("encode", len(images), self.costs.encode_ms, self.costs.encode_row_ms)
        return [
            ImageEmbedding(
                torch.full((1, 1, 1), float(image[0, 0, 0])),
                (torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)),
            )
            for image in images
        ]

    def decode(self, rows: Sequence[DecodeRow]) -> Decoded:
        """Discs of growing radius for tokens 0 to 3; the red value tilts the predicted IoU."""
        self._launch("decode", len(rows), self.costs.decode_ms, self.costs.decode_row_ms)
        reds = [int(row.embedding.image_embed.flatten()[0]) for row in rows]
        if self.deadly in reds:
            raise SystemExit("the fake device died")
        if self.lost in reds:
            raise RuntimeError("CUDA error: the fake device is lost")
        if self.poison in reds:
            raise RuntimeError("the fake device failed on a poisoned row")
        scale = self.input_size / self.low_res_size
        grid = (np.arange(self.low_res_size) + 0.5) * scale
        radii = self.input_size * np.array([0.25, 0.1, 0.2, 0.3])
        logits = np.empty((len(rows), NUM_MASK_TOKENS, len(grid), len(grid)), np.float32)
        for row, maps, red in zip(rows, logits, reds, strict=True):
            x, y = row.points[0]
            distance = np.hypot(grid[None, :] - x, grid[:, None] - y)
            maps[:] = (radii[:, None, None] - distance).clip(-20, 20)
            if red == self.nan:
                maps[:] = np.nan
        tilt = torch.tensor(reds, dtype=torch.float32)[:, None] / 1000
        return Decoded(
            low_res_logits=torch.from_numpy(logits),
            predicted_iou=torch.tensor([[0.5, 0.4, 0.7, 0.6]]) + tilt,
            iou_token=tilt,
            mask_tokens=torch.arange(4.0).repeat(len(rows), 1)[..., None],
            object_score_logits=torch.ones(len(rows), 1),
        )

    def _launch(self, stage: str, rows: int, fixed_ms: float, row_ms: float) -> None:
        self.num_entered += 1
        self.gate.wait()
        self.launches.append((stage, rows))
        time.sleep((fixed_ms + rows * row_ms) / 1000)
