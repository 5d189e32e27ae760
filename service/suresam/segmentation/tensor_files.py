"""Files of tensors: written whole or not at all, read without running what may hide in them."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from suresam.errors import CheckpointError

# A damaged pickle can end in any of these; torch passes them on.
_DAMAGED = (
    pickle.UnpicklingError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file by name, on the CPU.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def read_header(path: Path) -> Mapping[str, str]:
    """The strings that a safetensors file carries beside its tensors.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def write_safetensors(
    tensors: Mapping[str, Tensor], path: Path, header: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, all or nothing.

    Args:
        tensors: by name, on any device.
        path: of the file, in a folder that exists.
        header: strings to carry beside the tensors.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    content = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    # Not safetensors' save_file: only the owner may read what that writes.
    partial.write_bytes(save(content, None if header is None else dict(header)))
    partial.replace(path)


def read_pickled(path: Path) -> Any:
    """What `torch.save` wrote, if it is nothing but tensors in plain containers.

    Raises:
        CheckpointError: it is missing, damaged, or more than that.
    """
    try:
        # weights_only: a pickle may hold code, and this refuses to run any.
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        # Not torch's own words: they advise to load the file without this protection.
        raise CheckpointError(f"{path} cannot be read: damaged, or more than tensors") from error


def are_tensors(content: object) -> bool:
    """Whether something that was read is a dictionary of tensors."""
    return isinstance(content, dict) and all(isinstance(v, Tensor) for v in content.values())
