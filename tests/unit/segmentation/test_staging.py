import numpy as np
import pytest
import torch

from suresam.segmentation.staging import Staging


def test_on_a_cpu_nothing_is_copied():
    array = np.arange(6).reshape(2, 3)
    assert np.shares_memory(Staging(torch.device("cpu")).put(array).numpy(), array)


@pytest.mark.gpu
def test_on_a_gpu_many_large_arrays_arrive_whole():
    staging = Staging(torch.device("cuda"))
    arrays = [np.full((4096, 4096), value, np.uint8) for value in range(8)]
    sums = [int(staging.put(array).sum(dtype=torch.int64)) for array in arrays]
    assert sums == [value * 4096 * 4096 for value in range(8)]
