"""What settings name, tried without serving anything."""

from suresam.app.keys import read_keys
from suresam.app.members import read_family
from suresam.app.tls import open_tls
from suresam.settings import Settings


def check_named(settings: Settings) -> None:
    """Read the API keys, the TLS files and the manifests of the family.

    Weights, devices, ports and files that are written are left alone.

    Raises:
        ConfigurationError: what the service would not start with.
    """
    if settings.needs_key:
        read_keys(settings)
    open_tls(settings)
    read_family(settings)
