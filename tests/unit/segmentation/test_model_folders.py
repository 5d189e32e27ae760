import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import platformdirs
import pytest

from suresam.errors import ConfigurationError
from suresam.segmentation import model_folders


def copy_of_module(root: Path) -> ModuleType:
    """The module as it behaves when its package lies at `root/suresam`."""
    copy = root / "suresam" / "segmentation" / "model_folders.py"
    copy.parent.mkdir(parents=True)
    shutil.copy(model_folders.__file__, copy)
    spec = importlib.util.spec_from_file_location("copied_model_folders", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_checkout_keeps_manifests_and_downloads_in_models(tmp_path):
    module = copy_of_module(tmp_path / "service")
    (tmp_path / "models" / "families").mkdir(parents=True)
    assert module.bundled_folder() == tmp_path / "models"
    assert module.downloads_folder() == tmp_path / "models" / "downloads"


def test_installed_wheel_brings_manifests_and_downloads_to_the_users_cache(tmp_path):
    module = copy_of_module(tmp_path)
    (tmp_path / "suresam" / "_models" / "families").mkdir(parents=True)
    assert module.bundled_folder() == tmp_path / "suresam" / "_models"
    assert module.downloads_folder() == platformdirs.user_cache_path("suresam") / "models"


def test_installation_without_manifests_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no model manifests in .*_models or .*models"):
        copy_of_module(tmp_path / "service").bundled_folder()


def test_users_folder_is_searched_first(tmp_path):
    assert model_folders.manifest_folders() == (model_folders.bundled_folder(),)
    assert model_folders.manifest_folders(tmp_path)[0] == tmp_path
