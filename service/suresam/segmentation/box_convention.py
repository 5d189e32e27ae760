"""How a checkpoint was taught to read a box."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True)
class BoxConvention:
    """A property of a checkpoint's training.

    Attributes:
        as_mask_input: a box is also drawn as mask input, unless the caller sends one.
        by_token_0: a box is never ambiguous: where one mask is wanted it is token 0's, whether
            or not that mask is stable.
    """

    as_mask_input: bool = False
    by_token_0: bool = False

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


OFFICIAL = BoxConvention()
"""What Meta's checkpoints were taught: the two corners alone, and the rule for any prompt."""

TRAINED_HERE = BoxConvention(as_mask_input=True, by_token_0=True)
"""What `suresam train segmenter` teaches."""
