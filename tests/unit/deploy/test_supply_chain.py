"""Every package has its version and its licence, and the image's are told to whoever asks."""

import json
import os
import re
import subprocess
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from programs import ROOT, program
from supply import licences
from supply.pins import CONSTRAINTS, pinned, runtime


def constraints() -> dict[str, Requirement]:
    """The constraint of each package that holds for this Python."""
    lines = re.findall(r"^[^#\s].*$", CONSTRAINTS.read_text(), re.M)
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r for r in found if not r.marker or r.marker.evaluate()}


def required_by(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed package needs here, with these of its extras."""
    requirements = map(Requirement, distribution(name).requires or [])
    environments = [{"extra": extra} for extra in sorted(extras) or [""]]
    return [
        requirement
        for requirement in requirements
        if not requirement.marker or any(map(requirement.marker.evaluate, environments))
    ]


def test_whatever_any_extra_brings_has_its_version_in_the_constraints():
    listed, known = pinned(CONSTRAINTS), constraints()
    seen: dict[tuple[str, frozenset[str]], None] = {}
    extras = set(distribution("suresam").metadata.get_all("Provides-Extra"))
    waiting = required_by("suresam", extras)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if name in ("suresam", "pip") or key in seen:  # pip comes with Python
            continue
        seen[key] = None
        assert name in listed, f"{name} has no line in constraints.txt"
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        if name in known:  # else a line for newer releases of Python
            assert Version(installed.version).public in known[name].specifier, name
        waiting += required_by(name, requirement.extras)
    assert len(seen) > 100


def test_the_report_tells_the_licence_of_all_that_the_image_holds():
    report = licences.written()
    assert {name: version for name, version, _, _ in report} == runtime(), "run `make licences`"
    told = {name: licence for name, _, licence, _ in report}
    ours = licences.policy()
    assert set(ours.read) <= set(told)
    # Another version than the image's, as for an old Python, tells nothing of it.
    here = {
        name: version
        for name, version in runtime().items()
        if name in ours.read or licences.said_here(name, version)
    }
    assert {"torch", "tqdm", "opencv-python-headless"} <= set(here)
    for name, version, licence, variant in licences.rows(here):
        assert (name, version, licence, variant) in report, "run `make licences`"
    assert licences.REPORT.read_text().startswith(licences.HEAD), "run `make licences`"


OURS = licences.Policy(
    frozenset({"MIT", "BSD-3-Clause"}), {"old": {"says": "BSD", "is": "BSD-3-Clause"}}
)


def test_an_allowed_licence_is_told_by_its_spdx_name():
    assert OURS.check("new", "mit AND (bsd-3-clause)") == "MIT AND (BSD-3-Clause)"
    assert OURS.check("old", "BSD") == OURS.check("old", None) == "BSD-3-Clause"


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("new", "AGPL-3.0-only", "does not allow AGPL-3.0-only"),
        ("new", "MIT OR GPL-3.0-or-later", "does not allow GPL-3.0-or-later"),
        ("new", "MIT WITH Bison-exception-2.2", "does not allow MIT WITH Bison-exception-2.2"),
        ("new", "BSD", "says 'BSD', which SPDX does not know"),
        ("new", "nothing", "says 'nothing', which SPDX does not know"),
        ("new", None, "is not installed here"),
        ("old", "AGPL", "now says 'AGPL': read its licence"),
    ],
)
def test_a_licence_that_is_unknown_changed_or_not_allowed_is_refused(name, said, why):
    with pytest.raises(licences.Refused, match=re.escape(why)):
        OURS.check(name, said)


class Told(Distribution):
    """A package of nothing but metadata."""

    def __init__(self, **fields: str) -> None:
        self._message = Message()
        for name, value in fields.items():
            self._message[name.replace("_", "-")] = value

    def read_text(self, filename: str) -> str:
        return self._message.as_string()

    def locate_file(self, path: "str | os.PathLike[str]") -> Path:
        return Path(path)


def test_a_package_is_believed_in_its_clearest_words():
    classifier = "License :: OSI Approved :: MIT License"
    assert licences.said_by(Told(Name="x", Classifier=classifier)) == classifier
    told = Told(Name="x", Classifier=classifier, License="MIT\n and more")
    assert licences.said_by(told) == "MIT"
    told = Told(Name="x", License="see LICENSE", License_Expression="MIT")
    assert licences.said_by(told) == "MIT"
    assert licences.said_by(Told(Name="x")) == "nothing"


@pytest.mark.parametrize("variant", ["cpu", "cuda"])
def test_the_bill_of_materials_names_what_a_variant_installs(variant, tmp_path):
    program("cyclonedx-py")
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "docker", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    venv = tmp_path / ".venv"
    venv.mkdir()
    (venv / "bin").symlink_to(Path(program("cyclonedx-py")).parent)
    # Nothing is to be installed, and the schema of CycloneDX takes six seconds to load.
    quick = ("--old-file=.venv/.tools", "ARGS=--no-validate")
    told = subprocess.run(
        ["make", "--silent", "sbom", f"VARIANT={variant}", *quick],
        cwd=tmp_path, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    bill = json.loads((tmp_path / told.stdout.strip()).read_text())
    assert bill["metadata"]["component"]["name"] == "suresam"
    held = {
        name: version for name, version, _, kind in licences.written() if kind in (variant, "both")
    }
    components = {canonicalize_name(one["name"]): one["version"] for one in bill["components"]}
    assert components == held
