"""What the engine may ask of a model: encode images, decode prompts, both batched."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from suresam.domain import PromptKind
from suresam.segmentation.architecture import NUM_MASK_TOKENS as NUM_MASK_TOKENS
from suresam.segmentation.box_convention import BoxConvention

BOX_LABELS = (2, 3)
"""Upstream's labels of a box's top left and bottom right corner."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageEmbedding:
    """One image as a model sees it; depends on image and checkpoint only.

    Attributes:
        image_embed: (C, S/16, S/16), float32 or bfloat16.
        high_res_feats: (C/8, S/4, S/4) and (C/4, S/8, S/8), likewise.
    """

    image_embed: Tensor
    high_res_feats: tuple[Tensor, Tensor]

    @property
    def size_bytes(self) -> int:
        """Memory that it holds."""
        return sum(t.numel() * t.element_size() for t in (self.image_embed, *self.high_res_feats))


@dataclass(frozen=True, slots=True, eq=False)
class DecodeRow:
    """One prompt on one embedded image, in the model's own pixels.

    Attributes:
        embedding: of the image.
        points: (N, 2) float32 x, y in [0, input size]; a box's corners come first.
        labels: (N,) int32; 1 foreground, 0 background, 2 and 3 a box's corners.
        mask_input: (h, w) float32 logits at the model's low-res size, or None.
        kind: of the prompt; a box that is drawn as mask input stays a box.
    """

    embedding: ImageEmbedding
    points: NDArray[np.float32]
    labels: NDArray[np.int32]
    mask_input: NDArray[np.float32] | None
    kind: PromptKind

    @property
    def shape(self) -> tuple[int, bool]:
        """What rows of one batch have in common: prompt length, and whether a mask is given."""
        return len(self.labels), self.mask_input is not None

    @property
    def has_box(self) -> bool:
        """Whether a box is among its prompts, whatever else is."""
        return BOX_LABELS[0] in self.labels


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Everything the decoder says about B rows, on the model's device.

    Attributes:
        low_res_logits: (B, 4, h, w) float32, unbounded; one map for each mask token.
        predicted_iou: (B, 4) float32 in [0, 1].
        iou_token: (B, C) float32, the transformer's output for the IoU token.
        mask_tokens: (B, 4, C) float32, likewise for the mask tokens.
        object_score_logits: (B, 1) float32; > 0 means present.
    """

    low_res_logits: Tensor
    predicted_iou: Tensor
    iou_token: Tensor
    mask_tokens: Tensor
    object_score_logits: Tensor


class Backbone(Protocol):
    """A promptable segmentation model. Implementations keep no state between calls."""

    @property
    def name(self) -> str:
        """The checkpoint's name."""

    @property
    def device(self) -> str:
        """Where it runs, as torch names it; "fake" for the fake."""

    @property
    def dtype(self) -> str:
        """Precision of its arithmetic."""

    @property
    def is_compiled(self) -> bool:
        """Whether launches of the sizes that were met while `compiling` are compiled."""

    def padded_rows(self, stage: str, rows: int) -> int:
        """With how many rows a launch of so many runs; more where that size was compiled.

        Args:
            stage: "encode" or "decode".
            rows: of the launch.
        """

    @property
    def reference(self) -> "Backbone | None":
        """What it must agree with: the same weights on the same device in eager float32.

        None where it is just that itself.
        """

    def compiling(self) -> AbstractContextManager[None]:
        """Within it, launches of sizes that are new are compiled first, if it compiles at all."""

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""

    @property
    def low_res_size(self) -> int:
        """Side of low-res logits and of a mask input in pixels."""

    @property
    def num_parameters(self) -> int:
        """Weights in the model."""

    @property
    def box(self) -> BoxConvention:
        """How the checkpoint was taught to read boxes."""

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[ImageEmbedding]:
        """Embed images of any sizes, each RGB uint8 (H, W, 3), in one forward.

        The embeddings may share memory: who keeps one of several for long copies it.
        """

    def decode(self, rows: Sequence[DecodeRow]) -> Decoded:
        """Decode rows of equal `shape`, on any images, in one forward."""
