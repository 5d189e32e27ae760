"""The API key that a client sends."""

from suresam.errors import ConfigurationError
from suresam.settings import client_api_key


def authorization(api_key: str | None) -> str | None:
    """The value of `Authorization`, or None where there is no key.

    Args:
        api_key: None for what `SURESAM_API_KEY` in the environment says.

    Raises:
        ConfigurationError: it has characters that no header may have; they are not repeated.
    """
    key = client_api_key() if api_key is None else api_key
    if key is None:
        return None
    if not key or not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            "the API key is empty or has blanks, line ends or other characters that no key has"
        )
    return f"Bearer {key}"
