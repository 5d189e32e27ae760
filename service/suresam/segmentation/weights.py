"""Which file holds a model's weights, and whether it is the right one."""

import hashlib
import logging
from pathlib import Path

from suresam.errors import CheckpointError
from suresam.segmentation.manifests import ModelManifest
from suresam.segmentation.model_folders import bundled_folder, downloads_folder

_CHUNK_BYTES = 1 << 20

_log = logging.getLogger(__name__)


def find_weights(manifest: ModelManifest, models_dir: Path | None = None) -> Path | None:
    """The model's weights file, or None if it is not on this machine.

    Searched in this order: the user's folder, the manifest's own, the bundled one, the downloads.
    """
    return find_file(manifest.weights, manifest, models_dir)


def find_file(name: str, manifest: ModelManifest, models_dir: Path | None = None) -> Path | None:
    """A file that belongs to a model, likewise."""
    for folder in (models_dir, manifest.folder, bundled_folder(), downloads_folder()):
        if folder is not None and (path := folder / name).is_file():
            return path
    return None


def require_weights(manifest: ModelManifest, models_dir: Path | None = None) -> Path:
    """The model's weights file.

    Raises:
        CheckpointError: if it is missing; the message says how to get it.
    """
    if (path := find_weights(manifest, models_dir)) is not None:
        return path
    remedy = _remedy(manifest, models_dir)
    raise CheckpointError(f"weights of {manifest.name} are missing: {remedy}")


def _remedy(manifest: ModelManifest, models_dir: Path | None) -> str:
    if manifest.url is not None and manifest.sha256 is not None:
        option = "" if models_dir is None else f" --models-dir {models_dir}"
        return f"run `suresam models pull {manifest.name}{option}`"
    return how_to_bring(manifest, models_dir)


def how_to_bring(manifest: ModelManifest, models_dir: Path | None = None) -> str:
    """What a user does about weights that `suresam models pull` cannot fetch."""
    if manifest.url is None:
        return f"put {manifest.weights} into {models_dir or manifest.folder or downloads_folder()}"
    target = (models_dir or downloads_folder()) / manifest.weights
    return f"download {manifest.url} yourself and put it at {target}"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in lower-case hex; the file is read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def check_sha256(manifest: ModelManifest, path: Path) -> str:
    """Compare a weights file with its manifest, or else with the hash recorded at its first use.

    Returns:
        The file's SHA-256 in lower-case hex.

    Raises:
        CheckpointError: if the file differs or cannot be read.
    """
    record = _record_path(path)
    try:
        actual = file_sha256(path)
        recorded = record.read_text().split()[:1] if record.is_file() else []
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    if manifest.sha256 is not None:
        expected, remedy = manifest.sha256, f"remove {path} and get it again"
    elif recorded:
        expected, remedy = recorded[0], f"remove {record} if you replaced the weights on purpose"
    else:
        expected, remedy = actual, ""
    if actual != expected:
        raise CheckpointError(f"{path} has SHA-256 {actual}, expected {expected}; {remedy}")
    return actual


def record_first_use(manifest: ModelManifest, path: Path, sha256: str) -> None:
    """Where the manifest has no hash, keep that of the first file that loaded.

    It is logged as a warning and written to `FILE.sha256`, in the format of `sha256sum`.
    """
    record = _record_path(path)
    if manifest.sha256 is not None or record.is_file():
        return
    try:
        record.write_text(f"{sha256}  {path.name}\n")
    except OSError as error:
        # A read-only volume must not keep the user's own weights from being served.
        _log.warning("%s has SHA-256 %s; cannot record it: %s", path, sha256, error.strerror)
    else:
        _log.warning("%s has SHA-256 %s; checked from now on (%s)", path, sha256, record.name)


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
