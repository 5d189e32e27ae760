"""Fetching weights over HTTP: resumed where it broke off, checked before it counts."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import httpx
from filelock import FileLock, Timeout

from suresam.errors import CheckpointError, ConfigurationError
from suresam.segmentation.download_progress import DownloadProgress
from suresam.segmentation.manifests import ModelManifest
from suresam.segmentation.model_folders import downloads_folder
from suresam.segmentation.weights import check_sha256, file_sha256, find_weights, how_to_bring

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0

RETRIES = 5
"""Times that a transfer is tried again without one new byte before it is given up."""

_TRY_AGAIN_STATUS = frozenset({429, 500, 502, 503, 504})


class DownloadError(Exception):
    """A file could not be fetched; the message is one line and says what to do."""


def pull_model(
    manifest: ModelManifest,
    models_dir: Path | None = None,
    *,
    mirror: str | None = None,
    stream: TextIO | None = None,
) -> Path:
    """Have a model's weights on this machine, checked against the manifest.

    Weights that are there already are only checked; damaged ones are fetched again and replaced.

    Args:
        manifest: the model.
        models_dir: the user's folder of models; None for the downloads folder.
        mirror: base URL of another server that has files of the same names, or None.
        stream: where progress is written; standard error by default.

    Returns:
        The weights file.

    Raises:
        ConfigurationError: if the manifest has no URL or no SHA-256; says what to do instead.
        CheckpointError: if such a model's file is there and not the one of its first use.
        DownloadError: if the file cannot be fetched or written, or is not the expected one.
    """
    present = find_weights(manifest, models_dir)
    if manifest.url is None or manifest.sha256 is None:
        if present is not None:
            check_sha256(manifest, present)
            return present
        reason = "comes without a URL" if manifest.url is None else "has no established SHA-256"
        raise ConfigurationError(
            f"{manifest.name} {reason} and is not downloaded: {how_to_bring(manifest, models_dir)}"
        )
    target = present or (models_dir or downloads_folder()) / manifest.weights
    url = manifest.url if mirror is None else f"{mirror.rstrip('/')}/{manifest.weights}"
    with DownloadProgress(manifest.weights, stream) as progress:
        if present is not None:
            try:
                check_sha256(manifest, present)
                return present
            except CheckpointError:
                progress.note(f"{present} is damaged and is fetched again")
        download(url, target, sha256=manifest.sha256, progress=progress)
    return target


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    progress: DownloadProgress,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a file; it appears under its name only when whole and of the expected hash.

    What has arrived lies in `FILE.part` and is kept for the next try, as long as the server
    still has the same version of the file (its ETag or date, kept in `FILE.part.version`).

    Args:
        url: of the file, http or https.
        target: where it goes; a file that is there stays until it is replaced whole.
        sha256: of the file, in lower-case hex.
        progress: is told of every piece.
        sleep: waits that many seconds between two tries.

    Raises:
        DownloadError: if the file cannot be fetched or written, or has another hash.
    """
    part = _Part(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=0):
            _fetch(url, part, progress, sleep)
            actual = file_sha256(part.path)
            if actual != sha256:
                part.discard()
                raise DownloadError(
                    f"{url} is not the expected file: SHA-256 {actual}, expected {sha256}"
                )
            part.path.replace(target)
            part.discard()
    except Timeout as error:
        raise DownloadError(f"{target} is being downloaded by another process") from error
    except OSError as error:
        raise DownloadError(f"cannot write {target}: {error.strerror or error}") from error


class _Part:
    """The bytes that have arrived so far, and which version of the file they belong to."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._version_path = target.with_name(f"{target.name}.part.version")

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def version(self) -> str | None:
        """What the server calls this version; None means that the bytes cannot be continued."""
        return self._version_path.read_text() if self._version_path.is_file() else None

    def restart(self, version: str | None) -> None:
        self.discard()
        if version is not None:
            self._version_path.write_text(version)

    def discard(self) -> None:
        # The bytes go first: a version without bytes is harmless, bytes of another version are not.
        self.path.unlink(missing_ok=True)
        self._version_path.unlink(missing_ok=True)


def _fetch(
    url: str, part: _Part, progress: DownloadProgress, sleep: Callable[[float], None]
) -> None:
    """Try until the file is whole, a failure cannot be mended, or nothing new arrives."""
    furthest, failures, has_connected = part.num_bytes, 0, False
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(timeout=timeout, follow_redirects=True) as client:
        while True:
            try:
                _transfer(client, url, part, progress)
                return
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                has_connected |= not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                failures = 1 if part.num_bytes > furthest else failures + 1
                furthest = max(furthest, part.num_bytes)
                # A host that was never reached is told at once: the machine is offline.
                if not (has_connected and _may_pass(error)) or failures > RETRIES:
                    raise DownloadError(_explain(error, url, part)) from error
                progress.note(f"{_reason(error)}; trying again ({failures} of {RETRIES})")
                sleep(2.0 ** (failures - 1))


def _transfer(client: httpx.Client, url: str, part: _Part, progress: DownloadProgress) -> None:
    """One request: append what is missing, or start over where that is not possible."""
    version, held = part.version, part.num_bytes
    headers = {"Accept-Encoding": "identity"}
    if version is not None and held:
        headers |= {"Range": f"bytes={held}-", "If-Range": version}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if response.headers.get("Content-Range") == f"bytes */{held}":
                return  # all of it was there already
            part.discard()
            raise httpx.RemoteProtocolError("the file on the server became shorter")
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            held = 0
            part.restart(_version(response))
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            part.discard()
            raise httpx.RemoteProtocolError("the server sent another range than was asked for")
        length = response.headers.get("Content-Length")
        _check_space(part.path.parent, int(length or 0))
        progress.begin(held, None if length is None else held + int(length))
        with part.path.open("ab") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                progress.advance(len(chunk))


def _version(response: httpx.Response) -> str | None:
    """A name of the file's version that `If-Range` accepts (RFC 9110, 13.1.5: no weak ETags)."""
    etag: str | None = response.headers.get("ETag")
    date: str | None = response.headers.get("Last-Modified")
    return date if etag is None or etag.startswith("W/") else etag


def _check_space(folder: Path, missing_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if missing_bytes > free:
        raise DownloadError(
            f"{folder} has {free / 1e6:.1f} MB free, {missing_bytes / 1e6:.1f} MB are needed"
        )


def _may_pass(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _TRY_AGAIN_STATUS
    return isinstance(
        error, httpx.NetworkError | httpx.TimeoutException | httpx.RemoteProtocolError
    )


def _explain(error: Exception, url: str, part: _Part) -> str:
    advice = f"check the network, or fetch it elsewhere and put it at {part.target}"
    return f"cannot download {url}: {_reason(error)}; {advice}"


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        response = error.response
        return f"the server answered {response.status_code} {response.reason_phrase}"
    return str(error) or type(error).__name__
