"""JSON that somebody else wrote."""

import json
from pathlib import Path
from typing import Any

from suresam.errors import ConfigurationError


def read_json(file: Path) -> Any:
    """The content of a file.

    Raises:
        ConfigurationError: missing, or not JSON.
    """
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
