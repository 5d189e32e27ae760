"""The one door to an engine: plain, serialisable messages and who answers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from suresam.domain import (
    ImageSize,
    ModelInfo,
    Prediction,
    Prompt,
    ResultError,
    Session,
    SessionImage,
    Timings,
)
from suresam.tracing.passage import Passage

if TYPE_CHECKING:
    from prometheus_client import Metric


@dataclass(frozen=True, slots=True, eq=False)
class SegmentCall:
    """Prompts on one image, for one member.

    Attributes:
        tenant: whose sessions and cache entries may be seen.
        model: a member's name.
        prompts: at least one, already checked for form.
        remaining_ms: until the caller's deadline; never an absolute time.
        image: an uploaded file, or None for a session's image.
        session_id, image_id: where to look; image_id None is the session's first.
        multimask, masks, low_res_logits, maps, entropy, heads: what each prediction should hold.
        advice: whether it should hold any, beside heads.
        turn: of the first prompt; a request that comes in several calls counts them on.
        is_escalation: whether a smaller member has answered before, not well enough.
        is_free: whether the tenant's limits do not count it, since nobody asked for it.
        trace: `traceparent` of whoever is traced, or None.
    """

    tenant: str
    model: str
    prompts: tuple[Prompt, ...]
    remaining_ms: float
    image: bytes | None = None
    session_id: str | None = None
    image_id: str | None = None
    multimask: bool = True
    masks: bool = True
    low_res_logits: bool = False
    maps: bool = False
    entropy: bool = False
    heads: bool = False
    advice: bool = False
    turn: int = 0
    is_escalation: bool = False
    is_free: bool = False
    trace: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SegmentReply:
    """The answers in the order of the prompts.

    Attributes:
        size: of the image.
        predictions: each a prediction, or the error of that prompt alone.
        warnings: what was done to the image.
        timings_ms: `total` is left to the caller.
        marginal_cost_ms: device milliseconds that one prompt costs on each member, as things
            stood before this call; None where nothing was measured.
        spent_ms: device milliseconds of each prompt, its share of the batch it was in; an encode's
            are told to one prompt of those that waited for it, the first that still does.
        backlog_ms: device milliseconds of the work that waited when this was done.
        embedded: members that had the image's embedding when this was done.
        passage: what became of it in the engine, told of who is traced.
    """

    size: ImageSize
    predictions: tuple[Prediction | ResultError, ...]
    warnings: tuple[str, ...]
    timings_ms: Timings
    marginal_cost_ms: Mapping[str, float | None]
    spent_ms: tuple[float, ...]
    backlog_ms: float = 0.0
    embedded: frozenset[str] = frozenset()
    passage: Passage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CreateSessionCall:
    """Images to keep and to embed for a member.

    Attributes:
        tenant: whose session it becomes.
        model: the member that will probably be asked.
        images: uploaded files, at least one.
        remaining_ms: until the caller's deadline.
        session_id: the client's own choice, or None.
    """

    tenant: str
    model: str
    images: tuple[bytes, ...]
    remaining_ms: float
    session_id: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AddImageCall:
    """One more image for a session."""

    tenant: str
    model: str
    session_id: str
    image: bytes
    remaining_ms: float


class EngineClient(Protocol):
    """What the router may ask. Every method raises only `ServiceError`s."""

    async def segment(self, call: SegmentCall) -> SegmentReply:
        """Answer prompts on an uploaded image or a session's."""

    async def create_session(self, call: CreateSessionCall) -> Session:
        """Keep images under an id, embedded and ready for clicks."""

    async def add_image(self, call: AddImageCall) -> SessionImage:
        """Add an image to a session."""

    async def get_session(self, tenant: str, session_id: str) -> Session:
        """A session's state; looking at it keeps it alive."""

    async def delete_session(self, tenant: str, session_id: str) -> None:
        """Forget a session and its images."""

    async def models(self) -> tuple[ModelInfo, ...]:
        """The members, cheapest first, with their measured cost."""

    async def metrics(self) -> "tuple[Metric, ...]":
        """What is counted elsewhere than in this process's own metrics."""

    def is_ready(self) -> bool:
        """Whether a device has all members warm and its worker alive."""
