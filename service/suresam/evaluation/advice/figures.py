"""What advice is worth, with 95 % intervals by picture."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suresam.columns import aligned
from suresam.evaluation.advice.cases import Cases
from suresam.evaluation.bootstrap import Estimate, ImageBootstrap
from suresam.evaluation.rows import told
from suresam.uncertainty.advice import ACTIONS, ADD_POINT, CHOOSE_MASK, USE_LARGE

CLICKS = {
    "advised": "the advised click",
    "random": "a click at random in the union of the three masks",
    "ideal": "a click in the middle of the largest true error (bound)",
    "advised_less_random": "advised less random, pair by pair",
}
POLICIES = {
    "as_answered": "as answered",
    "following": "following the advice",
    "likeliest": "always the mask of highest expected IoU",
    CHOOSE_MASK: "always the best of the three masks",
    ADD_POINT: "always the advised click",
    USE_LARGE: "always the large model",
    "ideal": "always the action that gains most (bound)",
}

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ActionFigures:
    """Of the answers that one action was advised for.

    Attributes:
        share: of all answers.
        iou: of them, before.
        expected, realised: gain in IoU.
    """

    share: Estimate
    iou: Estimate
    expected: Estimate
    realised: Estimate


@dataclass(frozen=True, slots=True)
class AdviceFigures:
    """Of one member.

    Attributes:
        clicks: by `CLICKS`, gain in IoU wherever a click is advised at all.
        asked: the same where the advice was to click.
        actions: of every action that was advised.
        policies: by `POLICIES`, mean IoU.
    """

    clicks: Mapping[str, Estimate]
    asked: Mapping[str, Estimate]
    actions: Mapping[str, ActionFigures]
    policies: Mapping[str, Estimate]


def judge_advice(cases: Cases, seed: int = 0) -> AdviceFigures:
    """All figures of one member."""
    bootstrap = ImageBootstrap(cases.picture, seed)
    realised = cases.realised_gain

    def where(kept: NDArray[np.bool_], values: Values) -> Estimate:
        return bootstrap.mean(np.where(kept, values, np.nan))

    actions = {}
    for action in ACTIONS:
        is_it = cases.action == action
        if is_it.any():
            actions[action] = ActionFigures(
                bootstrap.mean(is_it.astype(np.float64)),
                where(is_it, cases.iou),
                where(is_it, cases.expected_gain),
                where(is_it, realised),
            )
    possible = np.stack(list(cases.gains.values()))
    policies = {
        "as_answered": bootstrap.mean(cases.iou),
        "following": bootstrap.mean(cases.iou + realised),
        "likeliest": bootstrap.mean(cases.likeliest),
        **{
            action: bootstrap.mean(cases.iou + np.nan_to_num(cases.gains[action]))
            for action in (CHOOSE_MASK, ADD_POINT, USE_LARGE)
            if not np.isnan(cases.gains[action]).all()
        },
        "ideal": bootstrap.mean(cases.iou + np.nanmax(possible, 0)),
    }
    has_click = ~np.isnan(cases.gains[ADD_POINT])
    return AdviceFigures(
        _clicks(cases, has_click, bootstrap),
        _clicks(cases, cases.action == ADD_POINT, bootstrap),
        actions,
        policies,
    )


def _clicks(
    cases: Cases, kept: NDArray[np.bool_], bootstrap: ImageBootstrap
) -> dict[str, Estimate]:
    kept = kept & ~np.isnan(cases.random_click)
    advised = cases.gains[ADD_POINT]
    gains = {
        "advised": advised,
        "random": cases.random_click,
        "ideal": cases.ideal_click,
        "advised_less_random": advised - cases.random_click,
    }
    return {name: bootstrap.mean(np.where(kept, gain, np.nan)) for name, gain in gains.items()}


def format_advice(name: str, figures: AdviceFigures) -> str:
    """The three tables of a member."""
    clicks = [(f"{name}: gain of one more click", "wherever there is one", "where advised")]
    for key, words in CLICKS.items():
        clicks.append((words, told(figures.clicks[key], "+"), told(figures.asked[key], "+")))
    actions = [(f"{name}: action", "share", "IoU before", "expected gain", "gain")]
    for action, of_it in figures.actions.items():
        gains = (told(of_it.expected, "+"), told(of_it.realised, "+"))
        actions.append((action, f"{of_it.share.value:.1%}", told(of_it.iou), *gains))
    policies = [(f"{name}: mean IoU", "")]
    policies += [(POLICIES[key], told(e)) for key, e in figures.policies.items()]
    return "\n\n".join("\n".join(aligned(rows)) for rows in (clicks, actions, policies))
