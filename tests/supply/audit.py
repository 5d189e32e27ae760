"""Asks PyPI's database of vulnerabilities about all that the image installs: `make audit`.

Ends with 0 when none is known, with 1 when some are, and with 3 when not every package could be
looked up: then nothing is known of any, whatever pip-audit said until there. A mirror or a proxy
that has packages but no vulnerabilities would look like good news; so a release that is known to
be vulnerable is asked about as well, and an answer without it does not count.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from packaging.utils import canonicalize_name
from supply.pins import BUILD_LOCK, Pins, pinned, runtime

KNOWN_BAD = ("django", "3.2")
VULNERABLE, NOT_RUN = 1, 3

Vulnerabilities = dict[str, list[dict[str, Any]]]


def ask(pins: Pins) -> Vulnerabilities:
    """Each package's vulnerabilities, by its name.

    Raises:
        LookupError: not every package could be looked up; the message says why.
    """
    with TemporaryDirectory() as folder:
        listed = Path(folder, "requirements.txt")
        listed.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
        told = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--strict", "--format", "json"),
                *("--progress-spinner", "off", "--no-deps", "--disable-pip", "--timeout", "60"),
                # An answer of yesterday is none.
                *("--cache-dir", folder, "--requirement", listed),
            ],
            capture_output=True,
            text=True,
        )
    if not told.stdout:
        raise LookupError(told.stderr.strip().rpartition("\n")[2])
    found = {
        str(canonicalize_name(package["name"])): package["vulns"]
        for package in json.loads(told.stdout)["dependencies"]
    }
    missing = sorted(set(pins) - set(found))
    if missing:
        raise LookupError(f"no answer about {', '.join(missing)}")
    return found


def audit(pins: Pins) -> Vulnerabilities:
    """The known vulnerabilities of packages that have some.

    Raises:
        LookupError: not every package could be looked up, or who answers knows no vulnerabilities.
    """
    name, version = KNOWN_BAD
    assert name not in pins
    found = ask({**pins, name: version})
    if not found.pop(name):
        raise LookupError(f"who answered knows of no vulnerability in {name} {version}")
    return {package: known for package, known in found.items() if known}


def main() -> NoReturn:
    """Print what is known, and exit as the head of this file says."""
    pins = {**pinned(BUILD_LOCK), **runtime()}
    try:
        found = audit(pins)
    except LookupError as error:
        reason = "the vulnerability database cannot be reached, or does not know all"
        sys.stderr.write(f"not run: {reason}: {error}\n")
        sys.exit(NOT_RUN)
    for name, known in found.items():
        for one in known:
            fixed = ", ".join(one["fix_versions"]) or "no release"
            print(f"{name} {pins[name]}: {one['id']}, fixed in {fixed}")
    print(f"{len(pins)} packages asked about, {len(found)} with known vulnerabilities")
    sys.exit(VULNERABLE if found else 0)


if __name__ == "__main__":
    main()
