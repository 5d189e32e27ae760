"""Sessions, and what is being served."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionImage:
    """One image of a session."""

    image_id: str
    width: int
    height: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A client's expiring handle on embedded images.

    Attributes:
        session_id: the server's or the client's choice.
        images: in the order of upload.
        expires_at: seconds since the epoch, UTC; every use moves it on.
    """

    session_id: str
    images: tuple[SessionImage, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One member of the family that is being served.

    Attributes:
        name: the checkpoint.
        roles: "small", "large", both or none.
        device, dtype: where and in what precision it runs.
        input_size: side of its square input in pixels.
        parameters: how many it has.
        cost_ms: measured device milliseconds by stage ("encode", "decode").
        sha256: of the weights file.
        licence: of the weights.
        heads, heads_sha256: name and file hash of the uncertainty heads installed for it, or None.
        calibration, calibration_sha256: name and file hash of the calibration that it follows, or
            None.
    """

    name: str
    roles: tuple[str, ...]
    device: str
    dtype: str
    input_size: int
    parameters: int
    cost_ms: Mapping[str, float]
    sha256: str
    licence: str
    heads: str | None = None
    heads_sha256: str | None = None
    calibration: str | None = None
    calibration_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What is being served and within what limits."""

    family: str
    members: tuple[ModelInfo, ...]
    limits: Mapping[str, int | float]
    version: str
