"""Asking a trained image model for masks of one picture at a time, as the service does."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from suresam.segmentation.architecture import ImageModel
from suresam.segmentation.transforms import normalise_images
from suresam.training.forward import Features, box_prompt, decode, encode


@dataclass(frozen=True, slots=True)
class Answer:
    """All four tokens' answers to one prompt.

    Attributes:
        masks: (4, H, W) bool at the picture's size; 0 is the single mask, 1 to 3 candidates.
        predicted_iou: (4,) float in [0, 1].
        low_res: (4, h, w) float32 logits, to be given back with a correction.
    """

    masks: NDArray[np.bool_]
    predicted_iou: NDArray[np.float64]
    low_res: Tensor

    @property
    def top(self) -> int:
        """The candidate (1 to 3) of highest predicted IoU."""
        return 1 + int(self.predicted_iou[1:].argmax())


class Predictor(Protocol):
    """Whoever answers prompts about the picture it looked at last."""

    def look(self, image: NDArray[np.uint8]) -> None:
        """Take in a picture, (H, W, 3) RGB."""

    def click(self, points: list[tuple[int, int, int]], previous: Tensor | None) -> Answer:
        """Answer clicks (x, y in pixels, label 1 or 0), refining `previous` (h, w) if given."""

    def box(self, box: tuple[float, float, float, float], is_drawn: bool) -> Answer:
        """Answer a box (xyxy in pixels), drawn as a mask input or told by its corners alone."""


class ModelPredictor:
    """A `Predictor` made of an image model on its device, in evaluation mode."""

    def __init__(self, model: ImageModel) -> None:
        self._model = model.eval()
        self._device = model.no_mem_embed.device
        self._size = model.architecture.input_size
        self._features: Features | None = None
        self._height = self._width = 0

    @torch.inference_mode()
    def look(self, image: NDArray[np.uint8]) -> None:
        """Encode a picture of any size."""
        self._height, self._width = image.shape[:2]
        pixels = normalise_images([np.ascontiguousarray(image)], self._size, self._device)
        self._features = encode(self._model, pixels)

    @torch.inference_mode()
    def click(self, points: list[tuple[int, int, int]], previous: Tensor | None) -> Answer:
        """Answer one or more clicks."""
        scale = torch.tensor([self._size / self._width, self._size / self._height])
        places = torch.tensor([[float(x), float(y)] for x, y, _ in points]) * scale
        labels = torch.tensor([[float(label) for _, _, label in points]])
        mask = None if previous is None else previous[None, None]
        return self._answer(places[None].to(self._device), labels.to(self._device), mask)

    @torch.inference_mode()
    def box(self, box: tuple[float, float, float, float], is_drawn: bool) -> Answer:
        """Answer a box."""
        x, y = self._size / self._width, self._size / self._height
        corners = torch.tensor([box], device=self._device)
        corners *= torch.tensor([x, y, x, y], device=self._device)
        points, labels, drawn = box_prompt(self._model, corners)
        return self._answer(points, labels, drawn if is_drawn else None)

    def _answer(self, points: Tensor, labels: Tensor, mask_input: Tensor | None) -> Answer:
        assert self._features is not None, "look at a picture first"
        first = torch.zeros(1, dtype=torch.int64, device=self._device)
        decoded = decode(self._model, self._features, first, points, labels, mask_input)
        full = interpolate(decoded.logits, (self._height, self._width), mode="bilinear")[0]
        return Answer(
            (full > 0).cpu().numpy(),
            decoded.predicted_iou[0].double().cpu().numpy(),
            decoded.logits[0],
        )
