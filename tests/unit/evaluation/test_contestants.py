import pytest

from suresam.errors import CheckpointError, ConfigurationError, UnknownModel
from suresam.evaluation.contestants import family_contestants, weights_contestant
from suresam.segmentation.manifests import load_manifest
from suresam.segmentation.weights import require_weights


def test_members_come_once_and_cheapest_first():
    found = family_contestants("demo", ["large", "demo-small", "small"], "cpu")
    assert [contestant.manifest.name for contestant in found] == ["demo-small", "demo-large"]
    assert found[0].sha256 == load_manifest("demo-small").sha256
    with pytest.raises(UnknownModel, match="medium"):
        family_contestants("demo", ["medium"], "cpu")


def test_unregistered_weights_are_asked_and_nothing_is_written_beside_them(tmp_path):
    manifest = load_manifest("demo-small")
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(require_weights(manifest).read_bytes())
    found = weights_contestant(weights, manifest.architecture, "mine", "cpu")
    assert (found.predictor.name, found.sha256) == ("mine", manifest.sha256)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_weights_that_do_not_fit_are_refused(tmp_path):
    small, large = load_manifest("demo-small"), load_manifest("demo-large")
    with pytest.raises(CheckpointError, match="no weights at"):
        weights_contestant(tmp_path / "m.safetensors", small.architecture, "m", "cpu")
    (tmp_path / "m.zip").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"must end with \.safetensors or \.pt"):
        weights_contestant(tmp_path / "m.zip", small.architecture, "m", "cpu")
    (tmp_path / "m.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        weights_contestant(tmp_path / "m.safetensors", large.architecture, "m", "cpu")
