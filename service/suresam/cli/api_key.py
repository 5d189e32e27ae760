"""The API key of commands that ask a server. It never stands on a command line."""

import argparse
from collections.abc import Callable
from pathlib import Path

from suresam.errors import ConfigurationError

_MOST_BYTES = 1024


def add_key_option(add: Callable[..., object]) -> None:
    """Register `--api-key-file`."""
    add(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="file that holds the server's API key (default: SURESAM_API_KEY in the environment)",
    )


def read_key(options: argparse.Namespace) -> str | None:
    """The key of the file, or None if there is no such option.

    Raises:
        ConfigurationError: it cannot be read or is no key.
    """
    path: Path | None = options.api_key_file
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            key = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    text = key.decode("ascii", errors="replace").strip()
    if not text or len(key) > _MOST_BYTES or len(text.split()) != 1:
        raise ConfigurationError(f"{path} must hold an API key and nothing else")
    return text
