import numpy as np
import pytest
import torch

from suresam.segmentation.host_copy import copy_to_host, cut_bytes, join_bytes

TENSORS = [
    torch.tensor([[1, 2, 255]], dtype=torch.uint8),  # so that what follows is not aligned
    torch.tensor([[1.5, -2.0], [0.25, 32.0]], dtype=torch.float16).T,
    torch.empty(3, 0),
    torch.tensor([True, False, True]),
    torch.tensor(-7.25),
    torch.tensor([2**40, -3]),
]


def test_what_was_joined_is_cut_into_the_same_arrays():
    arrays = cut_bytes(join_bytes(TENSORS).numpy(), TENSORS)
    for array, tensor in zip(arrays, TENSORS, strict=True):
        assert array.dtype == tensor.numpy().dtype
        assert array.flags.owndata or array.base.flags.owndata
        np.testing.assert_array_equal(array, tensor.numpy())


def test_groups_keep_their_names_and_on_a_cpu_their_memory():
    first, second = copy_to_host([{"a": TENSORS[0], "b": TENSORS[2]}, {"a": TENSORS[5]}])
    assert list(first) == ["a", "b"]
    assert np.shares_memory(first["a"], TENSORS[0].numpy())
    assert second["a"].tolist() == [2**40, -3]


@pytest.mark.gpu
def test_from_a_gpu_the_same_arrays_arrive():
    [arrays] = copy_to_host([{str(i): tensor.cuda() for i, tensor in enumerate(TENSORS)}])
    for array, tensor in zip(arrays.values(), TENSORS, strict=True):
        np.testing.assert_array_equal(array, tensor.numpy())
