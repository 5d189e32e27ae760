"""A training's state on disk: all or nothing, in parts small enough to be carried anywhere."""

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from suresam.errors import CheckpointError

MARKER = "state.json"
"""Names the parts of the newest complete state; what it does not name is no part of it."""

PART_BYTES = 12 * 2**20


def has_state(folder: Path) -> bool:
    """Whether a complete state lies in the folder."""
    return (folder / MARKER).exists()


def save_state(folder: Path, state: dict[str, Any], step: int) -> None:
    """Replace the state in the folder; a crash at any time leaves the old one or the new one.

    Args:
        state: plain values and tensors, as `torch.load(weights_only=True)` takes them.
        step: goes into the names of the parts.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    digest = sha256(content).hexdigest()
    known = set(_parts_of(folder))
    names = []
    for number, start in enumerate(range(0, len(content), PART_BYTES)):
        name = f"state-{step:07d}-{digest[:8]}-{number:03d}.part"
        if name not in known:  # the same step of the same training, saved twice
            (folder / name).write_bytes(content[start : start + PART_BYTES])
        names.append(name)
    partial = (folder / MARKER).with_suffix(".partial")
    partial.write_text(json.dumps({"step": step, "parts": names, "sha256": digest}, indent=2))
    partial.replace(folder / MARKER)
    for old in folder.glob("state-*.part"):
        if old.name not in names:
            old.unlink()


def _parts_of(folder: Path) -> list[str]:
    """The parts of the complete state in a folder, none if there is none."""
    try:
        parts: list[str] = json.loads((folder / MARKER).read_text())["parts"]
    except (OSError, ValueError, KeyError):
        return []
    return parts


def load_state(folder: Path, device: torch.device) -> dict[str, Any]:
    """Read the state of a folder back.

    Raises:
        CheckpointError: there is none, a part is missing, or the parts do not fit together.
    """
    try:
        marker = json.loads((folder / MARKER).read_text())
        content = b"".join((folder / name).read_bytes() for name in marker["parts"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"no training state to resume in {folder}: {error}") from error
    if sha256(content).hexdigest() != marker["sha256"]:
        raise CheckpointError(f"the training state in {folder} is damaged: its SHA-256 differs")
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    return state
