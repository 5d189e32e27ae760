"""Masks on their way to a caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from suresam.domain.geometry import ImageSize
from suresam.domain.uncertainty import Advice, HeadScores, Uncertainty

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model says to one prompt: M masks, 3 with multimask and else 1, still unencoded.

    Attributes:
        size: of the image and of every mask.
        tokens: M values, the decoder token that made each mask, 0 to 3.
        mask_bits: M rows of packed bits (`numpy.packbits`), each mask column by column as
            COCO's run lengths go; None when no masks were wanted.
        predicted_iou, stability: M values each.
        entropy: M values, or None.
        low_res_logits: (M, h, w) float16 within +-32, or None.
        entropy_maps: (M, h, w) float16 in bits, or None.
        heads: M values, or None without heads.
        advice: about the best mask, or None without a calibration.
    """

    size: ImageSize
    tokens: tuple[int, ...]
    mask_bits: NDArray[np.uint8] | None
    predicted_iou: tuple[float, ...]
    stability: tuple[float, ...]
    entropy: tuple[float, ...] | None = None
    low_res_logits: NDArray[np.float16] | None = None
    entropy_maps: NDArray[np.float16] | None = None
    heads: tuple[HeadScores, ...] | None = None
    advice: Advice | None = None

    def mask(self, index: int) -> NDArray[np.bool_]:
        """One mask as bool (H, W), a view with columns contiguous."""
        assert self.mask_bits is not None, "this prediction was asked for without masks"
        pixels = self.size.width * self.size.height
        bits = np.unpackbits(self.mask_bits[index], count=pixels)
        return bits.view(np.bool_).reshape(self.size.width, self.size.height).T

    def reordered(self, order: Sequence[int]) -> "Prediction":
        """The same masks in another order.

        Args:
            order: for each place the index of the mask that goes there; all of them once.
        """
        places = list(order)

        def rows(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if values is None else values[places]

        def items(values: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(values[place] for place in places)

        return replace(
            self,
            tokens=items(self.tokens),
            mask_bits=rows(self.mask_bits),
            predicted_iou=items(self.predicted_iou),
            stability=items(self.stability),
            entropy=None if self.entropy is None else items(self.entropy),
            low_res_logits=rows(self.low_res_logits),
            entropy_maps=rows(self.entropy_maps),
            heads=None if self.heads is None else items(self.heads),
        )

    @property
    def best(self) -> int:
        """Index of the highest predicted IoU."""
        return max(range(len(self.tokens)), key=self.predicted_iou.__getitem__)


@dataclass(frozen=True, slots=True, eq=False)
class Rle:
    """COCO's compressed run lengths, column by column; size is (height, width)."""

    size: tuple[int, int]
    counts: str


Ring = tuple[tuple[float, float], ...]
"""A closed outline in pixels; the first corner is not repeated."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """One mask of an answer, in the encoding that was asked for.

    Attributes:
        rle, png, polygons: at most one of them; polygons are [exterior, hole, ...] each.
        low_res_logits: (h, w) float16 within +-32, or None.
        area: pixels.
        bbox: x, y, width, height in pixels; zeros for an empty mask.
        predicted_iou: the decoder's own estimate, [0, 1].
        stability: share of the mask that stays when the cut moves by one logit, [0, 1].
        token: the decoder token that made it, 0 to 3.
    """

    area: int
    bbox: tuple[int, int, int, int]
    predicted_iou: float
    stability: float
    token: int
    uncertainty: Uncertainty
    rle: Rle | None = None
    png: bytes | None = None
    polygons: tuple[tuple[Ring, ...], ...] | None = None
    low_res_logits: NDArray[np.float16] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Which member answered, why, and what it cost in device milliseconds."""

    model: str
    role: str | None
    escalated: bool
    reason: str
    expected_gain: float | None
    cost: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class ResultError:
    """Why one prompt has no masks although the rest of the request has.

    Attributes:
        code, message: as a refused request would say it.
        retry_after_ms: milliseconds after which the same prompt may be sent again; None where that
            would not help.
    """

    code: str
    message: str
    retry_after_ms: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answer to one prompt: masks, or an error.

    Attributes:
        route: None only for a prompt of a stream that no member answered.
        provisional: a larger member is being asked, and its answer to the same prompt follows.
    """

    prompt_id: str | None
    masks: tuple[Mask, ...]
    best: int | None
    route: Route | None
    advice: Advice | None = None
    error: ResultError | None = None
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds spent by stage; stages overlap with other callers' work."""

    total: float = 0.0
    decode_image: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class SegmentResponse:
    """The answer to a `SegmentRequest`, results in the order of its prompts.

    Attributes:
        image: None only for a prompt of a stream that was refused before its image was looked at.
    """

    image: ImageSize | None
    session_id: str | None
    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    timings_ms: Timings


@dataclass(frozen=True, slots=True, eq=False)
class PromptAnswer:
    """An answer to one prompt of a stream, told as soon as it was ready. One whose result is
    provisional is followed by another one.

    Attributes:
        index: of the prompt, from 0 in the order in which they were sent.
        response: with the result of this prompt alone.
    """

    index: int
    response: SegmentResponse

    @property
    def result(self) -> Result:
        """The prompt's masks, or why there are none."""
        return self.response.results[0]
