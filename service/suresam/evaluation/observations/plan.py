"""Which prompts a target gets: every kind that people send, centre clicks and sloppy ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suresam.datasets import Mask
from suresam.domain import Box, Point, Prompt
from suresam.errors import ConfigurationError
from suresam.evaluation.predictor import Predictor
from suresam.evaluation.prompts import (
    central_click,
    correction,
    loose_box,
    random_click,
    scattered_clicks,
    tight_box,
)
from suresam.evaluation.questions import coarse_logits, logits_of
from suresam.segmenter import EmbeddedImage

PROMPTS = (
    "centre_click",
    "random_click",
    "clicks",
    "corrections",
    "box",
    "box_and_click",
    "coarse_mask",
)
"""The prompts of a target by name, in order."""

ONE_CLICK = (PROMPTS.index("centre_click"), PROMPTS.index("random_click"))
"""Places of those that a service answers with three masks."""

NUM_EXTRA_CLICKS = 7
"""Foreground clicks that make a dense prompt of any prompt."""


@dataclass(frozen=True, slots=True)
class ObservationPlan:
    """What is asked about every target.

    Attributes:
        prompts: those of `PROMPTS` that a target may get.
        per_target: how many of them it gets, the first one and others that are drawn; None for
            all.
        mixtures: whether to ask for the entropies of mixed masks, for centre clicks.
        next_clicks: whether to try what one more click adds, which takes half as long again.
    """

    prompts: tuple[str, ...] = PROMPTS
    per_target: int | None = None
    mixtures: bool = False
    next_clicks: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        if self.per_target is not None and not 1 <= self.per_target <= len(self.prompts):
            raise ConfigurationError(
                f"{self.per_target} prompts of a target: choose 1 to {len(self.prompts)}"
            )

    @property
    def rows(self) -> int:
        """Prompts of a target."""
        return len(self.prompts) if self.per_target is None else self.per_target

    def places(self, rng: np.random.Generator) -> list[int]:
        """Those prompts of one target, by their places in `PROMPTS`."""
        first, *others = map(PROMPTS.index, self.prompts)
        if self.per_target is None:
            return [first, *others]
        return [first, *rng.permutation(others)[: self.per_target - 1].tolist()]


def plan_prompt(
    name: str, truth: Mask, image: EmbeddedImage, first: Predictor, rng: np.random.Generator
) -> Prompt:
    """The prompt of a name in `PROMPTS`.

    A click in the centre; one anywhere inside; two to four clicks, each where the answer before
    was most wrong; two to six such clicks with the earlier logits handed back; a box, every other
    one loose; a box and a click; a click and a coarse mask.

    Args:
        name: of the prompt.
        truth: (H, W) bool.
        image: embedded by `first`, whose answers are corrected; everybody gets the same prompts.
        rng: of every choice.
    """
    if name == "random_click":
        return Prompt(points=(Point(*random_click(truth, rng)),))
    if name == "clicks":
        return _corrected(truth, image, first, int(rng.integers(2, 5)), keeps_logits=False)
    if name == "corrections":
        return _corrected(truth, image, first, int(rng.integers(2, 7)), keeps_logits=True)
    if name == "box":
        return Prompt(box=Box(*loose_box(truth, rng)))
    centre = Point(*central_click(truth))
    if name == "box_and_click":
        return Prompt(points=(centre,), box=Box(*tight_box(truth)))
    if name == "coarse_mask":
        return Prompt(points=(centre,), mask_input=coarse_logits(truth))
    return Prompt(points=(centre,))


def denser(prompt: Prompt, truth: Mask, rng: np.random.Generator) -> Prompt:
    """The same prompt with seven more foreground clicks, drawn evenly from the truth."""
    more = [Point(*click) for click in scattered_clicks(truth, NUM_EXTRA_CLICKS, rng)]
    return Prompt(
        points=(*prompt.points, *more),
        labels=(*prompt.point_labels, *(1 for _ in more)),
        box=prompt.box,
        mask_input=prompt.mask_input,
    )


def _corrected(
    truth: Mask, image: EmbeddedImage, predictor: Predictor, count: int, *, keeps_logits: bool
) -> Prompt:
    """So many clicks, the last of them not yet answered."""
    prompt = Prompt(points=(Point(*central_click(truth)),))
    for number in range(1, count):
        [answer] = predictor.ask(image, [prompt], multimask=number == 1)
        x, y, label = correction(np.ascontiguousarray(answer.mask(answer.best)), truth)
        prompt = Prompt(
            points=(*prompt.points, Point(x, y)),
            labels=(*prompt.point_labels, label),
            mask_input=logits_of(answer, answer.best) if keeps_logits else None,
        )
    return prompt


def by_shape(shapes: Sequence[object], most: int) -> list[list[int]]:
    """Indices of equal shape together, at most so many, in the order of their first."""
    groups: dict[object, list[int]] = {}
    for index, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(index)
    return [
        group[start : start + most]
        for group in groups.values()
        for start in range(0, len(group), most)
    ]
