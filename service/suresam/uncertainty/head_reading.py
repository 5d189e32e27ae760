"""What the numbers of the heads mean for one model of a family."""

from collections.abc import Sequence

from suresam.domain import HeadScores, PromptKind
from suresam.errors import CheckpointError
from suresam.uncertainty.head_info import (
    DENSE_PROMPT,
    MODEL_GAP,
    PROMPT_GAP,
    TASK_GAP,
    UNSUPERVISED,
    HeadInfo,
)

DERIVED = "_derived"
"""Ends the names of gaps that are differences of two IoU heads."""


class HeadReading:
    """Turns a row of head outputs into gains that a caller understands.

    Args:
        info: of the heads.
        model: the checkpoint that makes the masks.
        largest: the last member of the family that is served.

    Raises:
        CheckpointError: the heads do not know the model.
    """

    def __init__(self, info: HeadInfo, model: str, largest: str) -> None:
        if model not in info.models:
            raise CheckpointError(
                f"the heads are not for {model}: they know {', '.join(info.models)}"
            )
        ends = (next(iter(info.models)), next(reversed(info.models)))
        self._names = info.names
        self._prompts = info.prompts
        self._own = info.models[model]
        self._large = info.models.get(largest) if model != largest else None
        # The direct head learned the gain of one pair of models, and says nothing of another.
        self._has_model_gap = (model, largest) == ends and model != largest

    def read(self, values: Sequence[float], kind: PromptKind) -> HeadScores:
        """The scores of one mask.

        Args:
            values: of all heads, as `UsamHeads.score` gives them.
            kind: of the prompt.
        """
        named = dict(zip(self._names, values, strict=True))
        own = named[self._own]
        if self._large is not None:
            named[MODEL_GAP + DERIVED] = named[self._large] - own
        named[PROMPT_GAP + DERIVED] = named[DENSE_PROMPT] - own
        named[TASK_GAP + DERIVED] = own - named[UNSUPERVISED]
        return HeadScores(
            values=named,
            model_gap=named[MODEL_GAP] if self._has_model_gap else None,
            prompt_gap=named[PROMPT_GAP],
            task_gap=named[TASK_GAP],
            in_regime=kind in self._prompts,
        )
