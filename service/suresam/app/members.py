"""A family's models, loaded and ready to be served."""

from pathlib import Path

from suresam.engine.local import Member
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import Family, ModelManifest, load_family
from suresam.segmentation.sam2 import Sam2Backbone, choose_device
from suresam.segmentation.weights import check_sha256, require_weights
from suresam.settings import Settings
from suresam.uncertainty.member_heads import load_member_heads


def load_members(settings: Settings) -> tuple[str, list[Member]]:
    """The family's name and its members, cheapest first.

    Raises:
        ConfigurationError: no such family or device; missing or damaged weights.
    """
    models_dir = None if settings.models_dir is None else Path(settings.models_dir)
    device = choose_device(settings.device)
    family = load_family(settings.models, models_dir)
    return family.name, [_load(manifest, family, device, settings) for manifest in family.members]


def _load(manifest: ModelManifest, family: Family, device: str, settings: Settings) -> Member:
    models_dir = None if settings.models_dir is None else Path(settings.models_dir)
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
