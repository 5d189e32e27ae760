"""Masks and scores of one image from Python, without a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from suresam.domain import (
    SMALL,
    Advice,
    Box,
    HeadScores,
    ImageSize,
    Prediction,
    Prompt,
    SegmentRequest,
)
from suresam.errors import InvalidImage
from suresam.prediction import Wanted, predict
from suresam.segmentation.backbone import ImageEmbedding
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.images import ImageLimits, pixels_of, read_pixels
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone, choose_device
from suresam.uncertainty.member_heads import load_member_heads
from suresam.validation import PromptLimits, check_inside, check_request

ImageSource: TypeAlias = str | Path | bytes | Image.Image | NDArray[np.uint8]
"""A path, a file's bytes, a Pillow image, or RGB uint8 (H, W, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedImage:
    """An image that was encoded once and may be asked about often.

    Attributes:
        size: of the image.
        embedding: what the model keeps of it.
    """

    size: ImageSize
    embedding: ImageEmbedding


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The answer to one prompt: M masks, 3 with multimask and else 1.

    Attributes:
        masks: (M, H, W) bool.
        predicted_iou: (M,) float64 in [0, 1], the decoder's own estimate.
        stability: (M,) float64 in [0, 1], the share of each mask that stays when its cut moves.
        entropy: (M,) float64 in bits, [0, 1]; higher means trust it less.
        tokens: (M,) int, the decoder token that made each mask, 0 to 3.
        low_res_logits: (M, h, w) float32 within +-32; may serve as a later `mask_input`.
        best: index of the highest predicted IoU.
        heads: what the uncertainty heads say of each mask, M values, or None.
        advice: what to do about the best mask, or None without a calibration.
    """

    masks: NDArray[np.bool_]
    predicted_iou: NDArray[np.float64]
    stability: NDArray[np.float64]
    entropy: NDArray[np.float64]
    tokens: NDArray[np.int64]
    low_res_logits: NDArray[np.float32]
    best: int
    heads: tuple[HeadScores, ...] | None
    advice: Advice | None


class Segmenter:
    """One model of a family, for one image at a time. Keeps no state between calls, but belongs to
    one thread at a time.

    Args:
        models: a family, as `suresam serve --models`.
        member: "small", "large" or a member's name.
        device: "auto", "cpu" or "cuda".
        models_dir: folder of manifests and weights that is searched first.

    Raises:
        ConfigurationError: no such family or device; missing or damaged weights.
        UnknownModel: no such member.
    """

    def __init__(
        self,
        models: str = "demo",
        member: str = SMALL,
        *,
        device: str = "auto",
        models_dir: str | Path | None = None,
    ) -> None:
        folder = None if models_dir is None else Path(models_dir)
        family = load_family(models, folder)
        manifest = family.member(member)
        device = choose_device(device)
        model = load_model(manifest, folder)
        self._backbone = Sam2Backbone(manifest.name, model, device, box=manifest.box)
        self._heads = load_member_heads(manifest, family, device, folder)

    def embed(self, image: ImageSource) -> EmbeddedImage:
        """Encode an image, to ask several prompts of it.

        Args:
            image: a path, a file's bytes, a Pillow image, or RGB uint8 (H, W, 3).

        Raises:
            InvalidImage, ImageTooLarge
        """
        pixels = _pixels(image)
        [embedding] = self._backbone.encode([pixels])
        return EmbeddedImage(ImageSize(pixels.shape[1], pixels.shape[0]), embedding)

    def segment(
        self,
        image: EmbeddedImage | ImageSource,
        *,
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[int] | None = None,
        box: tuple[float, float, float, float] | None = None,
        mask_input: NDArray[np.float32] | None = None,
        multimask: bool = True,
    ) -> Segmentation:
        """Segment what the points or the box mean.

        Args:
            image: as for `embed`, or what `embed` returned.
            points: x, y in pixels of the image.
            labels: one for each point, 1 foreground and 0 background; default all foreground.
            box: x1, y1, x2, y2 in pixels.
            mask_input: (h, w) logits, usually an earlier answer's `low_res_logits[i]`.
            multimask: three candidates, or one mask.

        Raises:
            InvalidImage, ImageTooLarge, InvalidPrompt
            NonFiniteOutput: the model answered with NaN or infinity.
        """
        prompt = Prompt(
            points=tuple(points),  # type: ignore[arg-type]  # it makes `Point`s of them
            labels=None if labels is None else tuple(labels),
            box=None if box is None else Box(*box),
            mask_input=mask_input,
        )
        check_request(SegmentRequest(prompts=(prompt,), image=b""), PromptLimits())
        embedded = image if isinstance(image, EmbeddedImage) else self.embed(image)
        check_inside([prompt], embedded.size)
        row = prompt_row(prompt, embedded.size, embedded.embedding, self._backbone)
        wanted = Wanted(
            embedded.size, multimask, low_res_logits=True, entropy=True, heads=True, advice=True
        )
        [prediction] = predict(self._backbone, [row], [wanted], self._heads)
        if not isinstance(prediction, Prediction):
            raise prediction
        assert prediction.low_res_logits is not None, "they were asked for"
        assert prediction.entropy is not None, "likewise"
        return Segmentation(
            masks=np.stack([prediction.mask(i) for i in range(len(prediction.tokens))]),
            predicted_iou=np.array(prediction.predicted_iou),
            stability=np.array(prediction.stability),
            entropy=np.array(prediction.entropy),
            tokens=np.array(prediction.tokens),
            low_res_logits=prediction.low_res_logits.astype(np.float32),
            best=prediction.best,
            heads=prediction.heads,
            advice=prediction.advice,
        )


def _pixels(image: ImageSource) -> NDArray[np.uint8]:
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InvalidImage(
                f"the array is {image.dtype} {image.shape}; it must be RGB uint8 (H, W, 3)"
            )
        # Torch takes writable arrays only, and a Pillow image's array is none.
        return np.require(image, requirements=["C", "W"])
    if isinstance(image, Image.Image):
        return pixels_of(image)
    data = image if isinstance(image, bytes) else Path(image).read_bytes()
    return read_pixels(data, ImageLimits())
