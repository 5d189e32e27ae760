"""Which heads a member of a family gets, and what is refused at start."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from heads import calibration_of, random_heads

from suresam.errors import CheckpointError
from suresam.segmentation.manifests import Family, ModelManifest, load_family
from suresam.segmentation.weights import file_sha256
from suresam.uncertainty.calibration import calibration_file, write_calibration
from suresam.uncertainty.heads import save_heads
from suresam.uncertainty.member_heads import load_family_heads, load_member_heads

NOTHING: dict[str, np.ndarray] = {}


def own(member: ModelManifest) -> ModelManifest:
    return replace(member, heads="own", calibration=None)


@pytest.fixture
def family() -> Family:
    """The bundled pair, as if it had heads called `own`."""
    demo = load_family("demo")
    return Family("demo", tuple(own(member) for member in demo.members))


def heads_for(family: Family, width: int | None = None):
    models = {member.name: f"iou_{member.name}" for member in family.members}
    return random_heads(width or family.members[0].architecture.d_model, models=models)


def test_each_member_reads_the_same_file_in_its_own_way(family, tmp_path):
    save_heads(heads_for(family), tmp_path / "own.safetensors")
    small, large = (load_member_heads(m, family, "cpu", tmp_path) for m in family.members)
    assert small.name == large.name == "own"
    assert small.sha256 == file_sha256(tmp_path / "own.safetensors")
    values = 0.1 * np.arange(len(small.heads.info.names)) * np.ones((4, 1))
    assert small.reading.read(values, NOTHING, [1], "one_click")[0].model_gap == pytest.approx(0.4)
    assert large.reading.read(values, NOTHING, [1], "one_click")[0].model_gap is None


def test_without_heads_in_the_manifest_there_are_none(family, caplog):
    member = replace(family.members[0], heads=None)
    assert load_member_heads(member, family, "cpu") is None
    assert not caplog.records


def test_heads_that_are_not_installed_are_told_with_the_remedy(family, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert load_member_heads(family.members[0], family, "cpu", tmp_path) is None
    assert "own.safetensors is not installed" in caplog.text
    assert "where heads come from" in caplog.text


def test_heads_for_other_checkpoints_are_refused(family, tmp_path):
    save_heads(random_heads(96), tmp_path / "own.safetensors")
    message = r"own\.safetensors: the heads are not for demo-small: they know fake-small"
    with pytest.raises(CheckpointError, match=message):
        load_member_heads(family.members[0], family, "cpu", tmp_path)


def test_heads_for_another_decoder_are_refused(family, tmp_path):
    save_heads(heads_for(family, 256), tmp_path / "own.safetensors")
    message = "tokens of 256 values; those of demo-small have 96"
    with pytest.raises(CheckpointError, match=message):
        load_member_heads(family.members[0], family, "cpu", tmp_path)


def calibrated(family, folder, **changes) -> str:
    """Heads and a calibration for them in a folder; the calibration's name."""
    save_heads(heads_for(family), folder / "own.safetensors")
    values = {"heads_sha256": file_sha256(folder / "own.safetensors")} | changes
    calibration = calibration_of(*(member.name for member in family.members), **values)
    write_calibration(calibration, folder / calibration_file(calibration.name))
    return calibration.name


def test_a_calibration_is_followed_if_the_manifest_or_the_caller_names_it(family, tmp_path):
    name = calibrated(family, tmp_path)
    small = family.members[0]
    assert load_member_heads(small, family, "cpu", tmp_path).reading.calibration is None
    asked = load_member_heads(small, family, "cpu", tmp_path, name)
    named = load_member_heads(replace(small, calibration=name), family, "cpu", tmp_path)
    assert asked.reading.calibration == named.reading.calibration == "fitted"
    sha256 = file_sha256(tmp_path / calibration_file(name))
    assert asked.calibration_sha256 == named.calibration_sha256 == sha256


def test_a_calibration_that_is_not_there_is_told_or_refused(family, tmp_path, caplog):
    calibrated(family, tmp_path)
    small = family.members[0]
    with pytest.raises(CheckpointError, match=r"no calibration other: calibrations/other\.json"):
        load_member_heads(small, family, "cpu", tmp_path, "other")
    with caplog.at_level(logging.WARNING):
        found = load_member_heads(replace(small, calibration="other"), family, "cpu", tmp_path)
    assert found.reading.calibration is None
    assert "suresam calibrate" in caplog.text


@pytest.mark.parametrize("heads", [None, "absent"])
def test_a_calibration_without_heads_to_read_is_refused(family, tmp_path, heads):
    member = replace(family.members[0], heads=heads)
    with pytest.raises(CheckpointError, match="demo-small has no uncertainty heads"):
        load_member_heads(member, family, "cpu", tmp_path, "fitted")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads_sha256": "2" * 64}, "made with other heads than own"),
        ({"trained_on": {"demo-small": "3" * 64}}, "made with other weights of demo-small"),
        ({"members": {}}, "is not for demo-small"),
    ],
)
def test_a_calibration_of_something_else_is_refused(family, tmp_path, changes, message):
    name = calibrated(family, tmp_path, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_member_heads(family.members[0], family, "cpu", tmp_path, name)


def test_a_familys_heads_are_there_whatever_calibration_lies_beside_them(family, tmp_path):
    name = calibrated(family, tmp_path, heads_sha256="2" * 64)  # of heads that were trained anew
    stale = Family("demo", tuple(replace(m, calibration=name) for m in family.members))
    assert load_family_heads(stale, tmp_path).sha256 == file_sha256(tmp_path / "own.safetensors")
    with pytest.raises(CheckpointError, match="made with other heads"):
        load_member_heads(stale.members[0], stale, "cpu", tmp_path)


def test_members_that_do_not_share_their_heads_are_refused(family, tmp_path):
    small, large = family.members
    mixed = Family("demo", (small, replace(large, heads="others")))
    with pytest.raises(CheckpointError, match="demo-small has own, demo-large has others"):
        load_family_heads(mixed, tmp_path)
    save_heads(
        random_heads(small.architecture.d_model, models={"demo-small": "iou_s"}),
        tmp_path / "own.safetensors",
    )
    with pytest.raises(CheckpointError, match="not for demo-large"):
        load_family_heads(family, tmp_path)
    bare = Family("demo", tuple(replace(m, heads=None) for m in family.members))
    assert load_family_heads(bare, tmp_path) is None
