"""The licences of all that the image holds: `make licences` writes docs/licences.md."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

import yaml
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import Version
from programs import ROOT
from supply.pins import CUDA_LOCK, Pins, pinned, runtime

POLICY = ROOT / "docker/licences.yaml"
REPORT = ROOT / "docs/licences.md"

HEAD = """\
# Licences of what the image holds

Written by `make licences` from the metadata of the packages that `docker/requirements.lock`,
`docker/cuda.lock` and, for torch and torchvision, `constraints.txt` name;
[docker/licences.yaml](../docker/licences.yaml) says what is allowed. `make test` fails when a
package is new, changed or of a licence that is not allowed: no AGPL and no GPL is.

suresam itself is under Apache-2.0, with the models it bundles. It contains no code of these
packages: they stand in the image as their makers released them, with their licences and notices in
`/opt/suresam/lib/python3.12/site-packages/*.dist-info` (but `antlr4-python3-runtime` and
`pycocotools`, which release none there: whoever passes an image on adds them). Python and the
system beneath come from the base image and tell their own in `/usr/share/doc/*/copyright`.

Wheels bring compiled libraries with licences of their own, which their metadata need not name:
`opencv-python-headless` has FFmpeg (LGPL-2.1-or-later, as shared libraries); it, `numpy` and
`torch` have parts of GCC's runtime (GPL-3.0-or-later WITH GCC-exception-3.1, which leaves what uses
them free); and `torchvision` for GPUs has parts of NVIDIA's CUDA.

| package | version | licence | variant |
|---|---|---|---|
"""


class Refused(Exception):
    """A package under a licence that is not known or not allowed; the message says what to do."""


@dataclass(frozen=True)
class Policy:
    """What docker/licences.yaml says.

    Attributes:
        allowed: SPDX licences.
        read: by the package's name, the words of its metadata (`says`) and what they mean (`is`).
    """

    allowed: frozenset[str]
    read: dict[str, dict[str, str]]

    def check(self, name: str, said: str | None) -> str:
        """The SPDX licence of a package whose metadata say this; None where nobody can look.

        Raises:
            Refused
        """
        known = self.read.get(name)
        if known is None:
            licence = _spdx(name, said)
        elif said not in (None, known["says"]):
            raise Refused(f"{name} now says {said!r}: read its licence, and write it into {POLICY}")
        else:
            licence = known["is"]
        parts = {part.strip() for part in re.split(r" AND | OR |[()]", licence)} - {""}
        if not parts <= self.allowed:
            forbidden = ", ".join(sorted(parts - self.allowed))
            raise Refused(f"{name} is under {licence}, and {POLICY} does not allow {forbidden}")
        return licence


def _spdx(name: str, said: str | None) -> str:
    try:
        return canonicalize_license_expression(said or "")
    except InvalidLicenseExpression:
        what = (
            "is not installed here" if said is None else f"says {said!r}, which SPDX does not know"
        )
        raise Refused(f"{name} {what}: read its licence, and write it into {POLICY}") from None


def policy() -> Policy:
    """The policy as it is committed."""
    written = yaml.safe_load(POLICY.read_text())
    return Policy(frozenset(written["allowed"]), written["read"])


def said_by(installed: Distribution) -> str:
    """What a package's metadata say about its licence: the clearest of the three places."""
    metadata: Any = installed.metadata
    classifiers = [c for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
    text = (metadata.get("License") or "").strip().partition("\n")[0]
    return metadata.get("License-Expression") or text or ", ".join(classifiers) or "nothing"


def said_here(name: str, version: str) -> str | None:
    """What a package says, if it is installed here in just this version."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return said_by(found) if Version(found.version).public == version else None


Row = tuple[str, str, str, str]


def rows(pins: Pins, look: Callable[[str, str], str | None] = said_here) -> list[Row]:
    """Name, version, licence and variant of every package.

    Raises:
        Refused
    """
    ours, cuda = policy(), pinned(CUDA_LOCK)
    return [
        (name, version, ours.check(name, look(name, version)), "cuda" if name in cuda else "both")
        for name, version in pins.items()
    ]


def written() -> list[Row]:
    """The rows of the committed report."""
    lines = REPORT.read_text().partition("|---|\n")[2].splitlines()
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [(name, version, licence, variant) for name, version, licence, variant in cells]


def main() -> None:
    """Write the report, or say what stands against it."""
    try:
        table = rows(runtime())
    except Refused as refused:
        sys.exit(str(refused))
    REPORT.write_text(HEAD + "".join(f"| {' | '.join(row)} |\n" for row in table))
    print(f"{REPORT.relative_to(ROOT)}: {len(table)} packages")


if __name__ == "__main__":
    main()
