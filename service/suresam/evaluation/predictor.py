"""Who is asked: any promptable model, by the very path on which the service answers.

An image is encoded once and asked often. Prompts become rows by `prompt_row` and answers come
from `predict`, as in the engine's worker and in `Segmenter`, so that a figure measured here is
the service's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from suresam.domain import ImageSize, Prediction, Prompt
from suresam.prediction import Wanted, predict
from suresam.segmentation.architecture import ImageModel
from suresam.segmentation.backbone import Backbone
from suresam.segmentation.box_convention import BoxConvention
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone
from suresam.segmenter import EmbeddedImage

_MAX_ROWS = 16
"""Prompts in one forward; more save no time and need memory on large models."""


class Predictor(Protocol):
    """Whoever answers prompts about images. Keeps no state between calls."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def embed(self, image: NDArray[np.uint8]) -> EmbeddedImage:
        """Take in an image, (H, W, 3) RGB."""

    def ask(
        self,
        image: EmbeddedImage,
        prompts: Sequence[Prompt],
        *,
        multimask: bool,
        corners_only: bool = False,
    ) -> list[Prediction]:
        """Answer prompts of one form (equal number of points, all or none with a mask input).

        Args:
            image: what `embed` returned.
            prompts: in pixels of the image.
            multimask: three candidates, or one mask.
            corners_only: tell a box by its two corners, also where the model would get it drawn.

        Returns:
            For each prompt an answer with masks and low-res logits.
        """


class BackbonePredictor:
    """A `Predictor` made of a backbone.

    Args:
        backbone: answers.
        corners: the same model without boxes drawn as mask input; the backbone itself where it
            draws none.
    """

    def __init__(self, backbone: Backbone, corners: Backbone) -> None:
        self.name = backbone.name
        self.backbone = backbone
        self._corners = corners

    @classmethod
    def of_model(
        cls, name: str, model: ImageModel, device: str, *, box: BoxConvention
    ) -> "BackbonePredictor":
        """Ask a model that may still be in training; it is put into evaluation mode."""
        backbone = Sam2Backbone(name, model, device, box=box)
        if not box.as_mask_input:
            return cls(backbone, backbone)
        told = replace(box, as_mask_input=False)
        return cls(backbone, Sam2Backbone(name, model, device, box=told))

    def embed(self, image: NDArray[np.uint8]) -> EmbeddedImage:
        """Encode an image of any size."""
        [embedding] = self.backbone.encode([np.require(image, requirements=["C", "W"])])
        return EmbeddedImage(ImageSize(image.shape[1], image.shape[0]), embedding)

    def ask(
        self,
        image: EmbeddedImage,
        prompts: Sequence[Prompt],
        *,
        multimask: bool,
        corners_only: bool = False,
    ) -> list[Prediction]:
        """Answer prompts of one form.

        Raises:
            NonFiniteOutput: the model answered with NaN or infinity.
        """
        backbone = self._corners if corners_only else self.backbone
        rows = [prompt_row(prompt, image.size, image.embedding, backbone) for prompt in prompts]
        wanted = Wanted(image.size, multimask, low_res_logits=True)
        answers: list[Prediction] = []
        for start in range(0, len(rows), _MAX_ROWS):
            batch = rows[start : start + _MAX_ROWS]
            for answer in predict(backbone, batch, [wanted] * len(batch)):
                if not isinstance(answer, Prediction):
                    raise answer
                answers.append(answer)
        return answers
