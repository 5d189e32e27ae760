"""The JSON of sessions and of what is being served."""

from datetime import datetime, timezone

from pydantic import Field

from suresam.domain import ModelInfo, ServiceInfo, Session, SessionImage
from suresam.wire.rest.model import AnswerModel


class SessionImageBody(AnswerModel):
    """One image of a session."""

    image_id: str
    width: int
    height: int
    warnings: tuple[str, ...] = Field(description="What was done to the input.")

    @classmethod
    def from_domain(cls, image: SessionImage) -> "SessionImageBody":
        """Write one image."""
        return cls(
            image_id=image.image_id,
            width=image.width,
            height=image.height,
            warnings=image.warnings,
        )

    def to_domain(self) -> SessionImage:
        """The image."""
        return SessionImage(self.image_id, self.width, self.height, self.warnings)


class SessionBody(AnswerModel):
    """A client's expiring handle on embedded images."""

    session_id: str
    images: tuple[SessionImageBody, ...] = Field(description="In the order of upload.")
    expires_at: str = Field(description="ISO 8601, UTC; every use moves it on.")

    @classmethod
    def from_domain(cls, session: Session) -> "SessionBody":
        """Write a session; its expiry keeps milliseconds."""
        expires_at = datetime.fromtimestamp(session.expires_at, timezone.utc)
        return cls(
            session_id=session.session_id,
            images=tuple(SessionImageBody.from_domain(image) for image in session.images),
            expires_at=expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )

    def to_domain(self) -> Session:
        """The session.

        Raises:
            ValueError: the expiry is not ISO 8601.
        """
        expires_at = datetime.fromisoformat(self.expires_at.replace("Z", "+00:00"))
        return Session(
            session_id=self.session_id,
            images=tuple(image.to_domain() for image in self.images),
            expires_at=expires_at.timestamp(),
        )


class ModelInfoBody(AnswerModel):
    """One member of the family."""

    name: str
    roles: tuple[str, ...]
    device: str
    dtype: str
    input_size: int = Field(description="Side of its square input in pixels.")
    parameters: int
    cost_ms: dict[str, float] = Field(description="Device milliseconds by stage.")
    sha256: str
    licence: str
    heads: str | None = Field(description="Uncertainty heads that are installed for it.")
    heads_sha256: str | None
    calibration: str | None
    calibration_sha256: str | None

    @classmethod
    def from_domain(cls, model: ModelInfo) -> "ModelInfoBody":
        """Write one member."""
        return cls(
            name=model.name,
            roles=model.roles,
            device=model.device,
            dtype=model.dtype,
            input_size=model.input_size,
            parameters=model.parameters,
            cost_ms=dict(model.cost_ms),
            sha256=model.sha256,
            licence=model.licence,
            heads=model.heads,
            heads_sha256=model.heads_sha256,
            calibration=model.calibration,
            calibration_sha256=model.calibration_sha256,
        )

    def to_domain(self) -> ModelInfo:
        """The member."""
        return ModelInfo(**dict(self))


class ModelsBody(AnswerModel):
    """What is being served and within what limits."""

    family: str
    members: tuple[ModelInfoBody, ...] = Field(description="Cheapest first.")
    limits: dict[str, int | float]
    version: str

    @classmethod
    def from_domain(cls, info: ServiceInfo) -> "ModelsBody":
        """Write what is being served."""
        return cls(
            family=info.family,
            members=tuple(ModelInfoBody.from_domain(member) for member in info.members),
            limits=dict(info.limits),
            version=info.version,
        )

    def to_domain(self) -> ServiceInfo:
        """What is being served."""
        return ServiceInfo(
            family=self.family,
            members=tuple(member.to_domain() for member in self.members),
            limits=self.limits,
            version=self.version,
        )
