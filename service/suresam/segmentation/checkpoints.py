"""Strict loading of weights: ours from safetensors, Meta's from their published files."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from suresam.errors import CheckpointError
from suresam.segmentation.architecture import ImageModel
from suresam.segmentation.manifests import ModelManifest
from suresam.segmentation.tensor_files import are_tensors, read_pickled, read_safetensors
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
    state = read_safetensors(path) if path.suffix == ".safetensors" else _read_official(path)
    model = manifest.architecture.build()
    check_fit(path, state, model.state_dict())
    model.load_state_dict(state)  # copies, so float16 on disk becomes float32
    record_first_use(manifest, path, sha256)
    return model.eval()


def _read_official(path: Path) -> Mapping[str, Tensor]:
    content = read_pickled(path)
    if not isinstance(content, dict) or list(content) != ["model"]:
        raise CheckpointError(f"{path} is not an official checkpoint: it must hold only 'model'")
    state = content["model"]
    if not are_tensors(state):
        raise CheckpointError(f"{path} is not an official checkpoint: 'model' must hold tensors")
    return {name: value for name, value in state.items() if not _is_video(name)}


def _is_video(name: str) -> bool:
    return name in VIDEO_PARAMETERS or name.startswith(VIDEO_PREFIXES)


def check_fit(path: Path, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse tensors of a file that are not exactly those of an architecture.

    Raises:
        CheckpointError: some are missing, unknown or of another shape; the message names them.
    """
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
