import pytest
import torch

from suresam.engine.device_errors import is_device_lost

ACCELERATOR_ERROR = getattr(torch, "AcceleratorError", RuntimeError)


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (ACCELERATOR_ERROR("CUDA error: an illegal memory access was encountered"), True),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (RuntimeError("CUDA error: out of memory"), False),
        (ACCELERATOR_ERROR("CUDA error: out of memory"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), False),
        (RuntimeError("shape mismatch"), False),
        (ValueError("CUDA error: not from torch"), False),
    ],
)
def test_a_lost_device_is_told_from_a_lack_of_memory(error, is_lost):
    assert is_device_lost(error) is is_lost
