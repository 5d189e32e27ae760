"""What all JSON bodies have in common."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from suresam.wire import float16


class RequestModel(BaseModel):
    """A part of a request: exact types, and no field that the contract does not name.

    NaN and infinity pass and are written as such: the validation that both transports share
    refuses them with one message.
    """

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=True, ser_json_inf_nan="constants"
    )


class AnswerModel(BaseModel):
    """A part of an answer: exact types; a client passes over fields of a newer server."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Float16Body(RequestModel):
    """An (h, w) array of little-endian float16, row by row, as base64."""

    shape: tuple[int, int] = Field(description="Height and width; at most 1048576 values.")
    data: str = Field(description="Standard base64 with padding.")

    @classmethod
    def from_domain(cls, values: NDArray[np.floating[Any]]) -> "Float16Body":
        """Write an (h, w) array."""
        height, width = values.shape
        return cls(shape=(height, width), data=float16.to_base64(values))

    def to_domain(self) -> NDArray[np.float16]:
        """The (h, w) array.

        Raises:
            ValueError: shape and data do not fit or the data is not base64.
        """
        return float16.from_base64(self.data, self.shape)
