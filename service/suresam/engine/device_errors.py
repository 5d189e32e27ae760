"""What the failure of a launch means."""

import torch

from suresam.errors import InferenceError, OutOfMemory, ServiceError

_ACCELERATOR_ERROR: type[Exception] | None = getattr(torch, "AcceleratorError", None)  # torch 2.8


def is_device_lost(error: Exception) -> bool:
    """Whether nothing that is launched after this can work.

    A CUDA error other than a lack of memory leaves the process's context unusable until the
    process ends. Some are not as bad, but they cannot be told apart. Not yet seen on a GPU.
    """
    text = str(error)
    is_memory = "out of memory" in text or "ALLOC_FAILED" in text
    if is_memory or isinstance(error, torch.OutOfMemoryError):
        return False
    if _ACCELERATOR_ERROR is not None and isinstance(error, _ACCELERATOR_ERROR):
        return True
    return isinstance(error, RuntimeError) and "CUDA error" in text


def as_service_error(error: Exception) -> ServiceError:
    """What the callers of a launch that failed are told."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        return OutOfMemory("the device ran out of memory")
    return InferenceError("the model failed")
