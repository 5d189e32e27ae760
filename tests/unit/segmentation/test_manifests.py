import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from suresam.errors import ConfigurationError, UnknownModel
from suresam.segmentation.box_convention import OFFICIAL, TRAINED_HERE
from suresam.segmentation.manifests import (
    Family,
    list_families,
    list_manifests,
    load_family,
    load_manifest,
    select_models,
    write_manifest,
)
from suresam.segmentation.model_folders import bundled_folder

TINY = "sam2.1_hiera_tiny"
LARGE = "sam2.1_hiera_large"


def write_model(folder: Path, name: str, /, **changes: Any) -> Path:
    manifest = {
        "name": name,
        "source": "a test",
        "licence": "Apache-2.0",
        "architecture": {"d_model": 96},
        "weights": f"{name}.safetensors",
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(manifest))
    return path


def write_family(folder: Path, name: str, members: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": name, "members": members}))
    return path


def names_of(family: Family) -> list[str]:
    return [member.name for member in family.members]


def test_every_bundled_manifest_and_family_is_valid():
    assert len(list_manifests()) == 10
    assert [family.name for family in list_families()] == ["demo", "sam2.0", "sam2.1"]


def test_every_json_file_of_the_bundled_folder_is_listed():
    files = {path.stem for path in bundled_folder().glob("*.json")}
    assert files == {manifest.name for manifest in list_manifests()}


def test_first_member_is_small_and_last_is_large():
    family = load_family("sam2.1")
    assert names_of(family) == [TINY, LARGE]
    assert family.member("small").name == TINY
    assert family.member("large").name == LARGE
    assert family.member(LARGE).name == LARGE
    assert family.roles_of(TINY) == ("small",)


def test_only_the_demo_family_reads_boxes_in_its_own_way():
    conventions = {manifest.name: manifest.box for manifest in list_manifests()}
    for name in ("demo-small", "demo-large"):
        assert conventions.pop(name) == TRAINED_HERE
    assert set(conventions.values()) == {OFFICIAL}


def test_sam_2_0_and_2_1_differ_in_weights_only():
    for size in ("tiny", "small", "base_plus", "large"):
        older, newer = load_manifest(f"sam2_hiera_{size}"), load_manifest(f"sam2.1_hiera_{size}")
        assert older.architecture == newer.architecture
        assert older.url != newer.url


def test_only_member_has_both_roles(tmp_path):
    write_model(tmp_path, "alone")
    write_family(tmp_path / "families", "one", ["alone"])
    family = load_family("one", tmp_path)
    assert family.roles_of("alone") == ("small", "large")
    assert family.member("large") is family.member("small")


def test_middle_member_has_no_role(tmp_path):
    for name in ("a", "b", "c"):
        write_model(tmp_path, name)
    write_family(tmp_path / "families", "three", ["a", "b", "c"])
    family = load_family("three", tmp_path)
    assert [family.roles_of(name) for name in "abc"] == [("small",), (), ("large",)]
    assert family.roles_of("small") == ("small",)


def test_unknown_member_is_refused_and_the_known_are_named():
    with pytest.raises(UnknownModel, match=f"'huge'; it has {TINY}, {LARGE}, small, large"):
        load_family("sam2.1").member("huge")


@pytest.mark.parametrize(
    ("spec", "members"),
    [
        ("sam2.1:small=sam2.1_hiera_base_plus", ["sam2.1_hiera_base_plus", LARGE]),
        ("sam2.1:large=sam2.1_hiera_base_plus", [TINY, "sam2.1_hiera_base_plus"]),
        (
            "sam2.1:large=sam2.1_hiera_base_plus,small=sam2.1_hiera_small",
            ["sam2.1_hiera_small", "sam2.1_hiera_base_plus"],
        ),
        (f"sam2.1:{TINY}=sam2.1_hiera_small", ["sam2.1_hiera_small", LARGE]),
        (f"sam2.1:small=sam2.1_hiera_small,{TINY}={TINY}", [TINY, LARGE]),
    ],
)
def test_override_replaces_a_member_in_its_place(spec, members):
    assert names_of(load_family(spec)) == members


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nosuch", r"no family 'nosuch'; there are demo, sam2.0, sam2.1"),
        ("sam2.1:small", r"no family 'sam2.1:small'"),
        ("sam2.1:small=nosuch", r"no model 'nosuch'"),
        ("sam2.1:small=sam2.1_hiera_small,large", r"'large' is not of the form ROLE=MODEL"),
        ("sam2.1:small=sam2.1_hiera_large", r"none twice"),
        ("sam2.1:small=demo-small", r"differ in d_model: demo-small 96, sam2.1_hiera_large 256"),
        ("sam2.1:medium=sam2.1_hiera_small", r"has no model 'medium'; it has"),
        ("", r"no family ''"),
    ],
)
def test_wrong_family_is_refused(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        load_family(spec)


def test_a_models_name_is_a_family_of_one():
    family = load_family(TINY)
    assert (family.name, names_of(family)) == (TINY, [TINY])
    assert family.roles_of(TINY) == ("small", "large")
    assert names_of(load_family(f"{TINY}:large=sam2.1_hiera_small")) == ["sam2.1_hiera_small"]


def test_family_without_members_is_refused(tmp_path):
    write_family(tmp_path / "families", "none", [])
    with pytest.raises(ConfigurationError, match="at least one member"):
        load_family("none", tmp_path)


@pytest.mark.parametrize("place", ["", "families"])
def test_family_given_by_path_finds_its_models_beside_it(tmp_path, place):
    write_model(tmp_path, "mine", architecture={"d_model": 256})
    path = write_family(tmp_path / place, "own", ["mine", LARGE])
    family = load_family(str(path))
    assert family.name == "own"
    assert family.member("small").folder == tmp_path
    assert family.member("large").folder == bundled_folder()
    assert names_of(load_family(f"{path}:large={TINY}")) == ["mine", TINY]


def test_family_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot read .*nosuch.json: No such file"):
        load_family(str(tmp_path / "nosuch.json"))


def test_users_folder_wins_over_the_bundled_one(tmp_path):
    write_model(tmp_path, TINY, source="retrained")
    assert load_manifest(TINY, tmp_path).source == "retrained"
    assert load_family("sam2.1:large=sam2.1_hiera_small").member(TINY).source != "retrained"


def test_users_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere is not a folder"):
        load_manifest(TINY, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: Unexpected keyword argument"),
        ({"folder": "/etc"}, "folder: .*this is not a field of the file"),
        ({"architecture": {"depth": 3}}, r"architecture\.depth: Unexpected keyword argument"),
        ({"architecture": {"stages": "1,2"}}, r"architecture\.stages: .*array"),
        ({"architecture": {"d_model": "96"}}, r"architecture\.d_model: .*integer"),
        ({"sha256": "ABC"}, "sha256: "),
        ({"size_bytes": 0}, "size_bytes: .*greater than 0"),
        ({"weights": "../elsewhere.pt"}, "weights: "),
        ({"weights": "model.bin"}, "weights: "),
        ({"url": "file:///etc/passwd"}, "url: "),
        ({"licence": None}, "licence: .*string"),
        ({"name": "other"}, "name 'other' must equal the file's name"),
    ],
)
def test_wrong_field_is_refused_by_name(tmp_path, changes, message):
    path = write_model(tmp_path, "mine", **changes)
    with pytest.raises(ConfigurationError, match=message) as told:
        load_manifest("mine", tmp_path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_missing_field_and_broken_json_are_refused(tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="licence: Field required"):
        load_manifest("empty", tmp_path)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"broken\.json: Invalid JSON"):
        load_manifest("broken", tmp_path)


@pytest.mark.parametrize("role", ["small", "large", "auto"])
def test_model_cannot_be_called_like_a_role(tmp_path, role):
    write_model(tmp_path, role)
    with pytest.raises(ConfigurationError, match="not be a role"):
        load_manifest(role, tmp_path)


@pytest.mark.parametrize(
    "path", sorted(bundled_folder().glob("*.json")), ids=lambda path: path.stem
)
def test_written_manifest_reads_as_the_same(tmp_path, path):
    manifest = load_manifest(path.stem)
    write_manifest(manifest, tmp_path)
    assert load_manifest(path.stem, tmp_path) == replace(manifest, folder=tmp_path)


def test_models_are_selected_by_their_own_and_by_family_names_once_each():
    models = select_models([LARGE, "sam2.1", "demo"])
    assert [model.name for model in models] == [LARGE, TINY, "demo-small", "demo-large"]
    with pytest.raises(ConfigurationError, match="no model or family 'nosuch'; there are demo, "):
        select_models(["nosuch"])
