"""The heads of one member of a family, loaded and checked against it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from suresam.errors import CheckpointError
from suresam.segmentation.manifests import Family, ModelManifest
from suresam.segmentation.weights import file_sha256, find_file
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads, load_heads

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class MemberHeads:
    """Heads, and what they say of this member.

    Attributes:
        name: as the manifest calls them.
        sha256: of their file.
        heads: on the member's device.
        reading: of their output.
    """

    name: str
    sha256: str
    heads: UsamHeads
    reading: HeadReading


def head_file(name: str) -> str:
    """File name of a set of heads."""
    return f"{name}.safetensors"


def load_member_heads(
    manifest: ModelManifest, family: Family, device: str, models_dir: Path | None = None
) -> MemberHeads | None:
    """The heads that a manifest names; None, with a line in the log, where they are not installed.

    Searched like weights: the user's folder, the manifest's own, the downloads.

    Raises:
        CheckpointError: the file is damaged, or its heads are of another family.
    """
    if manifest.heads is None:
        return None
    path = find_file(head_file(manifest.heads), manifest, models_dir)
    if path is None:
        _log.warning(
            "%s answers without uncertainty heads: %s is not installed; `suresam models "
            "import-heads FOLDER` stores heads that you have",
            manifest.name,
            head_file(manifest.heads),
        )
        return None
    heads = load_heads(path)
    width = manifest.architecture.d_model
    if heads.token_width != width:
        raise CheckpointError(
            f"{path} reads tokens of {heads.token_width} values; those of {manifest.name} "
            f"have {width}"
        )
    try:
        reading = HeadReading(heads.info, manifest.name, family.members[-1].name)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    trained_on = heads.info.trained_on.get(manifest.name)
    if None not in (trained_on, manifest.sha256) and trained_on != manifest.sha256:
        raise CheckpointError(
            f"{path} was trained on other weights of {manifest.name}: SHA-256 {trained_on}, here "
            f"{manifest.sha256}; train the heads again with `suresam train usam`"
        )
    return MemberHeads(manifest.heads, file_sha256(path), heads.to(device), reading)
