"""What to do about an answer: the action of greatest expected gain, if it gains enough."""

from collections.abc import Callable, Sequence

from suresam.domain import Advice, HeadScores
from suresam.uncertainty.next_click import NextClick

ACCEPT, ADD_POINT, CHOOSE_MASK, USE_LARGE, REVIEW = ACTIONS = (
    "accept",
    "add_point",
    "choose_mask",
    "use_large",
    "review",
)

WORTHWHILE = 0.05
"""Expected gain in IoU below which nobody is asked to do anything."""

POOR = 0.5
"""Expected IoU below which a mask that nothing improves should be looked at by a person. An IoU
of one half is what detection benchmarks since PASCAL VOC call found."""


def advise(
    masks: Sequence[HeadScores], best: int, find_click: Callable[[], NextClick | None]
) -> Advice | None:
    """One action for the best mask of an answer.

    Args:
        masks: scores of all masks of the answer.
        best: which of them is meant.
        find_click: where the next click would go; asked only if a click is worth it.

    Returns:
        The advice; None without a calibration, since raw gaps are not worth comparing.
    """
    scores = masks[best]
    expected = scores.expected_iou
    if expected is None:
        return None
    gains = {
        CHOOSE_MASK: scores.task_gap if len(masks) > 1 else None,
        USE_LARGE: scores.model_gap,
        ADD_POINT: scores.next_click_gain,
    }
    for action, gain in sorted(_worthwhile(gains).items(), key=lambda item: -item[1]):
        if action == CHOOSE_MASK:
            return Advice(action, _choice(masks, best, gain))
        if action == USE_LARGE:
            return Advice(action, f"the large model is expected to be {gain:.2f} IoU better")
        if (click := find_click()) is not None:
            x, y = click.point
            where = f"a click at ({x:.0f}, {y:.0f}), in the middle of what is most in doubt"
            reason = f"{where}, is expected to add {gain:.2f} IoU"
            return Advice(action, reason, click.point, click.label)
    if not expected >= POOR:
        return Advice(REVIEW, f"expected IoU {expected:.2f} is poor, and nothing here mends it")
    others = "nothing" if len(masks) > 1 else "neither a click nor a larger model"
    return Advice(ACCEPT, f"expected IoU {expected:.2f}; {others} is expected to add {WORTHWHILE}")


def likeliest_mask(masks: Sequence[HeadScores]) -> int:
    """Which mask of an answer has the highest expected IoU; all have one."""
    expected = [mask.expected_iou or 0.0 for mask in masks]
    return expected.index(max(expected))


def _choice(masks: Sequence[HeadScores], best: int, gain: float) -> str:
    likeliest = likeliest_mask(masks)
    which = f"this one (masks[{best}])" if likeliest == best else f"masks[{likeliest}]"
    return (
        f"the prompt may mean several things: whoever picks the right one of the three masks is "
        f"expected to gain {gain:.2f} IoU; without looking, {which} is the likeliest"
    )


def _worthwhile(gains: dict[str, float | None]) -> dict[str, float]:
    return {action: g for action, g in gains.items() if g is not None and g >= WORTHWHILE}
