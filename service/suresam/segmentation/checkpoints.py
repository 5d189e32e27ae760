"""Strict loading of weights: ours from safetensors, Meta's from their published files."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from suresam.errors import CheckpointError
from suresam.segmentation.architecture import ImageModel
from suresam.segmentation.manifests import ModelManifest
from suresam.segmentation.weights import check_sha256, record_first_use, require_weights

VIDEO_PREFIXES = (
    "mask_downsample.",
    "memory_attention.",
    "memory_encoder.",
    "obj_ptr_proj.",
    "obj_ptr_tpos_proj.",
)
"""Modules of upstream's `SAM2Base` that only its video path uses."""

VIDEO_PARAMETERS = frozenset(
    {"maskmem_tpos_enc", "no_mem_pos_enc", "no_obj_embed_spatial", "no_obj_ptr"}
)
"""Parameters of `SAM2Base` itself that only its video path uses."""

_NAMES_SHOWN = 3

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


def load_model(manifest: ModelManifest, models_dir: Path | None = None) -> ImageModel:
    """Build a model and fill it from its weights file.

    The file's SHA-256 is checked first. Every parameter must be there in its shape, and nothing
    else, but for the video path of an official checkpoint, which is left out.

    Args:
        manifest: the model.
        models_dir: the user's folder of models, searched first, or None.

    Returns:
        The model in evaluation mode, float32, on the CPU.

    Raises:
        CheckpointError: if the file is missing, has another hash, is damaged or does not fit.
    """
    path = require_weights(manifest, models_dir)
    sha256 = check_sha256(manifest, path)
    state = _read_ours(path) if path.suffix == ".safetensors" else _read_official(path)
    model = manifest.architecture.build()
    _check_fit(path, state, model.state_dict())
    model.load_state_dict(state)  # copies, so float16 on disk becomes float32
    record_first_use(manifest, path, sha256)
    return model.eval()


def _read_ours(path: Path) -> Mapping[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _read_official(path: Path) -> Mapping[str, Tensor]:
    try:
        # weights_only: a pickle may hold code, and this refuses to run any.
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        # Not torch's own words: they advise to load the file without this protection.
        raise CheckpointError(f"{path} cannot be read: damaged, or more than tensors") from error
    if not isinstance(content, dict) or list(content) != ["model"]:
        raise CheckpointError(f"{path} is not an official checkpoint: it must hold only 'model'")
    state = content["model"]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path} is not an official checkpoint: 'model' must hold tensors")
    return {name: value for name, value in state.items() if not _is_video(name)}


def _is_video(name: str) -> bool:
    return name in VIDEO_PARAMETERS or name.startswith(VIDEO_PREFIXES)


def _check_fit(path: Path, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in state]
    extra = [name for name in state if name not in wanted]
    misshapen = [
        f"{name} {tuple(state[name].shape)}, not {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    faults = (("missing", missing), ("unknown", extra), ("of another shape", misshapen))
    told = [f"{len(names)} {fault} ({_some(names)})" for fault, names in faults if names]
    if told:
        raise CheckpointError(f"{path} does not fit its architecture: {'; '.join(told)}")


def _some(names: list[str]) -> str:
    more = ["..."] if len(names) > _NAMES_SHOWN else []
    return ", ".join(names[:_NAMES_SHOWN] + more)
