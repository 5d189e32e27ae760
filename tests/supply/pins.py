"""Which packages the image installs, and in which versions: what the locks say."""

import re
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name
from programs import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
BUILD_LOCK = ROOT / "docker/build.lock"
CUDA_LOCK = ROOT / "docker/cuda.lock"
SERVICE_LOCK = ROOT / "docker/requirements.lock"

BY_VERSION = ("torch", "torchvision")
"""What the image takes by its version in constraints.txt; all else comes by hash."""

Pins = dict[str, str]
"""Versions by name; names as PyPI compares them, in small letters with hyphens."""


def pinned(path: Path) -> Pins:
    """What a file of requirements pins with `==`, whatever it says about platforms."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", path.read_text(), re.M)
    return {str(canonicalize_name(name)): version for name, version in pins}


def by_version(names: Iterable[str] = BY_VERSION) -> Pins:
    """What the image installs without a hash."""
    constraints = pinned(CONSTRAINTS)
    return {name: constraints[name] for name in names}


def runtime() -> Pins:
    """All that the image holds beside the service itself, in both variants together."""
    return dict(sorted({**pinned(SERVICE_LOCK), **pinned(CUDA_LOCK), **by_version()}.items()))
