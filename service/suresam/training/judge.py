"""A quick judgement of half-trained weights on a few held-out targets, with a picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import normalize

from suresam.datasets import Dataset, Mask
from suresam.domain import Box, Point, Prediction, Prompt
from suresam.evaluation.overlap import intersection_over_union
from suresam.evaluation.predictor import BackbonePredictor
from suresam.evaluation.prompts import central_click, tight_box
from suresam.evaluation.targets import Picture, TargetChoice, chosen_pictures
from suresam.segmentation.architecture import Architecture, ImageModel
from suresam.segmentation.box_convention import BoxConvention
from suresam.segmentation.staging import Staging
from suresam.segmentation.transforms import normalise_images
from suresam.training.forward import encode
from suresam.training.sheet import ANSWER, BEST, TRUTH, Tile, draw_sheet

TARGETS_PER_PICTURE = 2

_THRESHOLDS = np.arange(0.1, 0.96, 0.05)
"""Cosines at which a mask of the encoder's features is cut; the best one counts for all."""

Click = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What the weights are worth.

    Attributes:
        figures: mean IoUs over the targets, by name.
        sheet: for every picture its first target and the answers to a click on it.
    """

    figures: dict[str, float]
    sheet: Image


class Judge:
    """Asks for the same targets again and again, of a model of its own.

    The model in training is never touched, nor the global random generators, so that a training
    that is looked at stays equal to one that is not.

    Args of the constructor: `architecture` and `device` of the model; `pictures`, at least one.
    """

    def __init__(
        self, architecture: Architecture, device: str, pictures: Sequence[Picture]
    ) -> None:
        self.pictures = tuple(pictures)
        with torch.random.fork_rng(devices=[]):
            self._model = architecture.build()
        self._model.to(device).eval()
        self._device = torch.device(device)

    @property
    def num_targets(self) -> int:
        """Targets that a figure is a mean over."""
        return sum(len(picture.targets) for picture in self.pictures)

    def judge(self, weights: dict[str, Tensor], has_decoder: bool, title: str) -> Judgement:
        """Judge weights.

        Args:
            weights: the model's state.
            has_decoder: whether the decoder is trained; without it the figure is what a cut
                through the cosines to the clicked pixel's feature gives.
            title: begins the line above the sheet.

        Raises:
            NonFiniteOutput: the model answered with NaN or infinity.
        """
        self._model.load_state_dict(weights)
        return self._by_clicks(title) if has_decoder else self._by_contrast(title)

    def _by_clicks(self, title: str) -> Judgement:
        predictor = BackbonePredictor.of_model(
            "training", self._model, str(self._device), box=BoxConvention(by_token_0=True)
        )
        scores = []
        cells = []
        for picture in self.pictures:
            image = predictor.embed(picture.image)
            truths = [target.truth for target in picture.targets]
            clicks = [central_click(truth) for truth in truths]
            by_click = predictor.ask(
                image, [Prompt(points=(Point(*click),)) for click in clicks], multimask=True
            )
            by_box = predictor.ask(
                image, [Prompt(box=Box(*tight_box(truth))) for truth in truths], multimask=False
            )
            for k, truth in enumerate(truths):
                ious = _ious(by_click[k], truth)
                first, second = by_click[k].best, int(np.argmax(ious))
                scores.append((ious[first], ious[second], *_ious(by_box[k], truth)))
                if k == 0:
                    answers = [
                        (by_click[k].mask(first), ANSWER, f"top {ious[first]:.2f}"),
                        (by_click[k].mask(second), BEST, f"best {ious[second]:.2f}"),
                    ]
                    cells.append(_cell(picture, clicks[k], answers))
        top, best, box = (float(value) for value in np.mean(scores, axis=0))
        figures = {"held_out_top_iou": top, "held_out_best_iou": best, "held_out_box_iou": box}
        words = f"one click: top {top:.3f}, best of three {best:.3f}; box corners {box:.3f}"
        return Judgement(figures, draw_sheet(self._title(title, words), cells))

    def _by_contrast(self, title: str) -> Judgement:
        ious = []
        shown: list[tuple[Picture, Click, NDArray[np.float32]]] = []
        for picture in self.pictures:
            features = _fine_features(self._model, picture.image, self._device)
            for k, target in enumerate(picture.targets):
                click = central_click(target.truth)
                cosine = _cosines(features, click, target.truth.shape)
                ious.append(
                    [intersection_over_union(cosine >= t, target.truth) for t in _THRESHOLDS]
                )
                if k == 0:
                    shown.append((picture, click, cosine))
        means = np.mean(ious, axis=0)
        cut = float(_THRESHOLDS[int(means.argmax())])
        cells = []
        for picture, click, cosine in shown:
            mask = cosine >= cut
            text = f"cut {intersection_over_union(mask, picture.targets[0].truth):.2f}"
            heat = cv2.applyColorMap(
                (255 * np.clip(cosine, 0, 1)).astype(np.uint8), cv2.COLORMAP_VIRIDIS
            )
            cell = _cell(picture, click, [(mask, ANSWER, text)])
            heat_tile = Tile(np.asarray(heat[..., ::-1], np.uint8), None, ANSWER, click, "cosine")
            cells.append([cell[0], heat_tile, cell[1]])
        figures = {"held_out_contrast_iou": float(means.max())}
        words = f"features like the clicked one (cosine from {cut:.2f}): {means.max():.3f}"
        return Judgement(figures, draw_sheet(self._title(title, words), cells))

    def _title(self, title: str, words: str) -> str:
        return f"{title}    mean IoU over {self.num_targets} held-out targets, {words}"


def held_out_pictures(dataset: Dataset, count: int, prefers_large: bool) -> list[Picture]:
    """Some targets of some pictures, the same ones every time.

    Args:
        count: most pictures.
        prefers_large: see `TargetChoice`.

    Raises:
        ConfigurationError: no picture has a mask of a usual size, or one cannot be read.
    """
    choice = TargetChoice(
        per_image=TARGETS_PER_PICTURE,
        min_share=0.003,
        prefers_large=prefers_large,
        num_targets=TARGETS_PER_PICTURE * count,
        num_images=2 * count,
    )
    return list(chosen_pictures(dataset, choice))[:count]


def _cell(
    picture: Picture, click: Click, answers: list[tuple[Mask, tuple[int, int, int], str]]
) -> list[Tile]:
    truth = Tile(picture.image, picture.targets[0].truth, TRUTH, click, "truth")
    return [truth, *(Tile(picture.image, mask, hue, click, text) for mask, hue, text in answers)]


def _ious(answer: Prediction, truth: Mask) -> list[float]:
    masks = (np.ascontiguousarray(answer.mask(i)) for i in range(len(answer.tokens)))
    return [intersection_over_union(mask, truth) for mask in masks]


@torch.inference_mode()
def _fine_features(model: ImageModel, image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The finest map of an image, normalised: (C, h, w)."""
    size = model.architecture.input_size
    pixels = normalise_images([np.require(image, requirements=["C", "W"])], size, Staging(device))
    return normalize(encode(model, pixels).fine[0].float(), dim=0)


def _cosines(features: Tensor, click: Click, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The cosine of every pixel's feature to the clicked one's, (H, W) float32."""
    side = features.shape[-1]
    x, y = click[0] * side // shape[1], click[1] * side // shape[0]
    cosine = torch.einsum("chw,c->hw", features, features[:, y, x]).cpu().numpy()
    return np.asarray(cv2.resize(cosine, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))
