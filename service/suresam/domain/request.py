"""What a caller asks for."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suresam.domain.geometry import Box, Point
from suresam.errors import InvalidPrompt

_MOST_SHOWN = 60
"""Characters of a wrong value in a message."""

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

MOST_PROMPTS = 4096
"""In one request, whatever a service's settings allow."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What to segment. Needs points or a box.

    Attributes:
        points: clicks, N of them.
        labels: N values, 1 for foreground and 0 for background; None means all foreground.
        box: an optional box round the thing.
        mask_input: optional (h, w) float logits, usually an earlier answer's low-res logits.
        prompt_id: the caller's own name for it, handed back with the result; no other prompt of
            the request has it.

    Raises:
        InvalidPrompt: points, labels or box are no such sequences.
    """

    points: tuple[Point, ...] = ()
    labels: tuple[int, ...] | None = None
    box: Box | None = None
    mask_input: NDArray[np.float32] | None = None
    prompt_id: str | None = None

    def __post_init__(self) -> None:
        """Accept any sequences of numbers and keep tuples."""
        name, form = "points", "a sequence of (x, y), as in [(280, 160)]"
        try:
            object.__setattr__(self, "points", tuple(Point(*p) for p in self.points))
            if self.labels is not None:
                name, form = "labels", "a sequence of 0 and 1, one for each point"
                object.__setattr__(self, "labels", tuple(self.labels))
            if self.box is not None:
                name, form = "box", "(x1, y1, x2, y2)"
                object.__setattr__(self, "box", Box(*self.box))
        except TypeError:
            given = repr(getattr(self, name))[:_MOST_SHOWN]
            raise InvalidPrompt(f"{name}={given} must be {form}") from None

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
class RouteRequest:
    """Which member should answer.

    Attributes:
        mode: "auto", "small", "large" or a member's name.
        min_gain: expected gain in IoU that justifies the large member.
        max_cost: device milliseconds that the answer may cost; None for no bound.
        progressive: on a stream, give the small member's answer at once, and then the larger one's
            if one is asked; needs mode "auto".
    """

    mode: str = AUTO
    min_gain: float = 0.02
    max_cost: float | None = None
    progressive: bool = False


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


@dataclass(frozen=True, slots=True)
class InteractHeader:
    """What holds for the prompts that follow it on a stream, until the next header.

    Attributes:
        session_id: the session to look in.
        image_id: the image of that session; None for its first.
        options: of each answer.
        deadline_ms: milliseconds that each prompt has; None for the server's default.
    """

    session_id: str
    image_id: str | None = None
    options: SegmentOptions = field(default_factory=SegmentOptions)
    deadline_ms: float | None = None

    def request(self, prompt: Prompt) -> SegmentRequest:
        """One prompt as a request of its own."""
        return SegmentRequest(
            prompts=(prompt,),
            options=self.options,
            session_id=self.session_id,
            image_id=self.image_id,
            deadline_ms=self.deadline_ms,
        )
