"""What a set of UncertainSAM heads is: which heads, for which checkpoints, taught on what."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from suresam.domain import PromptKind
from suresam.errors import CheckpointError
from suresam.segmentation.manifests import told_problems

Pairing = Literal["maker", "one_before"]
"""Whose token a mask's heads read beside the IoU token: that of the token which made the mask, or
the one before it, as the published heads were trained (token 0 stands for itself)."""

Targets = Literal["best_mask", "every_mask"]
"""What the heads of a mask learned: how good the best of the three masks is and what would make it
better, as published; or the same of the very mask that they read."""

Tokens = Literal["both", "iou", "mask"]
"""Which tokens heads read. Those of one token have weights of zero where the other one comes in, so
that all are read alike."""

DENSE_PROMPT, UNSUPERVISED = "iou_dense_prompt", "iou_unsupervised"
MODEL_GAP, PROMPT_GAP, TASK_GAP = GAPS = "model_gap", "prompt_gap", "task_gap"
"""Heads that every set has, beside one IoU head for each model."""


@dataclass(frozen=True, slots=True)
class HeadInfo:
    """Stands in the header of a head file.

    Attributes:
        models: for every checkpoint, cheapest first, the name of its own IoU head. The model gap
            is the last one's gain over the first.
        pairing: see `Pairing`.
        targets: see `Targets`.
        prompts: kinds of prompts that the heads saw in training.
        source, licence: where the heads come from and under what terms.
        trained_on: SHA-256 of the weights that they were trained on, by checkpoint; empty where
            nobody noted it.
        tokens: see `Tokens`; files from before this field say nothing, and mean both.

    Raises:
        CheckpointError: no model, or one IoU head for two of them.
    """

    models: dict[str, str]
    pairing: Pairing
    targets: Targets
    prompts: tuple[PromptKind, ...]
    source: str
    licence: str
    trained_on: dict[str, str] = field(default_factory=dict)
    tokens: Tokens = "both"

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if not self.models or len(set(self.names)) < len(self.names):
            raise CheckpointError(
                f"heads need a model, and an IoU head of its own for each: {self.models}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Every head, in the order in which files and answers hold them."""
        return (*self.models.values(), DENSE_PROMPT, UNSUPERVISED, *GAPS)

    def to_header(self) -> dict[str, str]:
        """As the metadata of a safetensors file, which are strings."""
        content = asdict(self)
        if self.tokens == "both":  # unsaid, so that the bytes of such files stay what they were
            del content["tokens"]
        return {"suresam_heads": json.dumps(content)}

    @classmethod
    def from_header(cls, header: Mapping[str, str]) -> "HeadInfo":
        """Read what `to_header` wrote.

        Raises:
            CheckpointError: it is missing or malformed.
        """
        if (text := header.get("suresam_heads")) is None:
            raise CheckpointError("this is no head file: its header says nothing of heads")
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as error:
            raise CheckpointError(f"header of the heads: {told_problems(error)}") from error
