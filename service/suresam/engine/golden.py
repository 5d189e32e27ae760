"""Golden pictures: what a model must answer on the path that will serve as it does in float32.

A compiled model, or one in a lower precision, can be fast and wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.domain import Box, ImageSize, Point, Prediction, Prompt
from suresam.engine.scheduler import DECODE, ENCODE
from suresam.errors import ConfigurationError, NonFiniteOutput
from suresam.prediction import Wanted, predict
from suresam.segmentation.backbone import Backbone, DecodeRow, ImageEmbedding
from suresam.segmentation.prompts import prompt_row

MIN_MEAN_IOU = 0.99
"""Of the masks of one number of rows with those of eager float32."""

MIN_IOU = 0.9
"""Of any single one: in a large batch the mean hides a row that is wrong."""

SIZE = ImageSize(640, 480)

_DISC, _SUN, _WIDE, _TALL = Point(180, 170), Point(450, 330), Point(170, 380), Point(480, 160)
PROMPTS = (
    Prompt(points=(_DISC,)),
    Prompt(points=(_SUN,)),
    Prompt(points=(_WIDE,)),
    Prompt(points=(_TALL,)),
    Prompt(points=(_DISC, _SUN), labels=(1, 0)),
    Prompt(points=(_TALL, Point(300, 300)), labels=(1, 0)),
    Prompt(box=Box(88, 78, 272, 262)),
    Prompt(box=Box(395, 85, 565, 235)),
)
"""On the first picture: one point, two points and a box, each on several things."""


def golden_pictures() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two discs and two rectangles before a soft background, and the same turned by 180 degrees.

    Drawn, so that no installation can lack it; of clear things, so that precision alone does
    not change their masks much, and of two pictures, so that mixed-up rows do.
    """
    y, x = np.mgrid[0 : SIZE.height, 0 : SIZE.width].astype(float)
    texture = 6 * np.sin(x / 3) * np.cos(y / 4)
    picture = np.stack([60 + x / 8, 90 + y / 8, 130 + (y - x) / 16], -1) + texture[..., None]
    for centre, radius, colour in ((_DISC, 90, (220, 60, 50)), (_SUN, 70, (240, 220, 80))):
        picture[np.hypot(x - centre.x, y - centre.y) < radius] = colour
    picture[90:230, 400:560] = (40, 160, 220)
    picture[330:420, 90:260] = (30, 40, 50)
    upright = picture.clip(0, 255).astype(np.uint8)
    return upright, np.ascontiguousarray(upright[::-1, ::-1])


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A prompt on one of the pictures, and the mask that eager float32 answers with.

    Attributes:
        picture: index of the picture.
        prompt: on it.
        best: which of the three masks.
        mask: (H, W) bool.
    """

    picture: int
    prompt: Prompt
    best: int
    mask: NDArray[np.bool_]


class GoldenCheck:
    """Compares a backbone with its own weights in eager float32 on the same device.

    Args:
        backbone: that will serve.
        reference: eager float32.
        prepare: called with the stage before it is run.
    """

    def __init__(
        self, backbone: Backbone, reference: Backbone, prepare: Callable[[str], None]
    ) -> None:
        self._backbone = backbone
        self._prepare = prepare
        prepare(ENCODE)
        self._pictures = golden_pictures()
        self._embeddings = [backbone.encode([picture])[0] for picture in self._pictures]
        self._cases: list[_Case] = []
        for index, picture in enumerate(self._pictures):
            [embedding] = reference.encode([picture])
            for prompt in PROMPTS if index == 0 else map(_turned, PROMPTS):
                row = prompt_row(prompt, SIZE, embedding, reference)
                [told] = predict(reference, [row], [Wanted(SIZE)])
                if isinstance(told, NonFiniteOutput):
                    raise ConfigurationError(f"{reference.name}: {told.message} in float32")
                self._cases.append(_Case(index, prompt, told.best, told.mask(told.best)))

    def require_parity(self, stage: str, rows: int) -> float:
        """Compare launches of so many rows.

        Args:
            stage: "decode", of rows of both pictures for each kind of prompt; or "encode", of both
                pictures in turn, each decoded alone.
            rows: of a launch.

        Returns:
            The mean IoU with the masks of the reference.

        Raises:
            ConfigurationError: the mean is under `MIN_MEAN_IOU` or one is under `MIN_IOU`.
        """
        ious = self._decode(rows) if stage == DECODE else self._encode(rows)
        mean, worst = float(np.mean(ious)), min(ious)
        if not (mean >= MIN_MEAN_IOU and worst >= MIN_IOU):
            backbone = self._backbone
            way = f"{backbone.dtype}{', compiled' if backbone.is_compiled else ''}"
            raise ConfigurationError(
                f"{backbone.name}: {stage} of {rows} rows ({way}, {backbone.device}) differs from "
                f"eager float32: mean mask IoU {mean:.4f} (at least {MIN_MEAN_IOU}), lowest "
                f"{worst:.4f} (at least {MIN_IOU}); see --dtype and --compile"
            )
        return mean

    def _decode(self, rows: int) -> list[float]:
        kinds: dict[tuple[int, bool], list[tuple[_Case, DecodeRow]]] = {}
        for case in self._cases:
            row = self._row(case, self._embeddings[case.picture])
            kinds.setdefault(row.shape, []).append((case, row))
        ious: list[float] = []
        for pairs in kinds.values():
            num_launches = -(-len(pairs) // rows)
            # Every launch is full, and every case has its turn.
            places = [i % len(pairs) for i in range(num_launches * rows)]
            for start in range(0, len(places), rows):
                ious += self._launch([pairs[i] for i in places[start : start + rows]])
        return ious

    def _encode(self, rows: int) -> list[float]:
        pictures = [i % len(self._pictures) for i in range(rows)]
        self._prepare(ENCODE)
        embeddings = self._backbone.encode([self._pictures[i] for i in pictures])
        pairs = [
            (case, self._row(case, embedding))
            for picture, embedding in zip(pictures, embeddings, strict=True)
            for case in self._cases
            if case.picture == picture
        ]
        return [iou for pair in pairs for iou in self._launch([pair])]

    def _row(self, case: _Case, embedding: ImageEmbedding) -> DecodeRow:
        return prompt_row(case.prompt, SIZE, embedding, self._backbone)

    def _launch(self, pairs: Sequence[tuple[_Case, DecodeRow]]) -> list[float]:
        self._prepare(DECODE)
        told = predict(self._backbone, [row for _, row in pairs], [Wanted(SIZE)] * len(pairs))
        return [_iou(case, answer) for (case, _), answer in zip(pairs, told, strict=True)]


def check_golden(
    backbone: Backbone, launched: Mapping[str, Sequence[int]], prepare: Callable[[str], None]
) -> dict[str, float]:
    """Refuse a backbone whose path does not answer as its weights do in eager float32.

    Where the path is eager float32 itself, on any device, there is nothing to compare.

    Args:
        backbone: that will serve.
        launched: numbers of rows of a launch, by stage.
        prepare: called with the stage before it is run.

    Returns:
        The lowest mean IoU by stage; empty where nothing was compared.

    Raises:
        ConfigurationError: it differs; the message says where and by how much.
    """
    reference = backbone.reference
    if reference is None:
        return {}
    check = GoldenCheck(backbone, reference, prepare)
    return {
        stage: min(check.require_parity(stage, rows) for rows in launched[stage])
        for stage in (DECODE, ENCODE)
    }


def _turned(prompt: Prompt) -> Prompt:
    """For the picture turned by 180 degrees."""
    points = tuple(Point(SIZE.width - 1 - x, SIZE.height - 1 - y) for x, y in prompt.points)
    box = prompt.box
    if box is not None:
        x1, y1, x2, y2 = box
        box = Box(SIZE.width - x2, SIZE.height - y2, SIZE.width - x1, SIZE.height - y1)
    return Prompt(points=points, labels=prompt.labels, box=box)


def _iou(case: _Case, answer: Prediction | NonFiniteOutput) -> float:
    if isinstance(answer, NonFiniteOutput):
        return 0.0
    mask = answer.mask(case.best)
    union = int((mask | case.mask).sum())
    return int((mask & case.mask).sum()) / union if union else 1.0
