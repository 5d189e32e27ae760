"""The messages of sessions and of what is being served."""

from suresam.domain import ModelInfo, ServiceInfo, Session, SessionImage
from suresam.pb import segmentation_pb2 as pb


def session_to_proto(session: Session) -> pb.Session:
    """Write a session."""
    return pb.Session(
        session_id=session.session_id,
        images=[
            pb.SessionImage(
                image_id=image.image_id,
                width=image.width,
                height=image.height,
                warnings=image.warnings,
            )
            for image in session.images
        ],
        expires_at=session.expires_at,
    )


def session_from_proto(message: pb.Session) -> Session:
    """Read a session."""
    return Session(
        session_id=message.session_id,
        images=tuple(
            SessionImage(image.image_id, image.width, image.height, tuple(image.warnings))
            for image in message.images
        ),
        expires_at=message.expires_at,
    )


def service_info_to_proto(info: ServiceInfo) -> pb.ListModelsResponse:
    """Write what is being served."""
    return pb.ListModelsResponse(
        family=info.family,
        models=[_model_to_proto(member) for member in info.members],
        limits=info.limits,
        version=info.version,
    )


def service_info_from_proto(message: pb.ListModelsResponse) -> ServiceInfo:
    """Read what is being served; limits that are whole numbers are ints, as in REST."""
    return ServiceInfo(
        family=message.family,
        members=tuple(_model_from_proto(model) for model in message.models),
        limits={
            name: int(limit) if limit.is_integer() else limit
            for name, limit in message.limits.items()
        },
        version=message.version,
    )


def _model_to_proto(model: ModelInfo) -> pb.ModelInfo:
    return pb.ModelInfo(
        name=model.name,
        roles=model.roles,
        device=model.device,
        dtype=model.dtype,
        input_size=model.input_size,
        parameters=model.parameters,
        cost_ms=model.cost_ms,
        sha256=model.sha256,
        licence=model.licence,
        heads=model.heads,
        heads_sha256=model.heads_sha256,
        calibration=model.calibration,
        calibration_sha256=model.calibration_sha256,
    )


def _model_from_proto(message: pb.ModelInfo) -> ModelInfo:
    return ModelInfo(
        name=message.name,
        roles=tuple(message.roles),
        device=message.device,
        dtype=message.dtype,
        input_size=message.input_size,
        parameters=message.parameters,
        cost_ms=dict(message.cost_ms),
        sha256=message.sha256,
        licence=message.licence,
        heads=message.heads if message.HasField("heads") else None,
        heads_sha256=message.heads_sha256 if message.HasField("heads_sha256") else None,
        calibration=message.calibration if message.HasField("calibration") else None,
        calibration_sha256=(
            message.calibration_sha256 if message.HasField("calibration_sha256") else None
        ),
    )
