"""Where manifests and weights lie on this machine."""

from pathlib import Path

import platformdirs

from suresam.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "_models"  # what a wheel brings along
_SAMPLES = _PACKAGE / "_samples"
_CHECKOUT = _PACKAGE.parents[1] / "models"  # the repository, also of an editable installation

SAMPLE_CLICK = (280, 160)
"""Pixel x, y of the sample image."""


def bundled_folder() -> Path:
    """The folder with the manifests and weights that came with this installation.

    Raises:
        ConfigurationError: if the installation has lost it.
    """
    for folder in (_INSTALLED, _CHECKOUT):
        if (folder / "families").is_dir():
            return folder
    raise ConfigurationError(f"no model manifests in {_INSTALLED} or {_CHECKOUT}: install again")


def sample_image() -> Path:
    """A photograph to try models on: a cup of coffee, at `SAMPLE_CLICK`, 600 x 400 px."""
    path = _SAMPLES / "coffee.jpg"
    return path if path.is_file() else _CHECKOUT.parent / "docs" / path.name


def downloads_folder() -> Path:
    """The folder that downloaded weights go to; it need not exist yet.

    In a checkout it lies beside the manifests. An installed wheel's own folder may be read-only
    and is replaced on update, so there it is the user's cache.
    """
    if bundled_folder() == _CHECKOUT:
        return _CHECKOUT / "downloads"
    return platformdirs.user_cache_path("suresam") / "models"


def manifest_folders(models_dir: Path | None = None) -> tuple[Path, ...]:
    """The folders in which manifests and families are looked up, in this order.

    Args:
        models_dir: the user's own folder, which comes first, or None.

    Raises:
        ConfigurationError: if `models_dir` is not a folder.
    """
    if models_dir is None:
        return (bundled_folder(),)
    if not models_dir.is_dir():
        raise ConfigurationError(f"models_dir {models_dir} is not a folder")
    return models_dir, bundled_folder()
