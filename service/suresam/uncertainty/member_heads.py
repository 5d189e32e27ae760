"""The heads of one member of a family, loaded and checked against it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from suresam.errors import CheckpointError
from suresam.segmentation.manifests import Family, ModelManifest
from suresam.segmentation.weights import file_sha256, find_file
from suresam.uncertainty.calibration import Calibration, calibration_file, read_calibration
from suresam.uncertainty.head_reading import HeadReading
from suresam.uncertainty.heads import UsamHeads, load_heads

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class HeadFile:
    """Heads as their file holds them.

    Attributes:
        name: as manifests call them.
        sha256: of the file.
        heads: on some device.
    """

    name: str
    sha256: str
    heads: UsamHeads


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationFile:
    """A calibration as its file holds it.

    Attributes:
        calibration: of a family.
        sha256: of the file.
    """

    calibration: Calibration
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class MemberHeads(HeadFile):
    """Heads, and what they say of one member.

    Attributes:
        reading: of their output.
        calibration_sha256: of the file of the calibration that it follows, or None.
    """

    reading: HeadReading
    calibration_sha256: str | None = None


def head_file(name: str) -> str:
    """File name of a set of heads."""
    return f"{name}.safetensors"


def read_head_file(path: Path) -> HeadFile:
    """Read a head file.

    Raises:
        CheckpointError: it is missing, damaged, or its tensors do not fit its header.
    """
    heads = load_heads(path)
    return HeadFile(path.stem, file_sha256(path), heads)


def load_member_heads(
    manifest: ModelManifest,
    family: Family,
    device: str,
    models_dir: Path | None = None,
    calibration: str | None = None,
) -> MemberHeads | None:
    """The heads that a manifest names; None, with a line in the log, where they are not installed.

    Heads and calibration are searched like weights: the user's folder, the manifest's own, the
    downloads.

    Args:
        manifest: of the member.
        family: that it serves in.
        device: where the heads go.
        models_dir: the user's folder, or None.
        calibration: name of one to use instead of the manifest's own; it must be installed.

    Raises:
        CheckpointError: a file is damaged, heads or calibration belong to something else, or the
            calibration that was asked for, or the heads that it needs, are not there.
    """
    if manifest.heads is None:
        _refuse_without_heads(manifest, calibration)
        return None
    path = find_file(head_file(manifest.heads), manifest, models_dir)
    if path is None:
        _refuse_without_heads(manifest, calibration)
        _log.warning(
            "%s answers without uncertainty heads: %s is not installed; README.md, section Models, "
            "says where heads come from",
            manifest.name,
            head_file(manifest.heads),
        )
        return None
    file = read_head_file(path)
    check_heads(path, file.heads, manifest)
    found = find_calibration(manifest, file, models_dir, calibration)
    followed, its_sha256 = (None, None) if found is None else (found.calibration, found.sha256)
    try:
        names = [member.name for member in family.members]
        between = names[names.index(manifest.name) + 1 : -1]
        reading = HeadReading(file.heads.info, manifest.name, names[-1], followed, between)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    heads = file.heads.to(device)
    return MemberHeads(manifest.heads, file.sha256, heads, reading, its_sha256)


def _refuse_without_heads(manifest: ModelManifest, calibration: str | None) -> None:
    if calibration is not None:
        raise CheckpointError(
            f"calibration {calibration} cannot be followed: "
            f"{manifest.name} has no uncertainty heads"
        )


def load_family_heads(family: Family, models_dir: Path | None = None) -> HeadFile | None:
    """The heads that all members name, whatever calibration there is; None where they have none.

    Args:
        family: of members that share heads.
        models_dir: the user's folder, or None.

    Raises:
        CheckpointError: members name different heads, the file is damaged, or it is not for all of
            them.
    """
    names = {member.heads for member in family.members}
    if names == {None}:
        return None
    if len(names) > 1:
        told = ", ".join(f"{member.name} has {member.heads or 'none'}" for member in family.members)
        raise CheckpointError(f"the members of {family.name} do not share their heads: {told}")
    first = family.members[0]
    assert first.heads is not None
    path = find_file(head_file(first.heads), first, models_dir)
    return None if path is None else read_family_heads(path, family)[0]


def read_family_heads(path: Path, family: Family) -> tuple[HeadFile, list[HeadReading]]:
    """A head file for all members of a family, and how each reads it without a calibration.

    Raises:
        CheckpointError: the file is missing or damaged, or is not for all members.
    """
    file = read_head_file(path)
    for member in family.members:
        check_heads(path, file.heads, member)
    largest = family.members[-1].name
    try:
        return file, [HeadReading(file.heads.info, m.name, largest) for m in family.members]
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def check_heads(path: Path, heads: UsamHeads, manifest: ModelManifest) -> None:
    """Refuse heads that cannot read a model's tokens, or were trained on others.

    Args:
        path: of the heads, for the message.
        heads: that were read from it.
        manifest: of the model.

    Raises:
        CheckpointError: they do not belong together.
    """
    width = manifest.architecture.d_model
    if heads.token_width != width:
        raise CheckpointError(
            f"{path} reads tokens of {heads.token_width} values; those of {manifest.name} "
            f"have {width}"
        )
    trained_on = heads.info.trained_on.get(manifest.name)
    if None not in (trained_on, manifest.sha256) and trained_on != manifest.sha256:
        raise CheckpointError(
            f"{path} was trained on other weights of {manifest.name}: SHA-256 {trained_on}, here "
            f"{manifest.sha256}; train the heads again with `suresam train usam`"
        )


def find_calibration(
    manifest: ModelManifest, heads: HeadFile, models_dir: Path | None, asked: str | None
) -> CalibrationFile | None:
    """The calibration that a member follows; None, with a line in the log, if it is not installed.

    Args:
        manifest: of the member.
        heads: that the calibration reads.
        models_dir: the user's folder, or None.
        asked: name of one to follow instead of the manifest's own; it must be installed.

    Raises:
        CheckpointError: it is damaged, belongs to something else, or was asked for and is not
            there.
    """
    name = asked or manifest.calibration
    if name is None:
        return None
    path = find_file(calibration_file(name), manifest, models_dir)
    if path is None:
        if asked is not None:
            file = calibration_file(name)
            raise CheckpointError(f"no calibration {name}: {file} is not installed")
        _log.warning(
            "%s answers without a calibration: %s is not installed; `suresam calibrate` makes one",
            manifest.name,
            calibration_file(name),
        )
        return None
    calibration = read_calibration(path)
    remedy = "make another with `suresam calibrate`"
    if calibration.heads_sha256 != heads.sha256:
        raise CheckpointError(
            f"{path} was made with other heads than {heads.name}: SHA-256 "
            f"{calibration.heads_sha256}, here {heads.sha256}; {remedy}"
        )
    weights = calibration.trained_on.get(manifest.name)
    if None not in (weights, manifest.sha256) and weights != manifest.sha256:
        raise CheckpointError(
            f"{path} was made with other weights of {manifest.name}: SHA-256 {weights}, here "
            f"{manifest.sha256}; {remedy}"
        )
    return CalibrationFile(calibration, file_sha256(path))
