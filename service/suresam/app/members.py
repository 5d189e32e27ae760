"""A family's models, loaded and ready to be served."""

from pathlib import Path

from suresam.app.logs import log_to_stderr
from suresam.engine.local import Member
from suresam.errors import ConfigurationError
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import Family, ModelManifest, load_family
from suresam.segmentation.sam2 import Sam2Backbone
from suresam.segmentation.weights import check_sha256, require_weights
from suresam.settings import Settings
from suresam.uncertainty.member_heads import load_member_heads


def read_family(settings: Settings) -> Family:
    """The family that is to be served, as its manifests describe it.

    Raises:
        ConfigurationError: no such family, or a route that has nobody else to ask in it.
    """
    family = load_family(settings.models, _models_dir(settings))
    if settings.route != "small" and len(family.members) < 2:
        raise ConfigurationError(
            f"route={settings.route} asks a larger member, and models={settings.models} has "
            f"{len(family.members)} member, {family.members[0].name}"
        )
    return family


def load_members(settings: Settings, device: str) -> list[Member]:
    """The family's members, cheapest first, on a device.

    Raises:
        ConfigurationError: no such family; missing or damaged weights.
    """
    family = read_family(settings)
    return [_load(manifest, family, device, settings) for manifest in family.members]


def load_members_in_child(settings: Settings, device: str) -> list[Member]:
    """As `load_members`, in a process that has not set anything up yet."""
    log_to_stderr(settings)
    return load_members(settings, device)


def _load(manifest: ModelManifest, family: Family, device: str, settings: Settings) -> Member:
    models_dir = _models_dir(settings)
    model = load_model(manifest, models_dir)
    # Where the manifest has no hash, that of the file itself is told.
    sha256 = manifest.sha256 or check_sha256(manifest, require_weights(manifest, models_dir))
    backbone = Sam2Backbone(
        manifest.name,
        model,
        device,
        box=manifest.box,
        dtype=settings.dtype,
        is_compiled=settings.compile,
    )
    heads = load_member_heads(manifest, family, device, models_dir, settings.calibration)
    return Member(backbone, family.roles_of(manifest.name), sha256, manifest.licence, heads)


def _models_dir(settings: Settings) -> Path | None:
    return None if settings.models_dir is None else Path(settings.models_dir)
