"""The keywords of a segmentation call, the same in every client, as a `SegmentRequest`."""

from collections.abc import Iterable, Sequence

from typing_extensions import TypedDict, Unpack

from suresam.domain import (
    InteractHeader,
    OutputRequest,
    Prompt,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    UncertaintyRequest,
)
from suresam.errors import InvalidRequest


class OptionKeywords(TypedDict, total=False):
    """The fields of `SegmentOptions`; its defaults hold.

    Attributes:
        multimask: three candidates for each prompt, or one.
        route: which member of the family should answer.
        uncertainty: which methods run.
        output: how masks are written.
    """

    multimask: bool
    route: RouteRequest
    uncertainty: UncertaintyRequest
    output: OutputRequest


class SegmentKeywords(OptionKeywords, total=False):
    """What a call may say beside its image and prompts.

    Attributes:
        deadline_ms: milliseconds for the answer, retries included.
    """

    deadline_ms: float | None


def segment_request(
    prompts: Prompt | Sequence[Prompt],
    *,
    image: bytes | None = None,
    session_id: str | None = None,
    image_id: str | None = None,
    deadline_ms: float | None = None,
    **options: Unpack[OptionKeywords],
) -> SegmentRequest:
    """The request of a call on an uploaded image or on a session.

    Raises:
        InvalidRequest: what should be prompts are none.
    """
    return SegmentRequest(
        prompts=_all_prompts(prompts),
        options=SegmentOptions(**options),
        image=image,
        session_id=session_id,
        image_id=image_id,
        deadline_ms=deadline_ms,
    )


def interact_header(
    session_id: str,
    image_id: str | None = None,
    *,
    deadline_ms: float | None = None,
    **options: Unpack[OptionKeywords],
) -> InteractHeader:
    """What holds for the prompts of a stream."""
    return InteractHeader(session_id, image_id, SegmentOptions(**options), deadline_ms)


def check_prompt(given: object, where: str) -> None:
    """Make sure that something is a prompt.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(given, Prompt):
        raise InvalidRequest(
            f"{where} is no suresam.domain.Prompt but {type(given).__name__}; write "
            "Prompt(points=[(x, y)]) or Prompt(box=(x1, y1, x2, y2))"
        )


def _all_prompts(prompts: Prompt | Sequence[Prompt]) -> tuple[Prompt, ...]:
    if isinstance(prompts, Prompt):
        return (prompts,)
    if isinstance(prompts, str) or not isinstance(prompts, Iterable):
        check_prompt(prompts, "prompts")
    chosen = tuple(prompts)
    for index, prompt in enumerate(chosen):
        check_prompt(prompt, f"prompts[{index}]")
    return chosen
