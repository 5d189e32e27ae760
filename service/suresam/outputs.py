"""Where results go, tried before the work is done that would be in vain."""

from pathlib import Path
from tempfile import TemporaryFile

from suresam.errors import ConfigurationError


def prepare_folder(folder: Path) -> None:
    """Make a folder, unless it is there, and try whether files can be written into it.

    Raises:
        ConfigurationError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error.strerror}") from error


def check_file(path: Path) -> None:
    """Try whether a file can be written; one that is there stays as it is.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        if path.exists():
            with path.open("ab"):
                pass
        else:
            with TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def check_picture(path: Path) -> None:
    """Try whether a picture can be written, in the format that the name's ending says.

    Raises:
        ConfigurationError: it cannot, or there is no such format.
    """
    from PIL import Image

    known = {end for end, name in Image.registered_extensions().items() if name in Image.SAVE}
    if path.suffix.lower() not in known:
        raise ConfigurationError(
            f"cannot write {path}: {path.suffix or 'no ending'} is no format of pictures; "
            ".png or .jpg is"
        )
    check_file(path)
