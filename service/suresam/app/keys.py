"""The door of a service: its API keys as the settings tell them, and when they change."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from suresam.access.door import Door, KeyedDoor, OpenDoor
from suresam.access.key_list import KeyEntry, parse_keys, read_key_file
from suresam.app.file_watch import FileWatch
from suresam.errors import ConfigurationError
from suresam.setting_conflicts import is_loopback
from suresam.settings import Settings
from suresam.telemetry import Telemetry

logger = logging.getLogger(__name__)


def open_door(settings: Settings, telemetry: Telemetry) -> Door:
    """Who lets requests in.

    Raises:
        ConfigurationError: keys that cannot be read, or a list without any.
    """
    if not settings.needs_key:
        return OpenDoor(telemetry)
    entries = read_keys(settings)
    if settings.tls_cert is None and not is_loopback(settings.host):
        logger.warning(
            "API keys cross the network as they are: set --tls-cert and --tls-key, or let "
            "something in front of the service encrypt"
        )
    return KeyedDoor(entries, telemetry)


def read_keys(settings: Settings) -> Sequence[KeyEntry]:
    """The keys, at least one.

    Raises:
        ConfigurationError: they cannot be read, or there is none.
    """
    entries = _read_keys(settings)
    if not entries:
        name = "api_keys" if settings.api_keys_file is None else settings.api_keys_file
        raise ConfigurationError(
            f"{name} holds no key, so nobody could come in; `suresam keys new NAME` makes one"
        )
    return entries


def watch_keys(settings: Settings, door: Door) -> FileWatch | None:
    """Who takes up changes of the keys' file; None if there is none."""
    if settings.api_keys_file is None or not isinstance(door, KeyedDoor):
        return None

    def reload() -> None:
        entries = _read_keys(settings)
        door.replace(entries)
        if entries:
            logger.info("%d API keys read from %s", len(entries), settings.api_keys_file)
        else:
            logger.error("%s holds no key: nobody comes in", settings.api_keys_file)

    return FileWatch("API keys", (Path(settings.api_keys_file),), reload)


def _read_keys(settings: Settings) -> Sequence[KeyEntry]:
    if settings.api_keys_file is not None:
        return read_key_file(Path(settings.api_keys_file))
    assert settings.api_keys is not None, "one of both is set"
    return parse_keys(re.split(r"[\n;]", settings.api_keys.get_secret_value()), "api_keys")
