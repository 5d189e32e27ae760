"""What travels between a client, the API, the router and an engine: plain values and NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

MaskFormat = Literal["rle", "png", "polygon", "none"]
"""How a mask is written into an answer."""

MASK_FORMATS: tuple[MaskFormat, ...] = ("rle", "png", "polygon", "none")

SMALL = "small"
LARGE = "large"
AUTO = "auto"
"""Route modes beside a member's own name: the first member, the last, or let the policy choose."""

PromptKind = Literal["one_click", "clicks", "box", "box_and_clicks", "mask_input"]
"""What a prompt is made of: one foreground click; any other clicks; a box; both; or a mask input,
whatever else there is."""

KNOWN_METHODS = ("usam", "entropy")
"""Uncertainty methods that a request may name."""


class Point(NamedTuple):
    """Pixels of the image as displayed; x to the right, y down."""

    x: float
    y: float


class Box(NamedTuple):
    """Corners in pixels of the image as displayed; x1 < x2, y1 < y2."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What to segment. Needs points or a box.

    Attributes:
        points: clicks, N of them.
        labels: N values, 1 for foreground and 0 for background; None means all foreground.
        box: an optional box round the thing.
        mask_input: optional (h, w) float logits, usually an earlier answer's low-res logits.
        prompt_id: the caller's own name for it, handed back with the result.
    """

    points: tuple[Point, ...] = ()
    labels: tuple[int, ...] | None = None
    box: Box | None = None
    mask_input: NDArray[np.float32] | None = None
    prompt_id: str | None = None

    def __post_init__(self) -> None:
        """Accept any sequences of numbers and keep tuples."""
        object.__setattr__(self, "points", tuple(Point(*p) for p in self.points))
        if self.labels is not None:
            object.__setattr__(self, "labels", tuple(self.labels))
        if self.box is not None:
            object.__setattr__(self, "box", Box(*self.box))

    @property
    def point_labels(self) -> tuple[int, ...]:
        """A label for every point."""
        return (1,) * len(self.points) if self.labels is None else self.labels

    @property
    def kind(self) -> PromptKind:
        """What it is made of."""
        if self.mask_input is not None:
            return "mask_input"
        if self.box is not None:
            return "box_and_clicks" if self.points else "box"
        return "one_click" if self.point_labels == (1,) else "clicks"


@dataclass(frozen=True, slots=True)
class ImageSize:
    """Pixels of an image as displayed (EXIF orientation applied)."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Which member should answer.

    Attributes:
        mode: "auto", "small", "large" or a member's name.
        min_gain: expected gain in IoU that justifies the large member.
        max_cost: device milliseconds that the answer may cost; None for no bound.
    """

    mode: str = AUTO
    min_gain: float = 0.02
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class UncertaintyRequest:
    """Which uncertainty methods to run, and whether their maps are wanted."""

    methods: tuple[str, ...] = KNOWN_METHODS
    maps: bool = False


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """How masks are written.

    Attributes:
        masks: the encoding.
        low_res_logits: whether to return the logits that may serve as a later mask input.
        min_region_area: pixels; smaller islands are removed and smaller holes filled.
    """

    masks: MaskFormat = "rle"
    low_res_logits: bool = False
    min_region_area: int = 0


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """All that a request says beside its image and its prompts."""

    multimask: bool = True
    route: RouteRequest = field(default_factory=RouteRequest)
    uncertainty: UncertaintyRequest = field(default_factory=UncertaintyRequest)
    output: OutputRequest = field(default_factory=OutputRequest)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentRequest:
    """One request. The image is either uploaded with it or lies in a session.

    Attributes:
        prompts: at least one.
        options: masks, route, uncertainty, output.
        image: the uploaded file's bytes, or None.
        session_id: the session to look in, or None.
        image_id: the image of that session; None for its first.
        deadline_ms: milliseconds left for the answer; None for the server's default.
    """

    prompts: tuple[Prompt, ...]
    options: SegmentOptions = field(default_factory=SegmentOptions)
    image: bytes | None = None
    session_id: str | None = None
    image_id: str | None = None
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HeadScores:
    """What the UncertainSAM heads say of one mask.

    Attributes:
        values: by name: IoU heads in (0, 1), gap heads in (-0.5, 0.5), and `*_gap_derived`, the
            differences of two IoU heads.
        model_gap, prompt_gap, task_gap: expected gains in IoU, signed; None where no head speaks
            of this model.
        in_regime: whether the heads saw prompts of this kind in training.
        expected_iou: calibrated, [0, 1], or None without a calibration.
        expected_iou_interval: its (low, high), likewise.
        calibration: name of that calibration.
    """

    values: Mapping[str, float]
    model_gap: float | None
    prompt_gap: float | None
    task_gap: float | None
    in_regime: bool
    expected_iou: float | None = None
    expected_iou_interval: tuple[float, float] | None = None
    calibration: str | None = None


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

    def mask(self, index: int) -> NDArray[np.bool_]:
        """One mask as bool (H, W), a view with columns contiguous."""
        assert self.mask_bits is not None, "this prediction was asked for without masks"
        pixels = self.size.width * self.size.height
        bits = np.unpackbits(self.mask_bits[index], count=pixels)
        return bits.view(np.bool_).reshape(self.size.width, self.size.height).T

    @property
    def best(self) -> int:
        """Index of the highest predicted IoU."""
        return max(range(len(self.tokens)), key=self.predicted_iou.__getitem__)


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintyMap:
    """A scalar for every low-resolution pixel, (h, w) float16; higher means trust it less."""

    values: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """How far one mask can be trusted; what was not computed is None.

    Attributes:
        score: higher means trust it less, [0, 1].
        expected_iou: calibrated expectation, [0, 1].
        expected_iou_interval: its (low, high).
        entropy: foreground-weighted mean binary entropy, bits, [0, 1].
        model_gap, prompt_gap, task_gap: signed expected gains in IoU.
        heads: raw output by head name.
        maps: by method name.
        in_regime: whether the heads were trained on such prompts.
        method, calibration: where score and expected IoU come from.
    """

    score: float | None = None
    expected_iou: float | None = None
    expected_iou_interval: tuple[float, float] | None = None
    entropy: float | None = None
    model_gap: float | None = None
    prompt_gap: float | None = None
    task_gap: float | None = None
    heads: Mapping[str, float] | None = None
    maps: Mapping[str, UncertaintyMap] | None = None
    in_regime: bool | None = None
    method: str | None = None
    calibration: str | None = None


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
class Advice:
    """What to do about the best mask."""

    action: str
    reason: str
    point: Point | None = None
    label: int | None = None


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
    """Why one prompt has no masks although the rest of the request has."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The answer to one prompt: masks, or an error."""

    prompt_id: str | None
    masks: tuple[Mask, ...]
    best: int | None
    route: Route
    advice: Advice | None = None
    error: ResultError | None = None


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
    """The answer to a `SegmentRequest`, results in the order of its prompts."""

    image: ImageSize
    session_id: str | None
    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    timings_ms: Timings


@dataclass(frozen=True, slots=True)
class SessionImage:
    """One image of a session."""

    image_id: str
    width: int
    height: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A client's expiring handle on embedded images.

    Attributes:
        session_id: the server's or the client's choice.
        images: in the order of upload.
        expires_at: seconds since the epoch, UTC; every use moves it on.
    """

    session_id: str
    images: tuple[SessionImage, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One member of the family that is being served.

    Attributes:
        name: the checkpoint.
        roles: "small", "large", both or none.
        device, dtype: where and in what precision it runs.
        input_size: side of its square input in pixels.
        parameters: how many it has.
        cost_ms: measured device milliseconds by stage ("encode", "decode").
        sha256: of the weights file.
        licence: of the weights.
        heads, heads_sha256: name and file hash of the uncertainty heads installed for it, or None.
        calibration: name of the calibration that belongs to it, or None.
    """

    name: str
    roles: tuple[str, ...]
    device: str
    dtype: str
    input_size: int
    parameters: int
    cost_ms: Mapping[str, float]
    sha256: str
    licence: str
    heads: str | None = None
    heads_sha256: str | None = None
    calibration: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What is being served and within what limits."""

    family: str
    members: tuple[ModelInfo, ...]
    limits: Mapping[str, int | float]
    version: str
